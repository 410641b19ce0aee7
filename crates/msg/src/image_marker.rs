//! `visualization_msgs/msg/ImageMarker`: lines over an image.

use super::cdr::{CdrError, Writer};
use super::definition::IMAGE_MARKER;
use super::header::HeaderView;

/// A box, for writing. Lengths are in pixels of the original image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkedBox {
    /// Left, top, right and bottom.
    pub sides: [f64; 4],
    /// Red, green, blue in [0, 1].
    pub colour: [f32; 3],
}

/// `LINE_LIST` of the message: pairs of points.
const LINE_LIST: i32 = 2;
/// `ADD` of the message, which also replaces the marker of the same name.
const ADD: i32 = 0;

/// Fills `out` with one marker that has the sides of all boxes as separate lines, `width` pixels wide, each
/// with the colour of its box. Only allocates in `out`.
///
/// Errors: a part is too long for CDR.
pub fn write_image_marker(
    out: &mut Vec<u8>,
    header: HeaderView<'_>,
    namespace: &str,
    width: f32,
    boxes: impl Iterator<Item = MarkedBox> + Clone,
) -> Result<(), CdrError> {
    let w = &mut Writer::new(IMAGE_MARKER.name, out);
    header.write(w)?;
    w.str("ns", namespace)?;
    w.i32(0);
    w.i32(LINE_LIST);
    w.i32(ADD);
    w.f64_array(&[0.0; 3]);
    w.f32(width);
    colour(w, [1.0; 3], 1.0);
    w.u8(0);
    colour(w, [0.0; 3], 0.0);
    // no end of its life: the next image's marker replaces it
    w.i32(0);
    w.u32(0);
    let corners = boxes.clone().flat_map(|marked| {
        let [left, top, right, bottom] = marked.sides;
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        (0..4).flat_map(move |side| [corners[side], corners[(side + 1) % 4]])
    });
    w.sequence("points", corners, |w, (x, y)| {
        w.f64_array(&[x, y, 0.0]);
        Ok(())
    })?;
    let colours = boxes.flat_map(|marked| [marked.colour; 4]);
    w.sequence("outline_colors", colours, |w, rgb| {
        colour(w, rgb, 1.0);
        Ok(())
    })
}

fn colour(w: &mut Writer<'_>, rgb: [f32; 3], alpha: f32) {
    for value in rgb {
        w.f32(value);
    }
    w.f32(alpha);
}
