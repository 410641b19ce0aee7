//! Converts the bytes of a message, a file or a video to the detector's input tensor, with OpenCV
//! and libjpeg-turbo.
//!
//! ```
//! use shuffledet_image::{BgrView, ImageDecoder, jpeg::JpegEncoder};
//!
//! let grey = BgrView::new(64, 48, 3 * 64, &[114; 3 * 64 * 48]).expect("the buffer has the size of the picture");
//! let jpeg = JpegEncoder::new(90)?.encode(&grey)?;
//! let mut decoder = ImageDecoder::new();
//! let picture = decoder.decode_file(&jpeg)?;
//! assert_eq!((picture.width(), picture.height()), (64, 48));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bgr;
pub mod camera_motion;
pub mod container;
pub mod cutout;
pub mod damage;
pub mod decode;
pub mod draw;
pub mod encoding;
pub mod error;
pub mod file_format;
pub mod folder;
pub mod frame_rate;
pub mod frame_times;
pub mod jpeg;
pub mod letterbox;
pub mod limits;
pub mod mirror;
pub mod picture_source;
pub mod pixels;
mod planes;
mod plausible;
mod resample;
pub mod size;
pub mod stream;
pub mod tensor;
pub mod upright;
pub mod video;
pub mod yuv;

pub use bgr::BgrView;
pub use damage::Damage;
pub use decode::ImageDecoder;
pub use error::DecodeError;
pub use file_format::FileFormat;
pub use folder::{CompressedFile, ImageFolder, Picture};
pub use frame_rate::FrameRate;
pub use frame_times::FrameTimes;
pub use jpeg::JpegScale;
pub use letterbox::Letterbox;
pub use limits::ImageLimits;
pub use mirror::Mirror;
pub use picture_source::{PictureSource, PictureTimes};
pub use pixels::Pixels;
pub use stream::{StreamAddress, VideoStream};
pub use tensor::TensorBuilder;
pub use video::VideoFile;
pub use yuv::YuvView;
