//! Draws boxes and labels on an image.

use opencv::core::{Mat, MatTraitConst, Point, Rect, Scalar, Size};
use opencv::imgproc;

use super::BgrView;
use shuffledet_core::Detection;
use shuffledet_core::Labels;

const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;

/// Returns a copy of `image`, at most `max_width` pixels wide.
pub fn shrunk(image: &BgrView<'_>, max_width: u32) -> opencv::Result<Mat> {
    let scale = (f64::from(max_width) / f64::from(image.width())).min(1.0);
    let mut canvas = Mat::default();
    if scale < 1.0 {
        let height = (f64::from(image.height()) * scale).round().max(1.0) as i32;
        let size = Size::new(max_width as i32, height);
        imgproc::resize(
            &*image.to_mat()?,
            &mut canvas,
            size,
            0.0,
            0.0,
            imgproc::INTER_AREA,
        )?;
    } else {
        image.to_mat()?.copy_to(&mut canvas)?;
    }
    Ok(canvas)
}

/// Returns a copy of `image`, at most `max_width` pixels wide, with its detections drawn.
pub fn annotate(
    image: &BgrView<'_>,
    detections: &[Detection],
    labels: &Labels,
    max_width: u32,
) -> opencv::Result<Mat> {
    let mut canvas = shrunk(image, max_width)?;
    let scale = f64::from(canvas.cols()) / f64::from(image.image_size().0);
    // 2 px lines and 0.5 text at 1000 px; both scale with the image
    let weight = f64::from(canvas.cols().max(canvas.rows())) / 1000.0;
    // the highest score last, so that its label is on top
    for detection in detections.iter().rev() {
        draw(
            &mut canvas,
            detection,
            labels.name(detection.class_id),
            scale,
            weight,
        )?;
    }
    Ok(canvas)
}

fn draw(
    canvas: &mut Mat,
    detection: &Detection,
    label: &str,
    scale: f64,
    weight: f64,
) -> opencv::Result<()> {
    let thickness = (2.0 * weight).round().max(1.0) as i32;
    let font_scale = (0.5 * weight).max(0.3);
    let colour = colour(detection.class_id);
    let bbox = detection.bbox;
    let at = |v: f32| (f64::from(v) * scale).round() as i32;
    let (left, top) = (at(bbox.x1), at(bbox.y1));
    let rect = Rect::new(left, top, at(bbox.x2) - left, at(bbox.y2) - top);
    imgproc::rectangle(canvas, rect, colour, thickness, imgproc::LINE_8, 0)?;

    let text = format!("{label} {:.2}", detection.score);
    let mut baseline = 0;
    let size = imgproc::get_text_size(&text, FONT, font_scale, 1, &mut baseline)?;
    let tag_height = size.height + baseline + 2;
    // above the box if there is space, otherwise inside it
    let tag_top = if top >= tag_height {
        top - tag_height
    } else {
        top
    };
    let tag = Rect::new(left, tag_top, size.width + 4, tag_height);
    imgproc::rectangle(canvas, tag, colour, imgproc::FILLED, imgproc::LINE_8, 0)?;
    let origin = Point::new(left + 2, tag_top + size.height + 1);
    let black = Scalar::all(0.0);
    imgproc::put_text(
        canvas,
        &text,
        origin,
        FONT,
        font_scale,
        black,
        1,
        imgproc::LINE_AA,
        false,
    )
}

/// Returns the class's BGR colour.
fn colour(class_id: usize) -> Scalar {
    let [r, g, b] = class_colour(class_id).map(f64::from);
    Scalar::new(b, g, r, 0.0)
}

/// Returns a light colour for black text as red, green, blue, the same for a class in every image.
pub fn class_colour(class_id: usize) -> [u8; 3] {
    const PALETTE: [[u8; 3]; 8] = [
        [255, 204, 102],
        [140, 230, 120],
        [110, 190, 255],
        [255, 160, 200],
        [235, 235, 110],
        [150, 220, 255],
        [255, 170, 150],
        [180, 240, 190],
    ];
    PALETTE[class_id % PALETTE.len()]
}
