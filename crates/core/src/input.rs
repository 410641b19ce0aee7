//! The input that a model was trained on.

use serde::{Deserialize, Serialize};

/// The order of the channels that the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourOrder {
    Bgr,
    Rgb,
}

impl ColourOrder {
    /// What stands in the order of the tensor's planes, by the picture's channel: blue, green, red.
    pub fn by_channel<T>(self, mut planes: [T; 3]) -> [T; 3] {
        if self == ColourOrder::Rgb {
            planes.reverse();
        }
        planes
    }
}

/// How the model was trained to see pictures of another shape than its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// Each side is scaled by itself to fill the input.
    Stretch,
    /// Both sides are scaled alike; the rest of the input, split evenly, is padding.
    Letterbox,
}

/// What the model wants to see. The tensor is 1 x 3 x `height` x `width`, f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    pub width: u32,
    pub height: u32,
    pub colour: ColourOrder,
    pub resize: ResizeMode,
    /// Subtracted from each pixel value (0 to 255), in the order of `colour`; padding is 0 before it.
    pub mean: [f32; 3],
    /// Divides the difference, in the order of `colour`.
    pub std: [f32; 3],
}
