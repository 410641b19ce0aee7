//! A detected object.

use super::BBox;

/// An object in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The index in the model; the model's labels have its name.
    pub class_id: usize,
    /// In [0, 1].
    pub score: f32,
    /// In pixels: of the network's input when it is decoded, of the image and clipped
    /// to it in results.
    pub bbox: BBox,
}
