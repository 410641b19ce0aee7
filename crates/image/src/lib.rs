//! From a message's, a file's or a video's bytes to the detector's input tensor.

pub mod bgr;
pub mod decode;
pub mod draw;
pub mod file_format;
pub mod folder;
pub mod frame_rate;
pub mod jpeg;
pub mod letterbox;
mod plausible;
mod resample;
pub mod size;
pub mod tensor;
pub mod test_card;
pub mod video;

pub use bgr::BgrView;
pub use decode::{DecodeError, ImageDecoder};
pub use file_format::FileFormat;
pub use folder::{CompressedFile, ImageFolder, Picture};
pub use frame_rate::FrameRate;
pub use jpeg::JpegScale;
pub use letterbox::{Letterbox, ResizeMode};
pub use tensor::{InputSpec, TensorBuilder};
pub use video::VideoFile;
