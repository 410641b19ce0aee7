//! Resizes, normalises and lays out an image in one pass. For BGR on supported processors, the
//! result equals `cv::resize` (`INTER_LINEAR`) bit for bit, which is used on other processors.

#[cfg(not(target_arch = "x86_64"))]
#[path = "absent.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "avx2.rs"]
mod processor;
mod taps;
mod yuv;

pub use processor::Resampler;
pub use yuv::YuvResampler;
