//! Parts of images with boxes drawn in, for the reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use opencv::core::{Mat, Point, Rect, Scalar, Size};
use opencv::imgproc;
use thiserror::Error;

use super::images::{Images, MessageReader, NextImage};
use shuffledet_bag::BagError;
use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};
use shuffledet_detector::pipeline::{Frame, worker::decode};
use shuffledet_eval::{ImageSource, image_path};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder};
use shuffledet_report::mistakes::{PictureFiles, PictureRequest};

/// Of the pictures, in pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 280.0;
const JPEG_QUALITY: i32 = 82;

/// Why there are no pictures.
#[derive(Debug, Error)]
pub enum PictureError {
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
}

/// Draws what is wanted, as far as its images can be had: none of it where there are no `images`.
///
/// # Errors
/// The recording cannot be read, or OpenCV or libjpeg-turbo fail.
pub fn draw(
    wanted: &[&PictureRequest<'_>],
    images: Option<&Images>,
) -> Result<PictureFiles, PictureError> {
    let mut pictures = BTreeMap::new();
    let mut encoder = JpegEncoder::new(JPEG_QUALITY).map_err(DecodeError::from)?;
    let mut decoder = ImageDecoder::new();
    let mut draw = |index: u64, image: &BgrView<'_>| {
        for (at, wanted) in wanted.iter().enumerate() {
            if wanted.record.index == index {
                pictures.insert(at, picture(image, wanted, &mut encoder)?);
            }
        }
        Ok::<(), PictureError>(())
    };
    let sources: BTreeMap<u64, &ImageSource> = wanted
        .iter()
        .map(|wanted| (wanted.record.index, &wanted.record.source))
        .collect();
    match images {
        None => {}
        Some(Images::Folder(folder)) => {
            let files = sources
                .into_iter()
                .filter_map(|(index, source)| match source {
                    ImageSource::File { file_name } => {
                        Some((index, image_path(folder, file_name).ok()?))
                    }
                    ImageSource::Message { .. } => None,
                });
            let files: Vec<(u64, PathBuf)> = files.collect();
            for (index, path) in files {
                let Ok(bytes) = bounded_file::read(&path, PICTURE_LIMIT) else {
                    continue;
                };
                if let Ok(image) = decoder.decode_file(&bytes) {
                    draw(index, &image)?;
                }
            }
        }
        Some(Images::Recording(recording)) => {
            let mut frame = Frame::new();
            let mut messages = MessageReader::new(recording, sources)?;
            while messages.next_image(&mut frame)? == NextImage::Read {
                let image = decode(&mut decoder, frame.transport, &frame.message);
                if let (Some(index), Ok(image)) = (frame.image, image) {
                    draw(index, &image)?;
                }
            }
        }
    }
    Ok(pictures)
}

/// The part of `image` around the boxes, with them drawn in: what is annotated blue, what was found orange.
fn picture(
    image: &BgrView<'_>,
    wanted: &PictureRequest<'_>,
    encoder: &mut JpegEncoder,
) -> Result<Vec<u8>, PictureError> {
    let boxes: Vec<[f64; 4]> = wanted.object.into_iter().chain(wanted.detection).collect();
    let part = part(&boxes, f64::from(image.width()), f64::from(image.height()));
    let scale = (WIDTH / f64::from(part.width)).min(HEIGHT / f64::from(part.height));
    let size = |side: i32| (f64::from(side) * scale).round().max(1.0) as i32;
    let whole = image.to_mat()?;
    let cut = Mat::roi(&*whole, part)?;
    let mut canvas = Mat::default();
    let interpolation = if scale < 1.0 {
        imgproc::INTER_AREA
    } else {
        imgproc::INTER_CUBIC
    };
    let target = Size::new(size(part.width), size(part.height));
    imgproc::resize(&cut, &mut canvas, target, 0.0, 0.0, interpolation)?;
    const BLUE: [f64; 3] = [255.0, 190.0, 70.0];
    const ORANGE: [f64; 3] = [20.0, 130.0, 255.0];
    for (bbox, [b, g, r]) in [(wanted.object, BLUE), (wanted.detection, ORANGE)] {
        let Some([x, y, w, h]) = bbox else { continue };
        // a box may reach far beyond its image
        let at = |v: f64, origin: i32| {
            ((v - f64::from(origin)) * scale)
                .clamp(-9.0, 9999.0)
                .round() as i32
        };
        let corner = Point::new(at(x, part.x), at(y, part.y));
        let end = Point::new(at(x + w, part.x), at(y + h, part.y));
        for (colour, thickness) in [(Scalar::all(0.0), 4), (Scalar::new(b, g, r, 0.0), 2)] {
            let line = imgproc::LINE_8;
            imgproc::rectangle_points(&mut canvas, corner, end, colour, thickness, line, 0)?;
        }
    }
    let picture = BgrView::from_mat(&canvas).ok_or_else(|| DecodeError::Damaged {
        kind: "picture of a mistake",
        problem: "OpenCV gave no BGR canvas".to_owned(),
    })?;
    Ok(encoder.encode(&picture).map_err(DecodeError::from)?)
}

/// The boxes and as much again around them, within the image, in the shape of the pictures.
fn part(boxes: &[[f64; 4]], width: f64, height: f64) -> Rect {
    const LEAST: f64 = 96.0;
    let low = |axis: usize| boxes.iter().map(|b| b[axis]).fold(f64::INFINITY, f64::min);
    let high = |axis: usize| {
        let ends = boxes.iter().map(|b| b[axis] + b[axis + 2]);
        ends.fold(f64::NEG_INFINITY, f64::max)
    };
    let (w, h) = (high(0) - low(0), high(1) - low(1));
    let shape = WIDTH / HEIGHT;
    // both sides at once, so that the shape stays
    let wanted = (1.8 * w).max(1.8 * h * shape).max(LEAST * shape);
    let wanted = wanted.min(width).min(height * shape).max(1.0);
    // a box that fills its image has another shape
    let sides = [
        wanted.max(w).min(width),
        (wanted / shape).max(h).min(height),
    ];
    let begin = |axis: usize, size: f64| {
        let middle = (low(axis) + high(axis)) / 2.0;
        (middle - sides[axis] / 2.0).clamp(0.0, (size - sides[axis]).max(0.0))
    };
    let whole = |value: f64| value.floor() as i32;
    Rect::new(
        whole(begin(0, width)),
        whole(begin(1, height)),
        whole(sides[0]).max(1),
        whole(sides[1]).max(1),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_box_that_fills_its_image_is_shown_whole() {
        let part = part(&[[0.0, 0.0, 100.0, 400.0]], 100.0, 400.0);
        assert_eq!((part.x, part.y, part.width, part.height), (0, 0, 100, 400));
    }

    proptest! {
        #[test]
        fn the_part_lies_in_the_image(
            (width, height) in (1u32..4000, 1u32..4000),
            boxes in prop::collection::vec([-1e4..1e4f64, -1e4..1e4f64, 0.0..1e4f64, 0.0..1e4f64], 1..3),
        ) {
            let part = part(&boxes, f64::from(width), f64::from(height));
            prop_assert!(part.x >= 0 && part.y >= 0 && part.width > 0 && part.height > 0);
            prop_assert!(part.x + part.width <= width as i32, "{part:?}");
            prop_assert!(part.y + part.height <= height as i32, "{part:?}");
        }
    }
}
