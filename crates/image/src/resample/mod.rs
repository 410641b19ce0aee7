//! Resizes, normalises and lays out an image in one pass, on supported processors. The result
//! equals `cv::resize` (`INTER_LINEAR`) bit for bit, which is used on other processors.

#[cfg(not(target_arch = "x86_64"))]
#[path = "absent.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "avx2.rs"]
mod processor;
mod taps;

pub use processor::Resampler;
