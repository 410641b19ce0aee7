//! The input that a model was trained on.

use serde::{Deserialize, Serialize};

use super::Resolution;

/// The channel order that the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourOrder {
    Bgr,
    Rgb,
}

impl ColourOrder {
    /// Reorders values in the order of the tensor's planes by the image's channels: blue, green,
    /// red.
    pub fn by_channel<T>(self, mut planes: [T; 3]) -> [T; 3] {
        if self == ColourOrder::Rgb {
            planes.reverse();
        }
        planes
    }
}

/// How the model was trained on images of another aspect ratio than its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// Scales each side separately to fill the input.
    Stretch,
    /// Scales both sides equally and splits the padding evenly on both ends.
    Letterbox,
}

/// The input that the model expects: a tensor of 1 x 3 x `height` x `width`, f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    pub width: u32,
    pub height: u32,
    pub colour: ColourOrder,
    pub resize: ResizeMode,
    /// The pixel value of padding, before the subtraction of `mean`.
    #[serde(default)]
    pub padding: u8,
    /// Subtracted from each pixel value (0 to 255), in the order of `colour`.
    pub mean: [f32; 3],
    /// Divides the difference, in the order of `colour`.
    pub std: [f32; 3],
}

impl InputSpec {
    /// Returns width and height.
    pub fn resolution(&self) -> Resolution {
        Resolution {
            width: self.width,
            height: self.height,
        }
    }

    /// Returns the same input at another resolution.
    pub fn at(&self, resolution: Resolution) -> Self {
        Self {
            width: resolution.width,
            height: resolution.height,
            ..self.clone()
        }
    }
}
