//! From a message's image bytes to the detector's input tensor.

pub mod bgr;
pub mod decode;
pub mod draw;
pub mod jpeg;
pub mod letterbox;
pub mod tensor;

pub use bgr::BgrView;
pub use decode::{DecodeError, ImageDecoder};
pub use letterbox::{Letterbox, ResizeMode};
pub use tensor::{InputSpec, TensorBuilder};
