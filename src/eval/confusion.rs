//! What was taken for what, and which detections and objects that concerns.

use serde::{Deserialize, Serialize};

use super::accuracy::AccuracySettings;
use super::matching::{by_score, iou};
use super::operating_point::{Fate, JudgedDetection, JudgedImage, JudgedObject, OperatingPoint};
use super::record::{Category, ImageRecord};

/// Overlap from which on a box counts as a bad fit rather than as something else.
const BAD_FIT_IOU: f64 = 0.1;

/// How often an object of one class was found as each of the classes, at the operating point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    pub score_threshold: f64,
    pub iou: f64,
    /// Names of rows and columns: the classes, then `background`.
    pub labels: Vec<String>,
    /// `counts[truth][found]`. The last row is what was found where nothing is, the last column what was missed.
    pub counts: Vec<Vec<u64>>,
}

/// Why a detection is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FalsePositiveReason {
    /// The object was found already, by a detection with a better score.
    Duplicate,
    /// An object of the class is there, but the box fits it badly.
    Localisation,
    /// The object is of another class.
    Confusion,
    /// Nothing is there.
    Background,
}

/// A wrong detection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FalsePositive {
    /// [`ImageRecord::index`].
    pub image: u64,
    /// Position in [`ImageRecord::detections`].
    pub detection: usize,
    pub score: f64,
    pub reason: FalsePositiveReason,
    /// Position in [`ImageRecord::objects`] of what it was mistaken for or fits badly; none in the background.
    pub object: Option<usize>,
}

/// Why an object was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissReason {
    /// A detection of its class fits it, but does not score enough.
    LowScore,
    /// A detection of its class is there, but its box fits badly.
    Localisation,
    /// It was found as another class.
    Confusion,
    /// Nothing was found there.
    NotFound,
}

/// An object that was not found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// [`ImageRecord::index`].
    pub image: u64,
    /// Position in [`ImageRecord::objects`].
    pub object: usize,
    pub reason: MissReason,
    /// Position in [`ImageRecord::detections`] of what speaks for the reason; none where nothing was found.
    pub detection: Option<usize>,
}

/// What went wrong at the operating point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mistakes {
    /// Best score first.
    pub false_positives: Vec<FalsePositive>,
    /// Largest object first.
    pub misses: Vec<Miss>,
}

/// The confusion matrix. A detection, best score first, takes the object that it overlaps most, of its own class before
/// any other; crowds and ignored objects of its class excuse it.
pub fn confusion(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Confusion {
    let point = OperatingPoint::new(categories, settings);
    let background = categories.len();
    let mut counts = vec![vec![0; background + 1]; background + 1];
    for record in images {
        let judged = point.judge(record);
        for object in &judged.objects {
            let found = object.found_by.map_or(background, |(_, class)| class);
            counts[object.class][found] += 1;
        }
        for detection in &judged.detections {
            if detection.fate == Fate::Wrong {
                counts[background][detection.class] += 1;
            }
        }
    }
    let names = categories.iter().map(|category| category.name.clone());
    Confusion {
        score_threshold: settings.operating_score,
        iou: settings.operating_iou,
        labels: names.chain(["background".to_owned()]).collect(),
        counts,
    }
}

/// Every false positive and every miss, the worst first. Objects and detections of unknown categories are neither.
pub fn mistakes(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Mistakes {
    let point = OperatingPoint::new(categories, settings);
    let mut false_positives = Vec::new();
    let mut misses = Vec::new();
    for record in images {
        let judged = point.judge(record);
        for detection in &judged.detections {
            if let Some((reason, object)) = why_wrong(record, &judged, detection, &point) {
                false_positives.push(FalsePositive {
                    image: record.index,
                    detection: detection.at,
                    score: record.detections[detection.at].score,
                    reason,
                    object,
                });
            }
        }
        for object in judged.objects.iter().filter(|object| !object.is_hit()) {
            let (reason, detection) = why_missed(record, &judged, object, &point);
            let miss = Miss {
                image: record.index,
                object: object.at,
                reason,
                detection,
            };
            misses.push((record.objects[object.at].area, miss));
        }
    }
    false_positives.sort_by(|a, b| by_score(a.score, b.score));
    misses.sort_by(|a, b| by_score(a.0, b.0));
    Mistakes {
        false_positives,
        misses: misses.into_iter().map(|(_, miss)| miss).collect(),
    }
}

/// The reason, and the object that it is about; `None` for a detection that is not wrong.
fn why_wrong(
    record: &ImageRecord,
    judged: &JudgedImage,
    detection: &JudgedDetection,
    point: &OperatingPoint,
) -> Option<(FalsePositiveReason, Option<usize>)> {
    match detection.fate {
        Fate::Hit | Fate::Excused => return None,
        Fate::Confused(object) => return Some((FalsePositiveReason::Confusion, Some(object))),
        Fate::Wrong => {}
    }
    let bbox = &record.detections[detection.at].bbox;
    let best = |own_class: bool, least: f64| {
        let objects = judged.objects.iter();
        objects
            .filter(|object| (object.class == detection.class) == own_class)
            .map(|object| (object.at, iou(bbox, &record.objects[object.at].bbox, false)))
            .filter(|&(_, iou)| iou >= least)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(at, _)| at)
    };
    let reasons = [
        (FalsePositiveReason::Duplicate, best(true, point.iou)),
        (FalsePositiveReason::Confusion, best(false, point.iou)),
        (FalsePositiveReason::Localisation, best(true, BAD_FIT_IOU)),
    ];
    let first = reasons.into_iter().find(|(_, object)| object.is_some());
    Some(first.unwrap_or((FalsePositiveReason::Background, None)))
}

/// The reason, and the detection that it is about.
fn why_missed(
    record: &ImageRecord,
    judged: &JudgedImage,
    object: &JudgedObject,
    point: &OperatingPoint,
) -> (MissReason, Option<usize>) {
    if let Some((detection, _)) = object.found_by {
        return (MissReason::Confusion, Some(detection));
    }
    let truth = &record.objects[object.at];
    let overlap = |at: usize| iou(&record.detections[at].bbox, &truth.bbox, false);
    let low = record.detections.iter().enumerate().filter(|(at, found)| {
        found.category_id == truth.category_id
            && found.score <= point.score
            && overlap(*at) >= point.iou
    });
    if let Some((at, _)) = low.max_by(|a, b| by_score(b.1.score, a.1.score)) {
        return (MissReason::LowScore, Some(at));
    }
    let near = judged.detections.iter().filter(|detection| {
        detection.class == object.class
            && detection.fate != Fate::Hit
            && overlap(detection.at) >= BAD_FIT_IOU
    });
    match near.max_by(|a, b| overlap(a.at).total_cmp(&overlap(b.at))) {
        Some(detection) => (MissReason::Localisation, Some(detection.at)),
        None => (MissReason::NotFound, None),
    }
}
