//! How a picture is laid into the model's input, and back.

use serde::{Deserialize, Serialize};

/// How the model was trained to see pictures of another shape than its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// Each side is scaled by itself to fill the input.
    Stretch,
    /// Both sides are scaled alike; the rest of the input, split evenly, is padding.
    Letterbox,
}

/// The place of a picture in the model's input, in pixels of the input. It goes with the tensor that it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letterbox {
    image: (u32, u32),
    /// Width and height of the scaled picture, at least 1.
    pub size: (u32, u32),
    /// Columns before the picture.
    pub left: u32,
    /// Rows above the picture.
    pub top: u32,
}

impl Letterbox {
    /// The place of an image of `image` (width, height) in an input of `input` (width, height); all at least 1.
    ///
    /// The rule is that of NanoDet's deployments: the scaled side is rounded down, the padding before it, too.
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

    /// From pixels of the input to pixels of the image.
    pub fn to_image(&self, x: f32, y: f32) -> (f32, f32) {
        (
            (x - self.left as f32) * (self.image.0 as f32 / self.size.0 as f32),
            (y - self.top as f32) * (self.image.1 as f32 / self.size.1 as f32),
        )
    }

    /// From pixels of the image to pixels of the input.
    pub fn to_input(&self, x: f32, y: f32) -> (f32, f32) {
        (
            x * (self.size.0 as f32 / self.image.0 as f32) + self.left as f32,
            y * (self.size.1 as f32 / self.image.1 as f32) + self.top as f32,
        )
    }

    /// Width and height of the image in pixels.
    pub fn image_size(&self) -> (u32, u32) {
        self.image
    }
}

/// The largest size of the image's shape within the input. Integer arithmetic: a float ratio could round a whole
/// pixel off.
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
