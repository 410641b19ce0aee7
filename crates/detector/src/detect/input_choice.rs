//! Which resolution a detector uses for a picture.

use shuffledet_core::{InputSize, Resolution, largest_view};

/// The rule by which a detector chooses the resolution of its network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputChoice {
    pub size: InputSize,
    /// The resolution that the model was trained at.
    pub native: Resolution,
    /// The most pixels that [`InputSize::Auto`] takes, as a multiple of those of `native`; above 0.
    pub budget: f64,
}

impl InputChoice {
    /// Uses `native` for every picture.
    pub fn native(native: Resolution) -> Self {
        Self {
            size: InputSize::Native,
            native,
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
            InputSize::Auto => largest_view(size, self.native, self.budget),
            InputSize::Native | InputSize::Fixed(_) => self.base(),
        }
    }
}
