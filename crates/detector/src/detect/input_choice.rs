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

    /// Returns the same rule at `scale` times the resolutions of this one, with sides rounded to
    /// multiples of [`Resolution::STEP`].
    pub fn scaled(&self, scale: f64) -> Self {
        let step = Resolution::STEP;
        let side = |side: u32| {
            let steps = (f64::from(side) * scale / f64::from(step)).round();
            // a float cast saturates
            (steps as u32).clamp(1, Resolution::MOST / step) * step
        };
        let scaled = |resolution: Resolution| Resolution {
            width: side(resolution.width),
            height: side(resolution.height),
        };
        let size = match self.size {
            InputSize::Fixed(resolution) => InputSize::Fixed(scaled(resolution)),
            size => size,
        };
        Self {
            size,
            native: scaled(self.native),
            ..*self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_scale_keeps_the_shape() {
        let at = |size, scale| {
            let choice = InputChoice {
                size,
                native: (416, 416).into(),
                resize: ResizeMode::Stretch,
                budget: 1.0,
            };
            let scaled = choice.scaled(scale).resolution_for((640, 480));
            scaled.to_string()
        };
        let fixed = InputSize::Fixed((832, 256).into());
        assert_eq!(
            [1.0, 1.54, 2.0].map(|scale| at(InputSize::Native, scale)),
            ["416x416", "640x640", "832x832"]
        );
        assert_eq!(at(InputSize::Auto, 2.0), "832x832");
        assert_eq!(
            [1.0, 1.54, 9.0].map(|scale| at(fixed, scale)),
            ["832x256", "1280x384", "4096x2304"]
        );
        assert_eq!(at(InputSize::Native, 0.001), "32x32");
    }
}
