//! `foxglove_msgs/msg/ImageAnnotations`: boxes and texts over an image, as Foxglove draws them.

use super::cdr::{CdrError, Writer};
use super::definition::IMAGE_ANNOTATIONS;
use super::time::Stamp;

/// A box with its text, for writing. Lengths are in pixels of the original image, from the upper left
/// corner of its first pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxAnnotation<'a> {
    /// Left, top, right and bottom.
    pub sides: [f64; 4],
    /// Red, green, blue in [0, 1].
    pub colour: [f64; 3],
    /// Stands on the upper side of the box, or below it if `text_is_inside`.
    pub text: &'a str,
    pub text_is_inside: bool,
}

/// The widths and sizes of a drawing, in pixels of the original image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strokes {
    pub line: f64,
    pub font: f64,
}

/// `LINE_LOOP` of `PointsAnnotation`.
const LINE_LOOP: u8 = 2;

const BLACK: [f64; 3] = [0.0; 3];

/// Fills `out` with the boxes, each as a closed line and a text on its colour. Every annotation has the
/// time `stamp`, which is the image's. Only allocates in `out`.
///
/// Errors: a part is too long for CDR.
pub fn write_image_annotations<'a>(
    out: &mut Vec<u8>,
    stamp: Stamp,
    strokes: Strokes,
    boxes: impl Iterator<Item = BoxAnnotation<'a>> + Clone,
) -> Result<(), CdrError> {
    let w = &mut Writer::new(IMAGE_ANNOTATIONS.name, out);
    w.u32(0);
    w.sequence("points", boxes.clone(), |w, annotation| {
        let [left, top, right, bottom] = annotation.sides;
        stamp.write(w);
        w.u8(LINE_LOOP);
        w.u32(4);
        w.f64_array(&[left, top, right, top, right, bottom, left, bottom]);
        colour(w, annotation.colour, 1.0);
        w.u32(0);
        colour(w, BLACK, 0.0);
        w.f64(strokes.line);
        Ok(())
    })?;
    w.sequence("texts", boxes, |w, annotation| {
        let [left, top, ..] = annotation.sides;
        let below = if annotation.text_is_inside {
            strokes.font
        } else {
            0.0
        };
        stamp.write(w);
        w.f64_array(&[left, top + below]);
        w.str("text", annotation.text)?;
        w.f64(strokes.font);
        colour(w, BLACK, 1.0);
        colour(w, annotation.colour, 1.0);
        Ok(())
    })
}

fn colour(w: &mut Writer<'_>, [r, g, b]: [f64; 3], alpha: f64) {
    w.f64_array(&[r, g, b, alpha]);
}
