//! Places an image in the model's input, and maps coordinates between the two.

use shuffledet_core::ResizeMode;

/// The position of an image in the model's input, in pixels of the input. It belongs to the tensor
/// that it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letterbox {
    image: (u32, u32),
    /// The width and height of the scaled image, at least 1.
    pub size: (u32, u32),
    /// The number of columns left of the image.
    pub left: u32,
    /// The number of rows above the image.
    pub top: u32,
}

impl Letterbox {
    /// Places an image of `image` (width, height) in an input of `input` (width, height); all at
    /// least 1.
    ///
    /// Rounds the scaled side down, and the padding before it too, as NanoDet's deployments do.
    pub fn new(image: (u32, u32), input: (u32, u32), mode: ResizeMode) -> Self {
        let size = match mode {
            ResizeMode::Stretch => input,
            ResizeMode::Letterbox => fit(image, input),
        };
        Self {
            image,
            size,
            left: (input.0 - size.0) / 2,
            top: (input.1 - size.1) / 2,
        }
    }

    /// Converts pixels of the input to pixels of the image.
    pub fn to_image(&self, x: f32, y: f32) -> (f32, f32) {
        (
            (x - self.left as f32) * (self.image.0 as f32 / self.size.0 as f32),
            (y - self.top as f32) * (self.image.1 as f32 / self.size.1 as f32),
        )
    }

    /// Converts pixels of the image to pixels of the input.
    pub fn to_input(&self, x: f32, y: f32) -> (f32, f32) {
        (
            x * (self.size.0 as f32 / self.image.0 as f32) + self.left as f32,
            y * (self.size.1 as f32 / self.image.1 as f32) + self.top as f32,
        )
    }

    /// Returns the width and height of the image in pixels.
    pub fn image_size(&self) -> (u32, u32) {
        self.image
    }
}

/// Returns the largest size with the image's aspect ratio within the input. Uses integers: a float
/// ratio could be off by a whole pixel.
fn fit(image: (u32, u32), input: (u32, u32)) -> (u32, u32) {
    let (w, h) = (u64::from(image.0), u64::from(image.1));
    let (in_w, in_h) = (u64::from(input.0), u64::from(input.1));
    // each quotient is at most the input's side, a u32
    if w * in_h >= h * in_w {
        (input.0, (h * in_w / w).max(1) as u32)
    } else {
        ((w * in_h / h).max(1) as u32, input.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wide_picture_is_padded_above_and_below() {
        let lb = Letterbox::new((1280, 720), (416, 416), ResizeMode::Letterbox);
        assert_eq!((lb.size, lb.left, lb.top), ((416, 234), 0, 91));
    }

    #[test]
    fn stretching_fills_the_input() {
        let lb = Letterbox::new((960, 540), (352, 352), ResizeMode::Stretch);
        assert_eq!((lb.size, lb.left, lb.top), ((352, 352), 0, 0));
    }

    proptest! {
        #[test]
        fn the_inverse_undoes_it(
            image in (1u32..8000, 1u32..8000), input in (32u32..1024, 32u32..1024),
            at in (0f32..1.0, 0f32..1.0), stretch: bool,
        ) {
            let mode = if stretch { ResizeMode::Stretch } else { ResizeMode::Letterbox };
            let lb = Letterbox::new(image, input, mode);
            let (x, y) = (at.0 * image.0 as f32, at.1 * image.1 as f32);
            let (u, v) = lb.to_input(x, y);
            let (back_x, back_y) = lb.to_image(u, v);
            // a pixel of the input may be thousands of the image; allow f32's error at that scale
            let tolerance = |image: u32, size: u32| 1e-3 * (image as f32 / size as f32).max(1.0) * input.0.max(input.1) as f32 / 100.0;
            prop_assert!((back_x - x).abs() <= tolerance(image.0, lb.size.0), "{x} {back_x}");
            prop_assert!((back_y - y).abs() <= tolerance(image.1, lb.size.1), "{y} {back_y}");
        }

        #[test]
        fn the_picture_lies_within_the_input(
            image in (1u32..u32::MAX, 1u32..u32::MAX), input in (1u32..4096, 1u32..4096),
        ) {
            let lb = Letterbox::new(image, input, ResizeMode::Letterbox);
            prop_assert!(lb.size.0 >= 1 && lb.size.1 >= 1);
            prop_assert!(lb.left + lb.size.0 <= input.0 && lb.top + lb.size.1 <= input.1);
            prop_assert!(lb.size.0 == input.0 || lb.size.1 == input.1);
        }
    }
}
