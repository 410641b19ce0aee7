//! Which resolution a detector uses for a picture.

use shuffledet_core::{InputSize, InputSpec, ResizeMode, Resolution, largest_view};

/// The rule by which a detector chooses the resolution of its network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputChoice {
    pub size: InputSize,
    /// The resolution that the model was trained at.
    pub native: Resolution,
    /// How the model was trained on pictures of another shape.
    pub resize: ResizeMode,
    /// The most pixels that [`InputSize::Auto`] takes, as a multiple of those of `native`; above 0.
    pub budget: f64,
}

impl InputChoice {
    /// Uses the resolution of `input` for every picture.
    pub fn native(input: &InputSpec) -> Self {
        Self {
            size: InputSize::Native,
            native: input.resolution(),
            resize: input.resize,
            budget: 1.0,
        }
    }

    /// Returns the resolution that a detector is opened with, before it knows a picture.
    pub fn base(&self) -> Resolution {
        match self.size {
            InputSize::Fixed(resolution) => resolution,
            InputSize::Auto | InputSize::Native => self.native,
        }
    }

    /// Returns the resolution for a picture, or a part of one, of `size` (width, height) pixels.
    pub fn resolution_for(&self, size: (u32, u32)) -> Resolution {
        match self.size {
            InputSize::Auto => largest_view(size, self.resize, self.native, self.budget),
            InputSize::Native | InputSize::Fixed(_) => self.base(),
        }
    }
}
