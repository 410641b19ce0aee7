//! What a picture looks like from afar, to tell scenes apart.

use opencv::core::{Mat, MatTraitConstManual, Size};
use opencv::imgproc::{INTER_AREA, resize};
use shuffledet_image::BgrView;

/// The columns and rows of the small picture.
const SIDE: usize = 8;

/// The mean colours of 8x8 parts of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene([u8; 3 * SIDE * SIDE]);

/// The mean difference of colours, as a share of the greatest possible one, from which two pictures
/// have nothing in common.
const OTHER_SCENE: f64 = 0.1;

impl Scene {
    /// Returns the mean colours of `image`.
    ///
    /// # Errors
    /// OpenCV refuses the picture.
    pub fn new(image: &BgrView<'_>) -> opencv::Result<Self> {
        let mut small = Mat::default();
        let size = Size::new(SIDE as i32, SIDE as i32);
        resize(&*image.to_mat()?, &mut small, size, 0.0, 0.0, INTER_AREA)?;
        let mut colours = [0; 3 * SIDE * SIDE];
        for (colour, &mean) in colours.iter_mut().zip(small.data_bytes()?) {
            *colour = mean;
        }
        Ok(Self(colours))
    }

    /// Returns how much two pictures show the same scene: 1 for equal colours, less with their mean
    /// difference, and 0 from a tenth of the greatest possible difference on.
    pub fn similarity(&self, other: &Self) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        let difference: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let share = f64::from(difference) / (255.0 * self.0.len() as f64);
        (1.0 - share / OTHER_SCENE).max(0.0)
    }

    #[cfg(test)]
    pub fn grey(level: u8) -> Self {
        Self([level; 3 * SIDE * SIDE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_light_is_the_same_scene() {
        let scene = |level: u8| {
            let data = vec![level; 3 * 64 * 48];
            Scene::new(&BgrView::new(64, 48, 3 * 64, &data).unwrap()).unwrap()
        };
        assert_eq!(scene(100), Scene::grey(100));
        assert_eq!(scene(100).similarity(&scene(100)), 1.0);
        let near = scene(100).similarity(&scene(105));
        assert!((0.75..0.85).contains(&near), "{near}");
        assert_eq!(scene(100).similarity(&scene(130)), 0.0);
    }
}
