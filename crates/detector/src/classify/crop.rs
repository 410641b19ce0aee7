//! The part of a picture that a classifier sees.

use shuffledet_core::{BBox, PixelRect};
use shuffledet_image::Pixels;

/// Returns the centred part of a picture of `picture` (width, height) in the shape of `input`, with
/// `share` of the largest such part. It is what remains if the shorter side is scaled to 1/`share`
/// times the input, and the centre is cut out.
pub fn centre(picture: (u32, u32), input: (u32, u32), share: f64) -> PixelRect {
    let (width, height) = (f64::from(picture.0), f64::from(picture.1));
    let (input_width, input_height) = (f64::from(input.0.max(1)), f64::from(input.1.max(1)));
    let scale = (width / input_width).min(height / input_height) * share;
    let span = |side: f64, length: f64| {
        let part = (side * scale).min(length);
        (((length - part) / 2.0), ((length + part) / 2.0))
    };
    let (x1, x2) = span(input_width, width);
    let (y1, y2) = span(input_height, height);
    let [x1, x2, y1, y2] = [x1, x2, y1, y2].map(|side| side as f32);
    pixels(BBox { x1, y1, x2, y2 }, picture)
}

/// Returns the pixels around `bbox`, widened on each side by `margin` times its width or height, as
/// far as the picture of `picture` (width, height) goes.
pub fn around(bbox: BBox, margin: f32, picture: (u32, u32)) -> PixelRect {
    let (dx, dy) = (bbox.width() * margin, bbox.height() * margin);
    let wide = BBox {
        x1: bbox.x1 - dx,
        y1: bbox.y1 - dy,
        x2: bbox.x2 + dx,
        y2: bbox.y2 + dy,
    };
    pixels(wide, picture)
}

/// Returns the whole pixels that a box touches, at least 2 by 2 where the picture has them. Edges
/// within the picture lie on even pixels, so that pictures with subsampled colour can be cut there.
fn pixels(bbox: BBox, (width, height): (u32, u32)) -> PixelRect {
    let span = |from: f32, to: f32, length: u32| {
        // a float cast saturates, and makes 0 of what is not a number
        let last = length.saturating_sub(1) & !1;
        let start = (from.floor() as u32).min(last) & !1;
        let end = (to.ceil() as u32).saturating_add(1) & !1;
        let end = end.max(start.saturating_add(2)).min(length);
        (start, end - start.min(end))
    };
    let (left, width) = span(bbox.x1, bbox.x2, width);
    let (top, height) = span(bbox.y1, bbox.y2, height);
    PixelRect {
        left,
        top,
        width,
        height,
    }
}

/// Returns the pixels of `part`.
///
/// # Errors
/// The picture does not have it.
pub fn cut<'a>(image: &Pixels<'a>, part: PixelRect) -> opencv::Result<Pixels<'a>> {
    image.part(part).ok_or_else(|| {
        let problem = format!("{part:?} lies outside of the picture");
        opencv::Error::new(opencv::core::StsBadArg, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect(left: u32, top: u32, width: u32, height: u32) -> PixelRect {
        PixelRect {
            left,
            top,
            width,
            height,
        }
    }

    #[test]
    fn the_centre_is_that_of_imagenet() {
        // the shorter side to 256, then 224 x 224
        assert_eq!(
            centre((640, 480), (224, 224), 0.875),
            rect(110, 30, 420, 420)
        );
        assert_eq!(
            centre((480, 640), (224, 224), 0.875),
            rect(30, 110, 420, 420)
        );
        assert_eq!(centre((224, 224), (224, 224), 1.0), rect(0, 0, 224, 224));
        assert_eq!(centre((400, 100), (200, 100), 1.0), rect(100, 0, 200, 100));
    }

    #[test]
    fn a_box_is_widened_as_far_as_the_picture_goes() {
        let bbox = |x1, y1, x2, y2| BBox { x1, y1, x2, y2 };
        let found = around(bbox(100.0, 50.0, 120.0, 90.0), 0.1, (640, 480));
        assert_eq!(found, rect(98, 46, 24, 48));
        let corner = around(bbox(0.0, 470.0, 8.0, 479.5), 0.5, (640, 479));
        assert_eq!(corner, rect(0, 464, 12, 15));
    }

    proptest! {
        #[test]
        fn every_crop_lies_within_the_picture_and_has_pixels(
            picture in (1u32..3000, 1u32..3000), x in any::<f32>(), y in -100f32..4000.0, w in 0f32..500.0, h in any::<f32>(),
            margin in 0f32..4.0,
        ) {
            let bbox = BBox { x1: x, y1: y, x2: x + w, y2: y + h };
            let found = around(bbox, margin, picture);
            prop_assert!(found.width > 0 && found.height > 0);
            prop_assert!(found.left + found.width <= picture.0 && found.top + found.height <= picture.1);
            prop_assert_eq!((found.left % 2, found.top % 2), (0, 0));
        }
    }
}
