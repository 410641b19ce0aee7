//! The mirror image of a picture.

use opencv::core::{Mat, flip};

use super::BgrView;

/// Swaps left and right, into a buffer that it keeps.
#[derive(Debug, Default)]
pub struct Mirror {
    mirrored: Mat,
}

impl Mirror {
    /// Returns the mirror image of `image`.
    ///
    /// # Errors
    /// OpenCV refuses the picture, or has no memory for another one.
    pub fn mirrored<'a>(&'a mut self, image: &BgrView<'_>) -> opencv::Result<BgrView<'a>> {
        const AROUND_THE_VERTICAL_AXIS: i32 = 1;
        flip(
            &*image.to_mat()?,
            &mut self.mirrored,
            AROUND_THE_VERTICAL_AXIS,
        )?;
        let mirrored = BgrView::from_mat(&self.mirrored).ok_or_else(|| {
            let problem = "OpenCV gave no BGR picture".to_owned();
            opencv::Error::new(opencv::core::StsBadArg, problem)
        })?;
        Ok(mirrored.reduced_from(image.image_size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_change_places_and_colours_do_not() {
        // two rows of three pixels, with two bytes of padding
        let data: Vec<u8> = (0..22).collect();
        let image = BgrView::new(3, 2, 11, &data).unwrap();
        let mut mirror = Mirror::default();
        let mirrored = mirror.mirrored(&image).unwrap();
        assert_eq!((mirrored.width(), mirrored.height()), (3, 2));
        let row = |at: u8| [6, 7, 8, 3, 4, 5, 0, 1, 2].map(|byte| byte + at);
        assert_eq!(mirrored.data(), [row(0), row(11)].concat());
    }
}
