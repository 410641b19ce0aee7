//! Resizing, normalising and laying out in one pass, on processors for which there is one. The result is that of
//! `cv::resize` (`INTER_LINEAR`) to the bit, which is what serves elsewhere.

#[cfg(not(target_arch = "x86_64"))]
#[path = "absent.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "avx2.rs"]
mod processor;
mod taps;

pub use processor::Resampler;
