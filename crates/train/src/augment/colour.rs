//! Changes of brightness, contrast and saturation.

use rand::Rng;
use shuffledet_core::InputSpec;

/// A linear change of the colours of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourChange {
    /// Factor of the difference from mid grey.
    contrast: f32,
    /// Factor of the difference from the pixel's own grey.
    saturation: f32,
    /// Added to each level, which go from 0 to 255.
    brightness: f32,
    /// Factor of each plane: the colour of the light.
    tint: [f32; 3],
}

impl ColourChange {
    /// Draws a change of at most the share `most`.
    pub fn draw(random: &mut impl Rng, most: f32) -> Self {
        let mut factor = |most: f32| 1.0 + most * random.random_range(-1.0..=1.0f32);
        let (contrast, saturation, brightness) = (factor(most), factor(1.6 * most), factor(most));
        Self {
            contrast,
            saturation,
            brightness: 128.0 * (brightness - 1.0),
            tint: [factor(most / 5.0), factor(most / 5.0), factor(most / 5.0)],
        }
    }

    /// Applies the change to a normalised tensor of three planes; levels stay within 0 to 255.
    pub fn apply(&self, planes: &mut [f32], spec: &InputSpec) {
        let size = planes.len() / 3;
        let (first, rest) = planes.split_at_mut(size);
        let (second, third) = rest.split_at_mut(size);
        for ((a, b), c) in first.iter_mut().zip(second).zip(third) {
            let mut levels = [*a, *b, *c];
            for (plane, level) in levels.iter_mut().enumerate() {
                *level = *level * spec.std[plane] + spec.mean[plane];
            }
            let grey = levels.iter().sum::<f32>() / 3.0;
            for (plane, level) in levels.iter_mut().enumerate() {
                let saturated = grey + self.saturation * (*level - grey);
                let lit = 128.0 + self.contrast * (saturated - 128.0) + self.brightness;
                let changed = (lit * self.tint[plane]).clamp(0.0, 255.0);
                *level = (changed - spec.mean[plane]) / spec.std[plane];
            }
            [*a, *b, *c] = levels;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::{ColourOrder, ResizeMode};

    fn spec() -> InputSpec {
        InputSpec {
            width: 32,
            height: 32,
            colour: ColourOrder::Bgr,
            resize: ResizeMode::Stretch,
            padding: 0,
            mean: [10.0, 20.0, 30.0],
            std: [2.0, 4.0, 5.0],
        }
    }

    #[test]
    fn no_change_keeps_the_levels_and_levels_stay_in_range() {
        let same = ColourChange {
            contrast: 1.0,
            saturation: 1.0,
            brightness: 0.0,
            tint: [1.0; 3],
        };
        let before = [0.0f32, 5.0, 2.0, 20.0, -6.0, 40.0];
        let mut planes = before;
        same.apply(&mut planes, &spec());
        for (a, b) in planes.iter().zip(before) {
            assert!((a - b).abs() < 1e-4);
        }
        let bright = ColourChange {
            brightness: 1e6,
            ..same
        };
        bright.apply(&mut planes, &spec());
        assert_eq!(planes[0], (255.0 - 10.0) / 2.0);
        assert_eq!(planes[5], (255.0 - 30.0) / 5.0);
    }
}
