//! Cuts an object out of an image, for people to look at.

use opencv::core::{Mat, MatTraitConst, Size};
use opencv::imgproc;

use super::BgrView;
use shuffledet_core::{BBox, PixelRect};

/// What is shown around the box, as a share of its longer side on each side.
const MARGIN: f32 = 0.15;
/// The least side of the part, in pixels.
const LEAST: f32 = 24.0;

/// Returns the square around `bbox`, as far as the image goes, scaled so that its longer side has
/// `side` pixels.
///
/// # Errors
/// OpenCV refuses the part.
pub fn cut_out(image: &BgrView<'_>, bbox: BBox, side: u32) -> opencv::Result<Mat> {
    let part = square(bbox, image.width(), image.height());
    let part = image.part(part).ok_or_else(|| {
        let problem = format!("{part:?} lies outside of the picture");
        opencv::Error::new(opencv::core::StsBadArg, problem)
    })?;
    let scale = f64::from(side) / f64::from(part.width().max(part.height()));
    let scaled = |length: u32| (f64::from(length) * scale).round().max(1.0) as i32;
    let size = Size::new(scaled(part.width()), scaled(part.height()));
    let interpolation = match scale < 1.0 {
        true => imgproc::INTER_AREA,
        false => imgproc::INTER_CUBIC,
    };
    let mut cut = Mat::default();
    let whole = part.to_mat()?;
    imgproc::resize(&*whole, &mut cut, size, 0.0, 0.0, interpolation)?;
    debug_assert_eq!(cut.size()?, size);
    Ok(cut)
}

/// Returns the square around a box, cut off at the edges of a picture of these sides. It has pixels,
/// wherever the box lies.
fn square(bbox: BBox, width: u32, height: u32) -> PixelRect {
    let half = (bbox.width().max(bbox.height()) * (0.5 + MARGIN)).max(LEAST / 2.0);
    let span = |low: f32, high: f32, length: u32| {
        let centre = (low + high) / 2.0;
        // a float cast saturates, and makes 0 of what is not a number
        let start = ((centre - half).floor() as u32).min(length.saturating_sub(1));
        let end = ((centre + half).ceil() as u32).clamp(start + 1, length.max(start + 1));
        (start, end - start)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_box_is_shown_with_what_is_around_it() {
        let pixels = vec![7; 3 * 200 * 100];
        let image = BgrView::new(200, 100, 3 * 200, &pixels).unwrap();
        let bbox = |x1, y1, x2, y2| BBox { x1, y1, x2, y2 };
        let part = square(bbox(80.0, 40.0, 120.0, 60.0), 200, 100);
        assert_eq!(
            (part.left, part.top, part.width, part.height),
            (74, 24, 52, 52)
        );
        let cut = cut_out(&image, bbox(80.0, 40.0, 120.0, 60.0), 96).unwrap();
        assert_eq!((cut.cols(), cut.rows()), (96, 96));
        // at the corner, half of the square is left
        let cut = cut_out(&image, bbox(-20.0, 0.0, 20.0, 100.0), 96).unwrap();
        assert_eq!((cut.cols(), cut.rows()), (62, 96));
    }

    proptest! {
        #[test]
        fn the_part_lies_in_the_picture_and_has_pixels(
            (width, height) in (1u32..4000, 1u32..4000),
            (x1, y1, x2, y2) in (any::<f32>(), -1e4f32..1e4, any::<f32>(), -1e4f32..1e4),
        ) {
            let part = square(BBox { x1, y1, x2, y2 }, width, height);
            prop_assert!(part.width > 0 && part.height > 0);
            prop_assert!(part.left + part.width <= width && part.top + part.height <= height, "{part:?}");
        }
    }
}
