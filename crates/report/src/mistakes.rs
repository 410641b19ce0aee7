//! The worst mistakes as pictures: what was found where nothing is, and what was not found.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use opencv::core::{Mat, Point, Rect, Scalar, Size};
use opencv::imgproc;
use thiserror::Error;

use shuffledet_bag::BagError;
use shuffledet_detector::pipeline::{Frame, Source, Transport};
use shuffledet_eval::{
    Evaluation, FalsePositive, FalsePositiveReason, ImageRecord, ImageSource, Miss, MissReason,
    mistakes,
};
use shuffledet_harness::run::{Images, MessageSource};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder};
use shuffledet_msg::{CompressedImageView, ImageView};

/// The most pictures of each kind, and those of them from one image.
pub(super) const MOST: usize = 12;
const MOST_OF_AN_IMAGE: usize = 2;
/// Of the pictures, in pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 280.0;
const JPEG_QUALITY: i32 = 82;

/// The pictures, the worst mistake first.
#[derive(Debug, Default)]
pub struct MistakePictures {
    pub false_positives: Vec<MistakePicture>,
    pub misses: Vec<MistakePicture>,
    /// How many of each there are in all.
    pub false_positive_count: usize,
    pub miss_count: usize,
}

/// A part of an image with the boxes that it is about.
#[derive(Debug)]
pub struct MistakePicture {
    /// What is wrong, such as `car 0.91: nothing is there`.
    pub caption: String,
    /// Which image it is from.
    pub image: String,
    /// A whole JPEG file; `None` where the image cannot be had.
    pub jpeg: Option<Vec<u8>>,
}

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

/// A picture to be made.
pub(super) struct Wanted<'a> {
    pub record: &'a ImageRecord,
    /// Drawn in orange.
    pub detection: Option<[f64; 4]>,
    /// Drawn in blue.
    pub object: Option<[f64; 4]>,
    pub caption: String,
}

/// Pictures of the worst mistakes of `evaluation`, with the pixels of `images` as far as they are there.
pub fn pictures(
    evaluation: &Evaluation,
    images: Option<&Images>,
) -> Result<MistakePictures, PictureError> {
    let categories = &evaluation.subject.dataset.categories;
    let records: BTreeMap<u64, &ImageRecord> = evaluation
        .images
        .iter()
        .map(|record| (record.index, record))
        .collect();
    let all: Vec<&ImageRecord> = evaluation.images.iter().collect();
    let found = mistakes(categories, &all, &evaluation.subject.settings.accuracy());
    let name = |id: u64| {
        let category = categories.iter().find(|category| category.id == id);
        category.map_or("?", |category| category.name.as_str())
    };
    let false_positives = worst(&found.false_positives, |mistake| mistake.image);
    let false_positives: Vec<Wanted<'_>> = false_positives
        .filter_map(|mistake| of_false_positive(mistake, records.get(&mistake.image)?, name))
        .collect();
    let misses = worst(&found.misses, |mistake| mistake.image);
    let misses: Vec<Wanted<'_>> = misses
        .filter_map(|mistake| of_miss(mistake, records.get(&mistake.image)?, name))
        .collect();

    let wanted: Vec<&Wanted<'_>> = false_positives.iter().chain(&misses).collect();
    let mut drawn = match images {
        Some(images) => draw_all(&wanted, images)?,
        None => BTreeMap::new(),
    };
    let mut picture = |(at, wanted): (usize, &Wanted<'_>)| MistakePicture {
        caption: wanted.caption.clone(),
        image: wanted.record.source.title(),
        jpeg: drawn.remove(&at),
    };
    Ok(MistakePictures {
        false_positives: false_positives
            .iter()
            .enumerate()
            .map(&mut picture)
            .collect(),
        misses: (false_positives.len()..)
            .zip(&misses)
            .map(&mut picture)
            .collect(),
        false_positive_count: found.false_positives.len(),
        miss_count: found.misses.len(),
    })
}

