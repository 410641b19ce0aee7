//! The worst mistakes as pictures: what was found where nothing is, and what was not found.

use shuffledet_core::labels::Label;
use shuffledet_core::{BBox, Detection, Labels, PixelRect};
use shuffledet_eval::{AccuracySettings, ImageRecord, mistakes};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder};

use crate::data::Picture;
use crate::measure::{Evaluator, Measured};

/// The most pictures of each kind.
const MOST: usize = 12;
/// The longest side of a picture in pixels.
const SIDE: u32 = 220;

/// A part of a picture with the box that it is about.
pub struct MistakePicture {
    pub caption: String,
    /// A whole JPEG file.
    pub jpeg: Vec<u8>,
}

/// Returns the false detections with the highest scores, and the largest missed objects.
pub fn worst(measured: &Measured, evaluator: &Evaluator) -> [Vec<MistakePicture>; 2] {
    let records: Vec<&ImageRecord> = measured.records.iter().collect();
    let found = mistakes(
        evaluator.categories(),
        &records,
        &AccuracySettings::default(),
    );
    // both lists have the worst first
    let false_positives = found.false_positives.iter().filter_map(|mistake| {
        let record = records.get(mistake.image as usize)?;
        let detection = record.detections.get(mistake.detection)?;
        let caption =
            |name: &str| format!("{name} {:.2} in {}", mistake.score, record.source.title());
        picture(
            evaluator,
            record,
            detection.category_id,
            detection.bbox,
            caption,
        )
    });
    let misses = found.misses.iter().filter_map(|miss| {
        let record = records.get(miss.image as usize)?;
        let object = record.objects.get(miss.object)?;
        let caption = |name: &str| format!("{name}, missed, in {}", record.source.title());
        picture(evaluator, record, object.category_id, object.bbox, caption)
    });
    [
        false_positives.take(MOST).collect(),
        misses.take(MOST).collect(),
    ]
}

/// Draws a box with its surroundings; `None` if the picture cannot be read.
fn picture(
    evaluator: &Evaluator,
    record: &ImageRecord,
    category: u64,
    [x, y, width, height]: [f64; 4],
    caption: impl Fn(&str) -> String,
) -> Option<MistakePicture> {
    let class = usize::try_from(category.checked_sub(1)?).ok()?;
    let name = &evaluator.categories().get(class)?.name;
    let sample = evaluator.samples().get(record.index as usize)?;
    let picture = Picture::read(&sample.path, &mut ImageDecoder::new()).ok()?;
    let (across, down) = picture.size();
    let margin = width.max(height).max(24.0);
    let from = |at: f64, most: u32| (at - margin).clamp(0.0, f64::from(most - 1)) as u32;
    let to = |at: f64, least: u32, most: u32| {
        (at + margin).clamp(f64::from(least + 1), f64::from(most)) as u32
    };
    let (left, top) = (from(x, across), from(y, down));
    let part = PixelRect {
        left,
        top,
        width: to(x + width, left, across) - left,
        height: to(y + height, top, down) - top,
    };
    let view = picture.view().part(part)?;
    let bbox = BBox {
        x1: x as f32 - left as f32,
        y1: y as f32 - top as f32,
        x2: (x + width) as f32 - left as f32,
        y2: (y + height) as f32 - top as f32,
    };
    let labels = Labels::new(vec![Label {
        name: name.clone(),
        category_id: 1,
    }])
    .ok()?;
    let detection = Detection::new(0, 1.0, bbox);
    let drawn = shuffledet_image::draw::annotate(&view, &[detection], &labels, SIDE).ok()?;
    let jpeg = JpegEncoder::new(80)
        .ok()?
        .encode(&BgrView::from_mat(&drawn)?)
        .ok()?;
    Some(MistakePicture {
        caption: caption(name),
        jpeg,
    })
}
