//! The worst mistakes as pictures: what was found where nothing is, and what was not found.

use shuffledet_core::labels::Label;
use shuffledet_core::{Labels, PixelRect};
use shuffledet_eval::{AccuracySettings, ImageRecord, mistakes};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder};

use crate::data::Picture;
use crate::measure::{Evaluator, Measured};

/// The most pictures of each kind.
const MOST: usize = 12;
/// The largest width of a picture in pixels.
const SIDE: u32 = 300;

/// A part of a picture with the box that it is about.
pub struct MistakePicture {
    pub caption: String,
    /// A whole JPEG file.
    pub jpeg: Vec<u8>,
    /// Left, top, width and height of the box, in percent of the picture.
    pub place: [f64; 4],
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

/// Cuts out a box with its surroundings; `None` if the picture cannot be read.
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
    let percent = |value: f64, whole: u32| 100.0 * value / f64::from(whole);
    let place = [
        percent(x - f64::from(left), part.width),
        percent(y - f64::from(top), part.height),
        percent(width, part.width),
        percent(height, part.height),
    ];
    let labels = Labels::new(vec![Label {
        name: name.clone(),
        category_id: 1,
    }])
    .ok()?;
    let small = shuffledet_image::draw::annotate(&view, &[], &labels, SIDE).ok()?;
    let jpeg = JpegEncoder::new(80)
        .ok()?
        .encode(&BgrView::from_mat(&small)?)
        .ok()?;
    Some(MistakePicture {
        caption: caption(name),
        jpeg,
        place,
    })
}
