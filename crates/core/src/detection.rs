//! A detected object.

use super::BBox;

/// An object in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The model's own index; its name is in the model's labels.
    pub class_id: usize,
    /// In [0, 1].
    pub score: f32,
    /// In pixels; of the model's input until [`OutputReader::suppress`], of the image, clipped to it, after.
    pub bbox: BBox,
}