/// The first few, and few of one image.
fn worst<T>(mistakes: &[T], image: impl Fn(&T) -> u64) -> impl Iterator<Item = &T> {
    let mut of_image: BTreeMap<u64, usize> = BTreeMap::new();
    let few = mistakes.iter().filter(move |mistake| {
        let taken = of_image.entry(image(mistake)).or_default();
        *taken += 1;
        *taken <= MOST_OF_AN_IMAGE
    });
    few.take(MOST)
}

fn of_false_positive<'a>(
    mistake: &FalsePositive,
    record: &'a ImageRecord,
    name: impl Fn(u64) -> &'a str,
) -> Option<Wanted<'a>> {
    let detection = record.detections.get(mistake.detection)?;
    let object = mistake.object.and_then(|at| record.objects.get(at));
    let other = object.map_or("another", |object| name(object.category_id));
    let reason = match mistake.reason {
        FalsePositiveReason::Duplicate => "found already".to_owned(),
        FalsePositiveReason::Localisation => "the box fits badly".to_owned(),
        FalsePositiveReason::Confusion => format!("is annotated as {other}"),
        FalsePositiveReason::Background => "nothing is annotated there".to_owned(),
    };
    Some(Wanted {
        record,
        detection: Some(detection.bbox),
        object: object.map(|object| object.bbox),
        caption: format!(
            "{} {:.2}: {reason}",
            name(detection.category_id),
            detection.score
        ),
    })
}

fn of_miss<'a>(
    mistake: &Miss,
    record: &'a ImageRecord,
    name: impl Fn(u64) -> &'a str,
) -> Option<Wanted<'a>> {
    let object = record.objects.get(mistake.object)?;
    let detection = mistake.detection.and_then(|at| record.detections.get(at));
    let found = detection.map_or(String::new(), |detection| {
        format!("{} {:.2}", name(detection.category_id), detection.score)
    });
    let reason = match mistake.reason {
        MissReason::LowScore => format!("scores too little: {found}"),
        MissReason::Localisation => format!("the box fits badly: {found}"),
        MissReason::Confusion => format!("found as {found}"),
        MissReason::NotFound => "nothing was found there".to_owned(),
    };
    Some(Wanted {
        record,
        detection: detection.map(|detection| detection.bbox),
        object: Some(object.bbox),
        caption: format!("{}: {reason}", name(object.category_id)),
    })
}

/// By position in `wanted`; images that cannot be had are left out.
pub(super) fn draw_all(
    wanted: &[&Wanted<'_>],
    images: &Images,
) -> Result<BTreeMap<usize, Vec<u8>>, PictureError> {
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
        Images::Folder(folder) => {
            let files = sources
                .into_iter()
                .filter_map(|(index, source)| match source {
                    ImageSource::File { file_name } => Some((index, folder.join(file_name))),
                    ImageSource::Message { .. } => None,
                });
            let files: Vec<(u64, PathBuf)> = files.collect();
            for (index, path) in files {
                let Ok(bytes) = fs::read(path) else { continue };
                if let Ok(image) = decoder.decode_file(&bytes) {
                    draw(index, &image)?;
                }
            }
        }
        Images::Recording(recording) => {
            let mut frame = Frame::new();
            let mut messages = MessageSource::new(recording, sources)?;
            while messages.next_into(&mut frame)? {
                let message = &frame.message;
                let image = match frame.transport {
                    Transport::Raw => ImageView::parse(message)
                        .ok()
                        .map(|m| decoder.decode_raw(&m)),
                    Transport::Compressed => CompressedImageView::parse(message)
                        .ok()
                        .map(|m| decoder.decode_compressed(&m)),
                };
                if let Some(Ok(image)) = image {
                    draw(frame.sequence, &image)?;
                }
            }
        }
    }
    Ok(pictures)
}

/// The part of `image` around the boxes, with them drawn in: what is annotated blue, what was found orange.
fn picture(
    image: &BgrView<'_>,
    wanted: &Wanted<'_>,
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
    fn few_are_of_one_image() {
        let mistakes: Vec<u64> = [7; 20].into_iter().chain(0..30).collect();
        let chosen: Vec<u64> = worst(&mistakes, |&image| image).copied().collect();
        assert_eq!(chosen, [7, 7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
    }

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
