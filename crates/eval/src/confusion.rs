//! What was taken for what, and which detections and objects that concerns.

use serde::{Deserialize, Serialize};

use super::matching::{by_score, iou};
use super::operating_point::{
    DetectionMatch, JudgedDetection, JudgedImage, JudgedObject, OperatingPoint,
};
use super::record::{Category, ImageRecord};
use super::settings::AccuracySettings;

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

/// Returns the confusion matrix. Each detection, the best score first, matches the object that it
/// overlaps most; an object of its own class takes precedence. Crowds and ignored objects of its
/// class excuse it.
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
            if detection.matched == DetectionMatch::FalsePositive {
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

/// Returns every false positive and every miss, the worst first. Objects and detections of unknown
/// categories are neither.
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

/// Returns the reason why a detection is wrong, and the object concerned; `None` if the detection
/// is not wrong.
fn why_wrong(
    record: &ImageRecord,
    judged: &JudgedImage,
    detection: &JudgedDetection,
    point: &OperatingPoint,
) -> Option<(FalsePositiveReason, Option<usize>)> {
    match detection.matched {
        DetectionMatch::TruePositive | DetectionMatch::Ignored => return None,
        DetectionMatch::OtherClass(object) => {
            return Some((FalsePositiveReason::Confusion, Some(object)));
        }
        DetectionMatch::FalsePositive => {}
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

/// Returns the reason why an object is missed, and the detection concerned.
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
            && detection.matched != DetectionMatch::TruePositive
            && overlap(detection.at) >= BAD_FIT_IOU
    });
    match near.max_by(|a, b| overlap(a.at).total_cmp(&overlap(b.at))) {
        Some(detection) => (MissReason::Localisation, Some(detection.at)),
        None => (MissReason::NotFound, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Object;
    use crate::fixtures::{category, found, image, object};

    const HERE: [f64; 4] = [0.0, 0.0, 100.0, 100.0];
    const THERE: [f64; 4] = [300.0, 0.0, 100.0, 100.0];
    const NOWHERE: [f64; 4] = [0.0, 600.0, 100.0, 100.0];
    /// Overlaps HERE by a third, THERE not at all.
    const BESIDE: [f64; 4] = [50.0, 0.0, 100.0, 100.0];

    fn classes() -> Vec<Category> {
        vec![category(1), category(2)]
    }

    fn both(record: &ImageRecord) -> (Vec<Vec<u64>>, Mistakes) {
        let settings = AccuracySettings::default();
        (
            confusion(&classes(), &[record], &settings).counts,
            mistakes(&classes(), &[record], &settings),
        )
    }

    fn wrong(mistakes: &Mistakes) -> Vec<(usize, FalsePositiveReason, Option<usize>)> {
        let all = mistakes.false_positives.iter();
        all.map(|f| (f.detection, f.reason, f.object)).collect()
    }

    fn missed(mistakes: &Mistakes) -> Vec<(usize, MissReason, Option<usize>)> {
        let all = mistakes.misses.iter();
        all.map(|m| (m.object, m.reason, m.detection)).collect()
    }

    #[test]
    fn a_class_taken_for_another_is_one_entry_of_the_matrix_and_two_mistakes() {
        let record = image(1, vec![object(1, HERE)], vec![found(2, HERE, 0.9)]);
        let (counts, mistakes) = both(&record);
        assert_eq!(counts, [[0, 1, 0], [0, 0, 0], [0, 0, 0]]);
        assert_eq!(
            wrong(&mistakes),
            [(0, FalsePositiveReason::Confusion, Some(0))]
        );
        assert_eq!(missed(&mistakes), [(0, MissReason::Confusion, Some(0))]);
    }

    #[test]
    fn every_kind_of_false_positive_is_told_apart() {
        let record = image(
            1,
            vec![object(1, HERE), object(2, THERE)],
            vec![
                found(1, HERE, 0.9),
                found(2, THERE, 0.8),
                found(1, HERE, 0.7),
                found(1, BESIDE, 0.6),
                found(1, NOWHERE, 0.5),
                found(1, THERE, 0.4),
                found(1, NOWHERE, 0.1),
            ],
        );
        let (counts, mistakes) = both(&record);
        assert_eq!(counts, [[1, 0, 0], [0, 1, 0], [4, 0, 0]]);
        use FalsePositiveReason::{Background, Confusion, Duplicate, Localisation};
        assert_eq!(
            wrong(&mistakes),
            [
                (2, Duplicate, Some(0)),
                (3, Localisation, Some(0)),
                (4, Background, None),
                (5, Confusion, Some(1)),
            ]
        );
        assert_eq!(mistakes.misses, []);
    }

    #[test]
    fn every_kind_of_miss_is_told_apart() {
        let large = [0.0, 600.0, 300.0, 300.0];
        let record = image(
            1,
            vec![object(1, HERE), object(2, THERE), object(1, large)],
            vec![found(1, BESIDE, 0.6), found(2, THERE, 0.2)],
        );
        let (counts, mistakes) = both(&record);
        assert_eq!(counts, [[0, 0, 2], [0, 0, 1], [1, 0, 0]]);
        use MissReason::{Localisation, LowScore, NotFound};
        assert_eq!(
            missed(&mistakes),
            [
                (2, NotFound, None),
                (0, Localisation, Some(0)),
                (1, LowScore, Some(1))
            ]
        );
    }

    #[test]
    fn its_own_class_is_taken_before_a_better_fit() {
        // a rider and a bicycle: each box fits the other's object a little better
        let rider = [0.0, 0.0, 100.0, 100.0];
        let bicycle = [0.0, 4.0, 100.0, 100.0];
        let record = image(
            1,
            vec![object(1, rider), object(2, bicycle)],
            vec![found(1, bicycle, 0.9), found(2, rider, 0.8)],
        );
        assert_eq!(both(&record).0, [[1, 0, 0], [0, 1, 0], [0, 0, 0]]);
    }

    #[test]
    fn what_does_not_count_excuses_its_class() {
        let crowd = Object {
            iscrowd: true,
            ..object(1, [0.0, 0.0, 1000.0, 1000.0])
        };
        let record = image(
            1,
            vec![crowd],
            vec![
                found(1, HERE, 0.9),
                found(1, THERE, 0.8),
                found(2, HERE, 0.7),
            ],
        );
        let (counts, mistakes) = both(&record);
        assert_eq!(counts, [[0, 0, 0], [0, 0, 0], [0, 1, 0]]);
        assert_eq!(
            wrong(&mistakes),
            [(2, FalsePositiveReason::Background, None)]
        );
    }

    proptest! {
        #[test]
        fn every_object_is_in_its_row_once(
            objects in prop::collection::vec((1_u64..3, 0_u8..40), 0..8),
            detections in prop::collection::vec((1_u64..3, 0_u8..40, 0_u8..100), 0..12),
        ) {
            let bbox = |at: u8| [f64::from(at) * 10.0, 0.0, 60.0, 60.0];
            let record = image(
                1,
                objects.iter().map(|&(class, at)| object(class, bbox(at))).collect(),
                detections
                    .iter()
                    .map(|&(class, at, score)| found(class, bbox(at), f64::from(score) / 100.0))
                    .collect(),
            );
            let (counts, mistakes) = both(&record);
            for class in 0..2 {
                let there = objects.iter().filter(|o| o.0 == class as u64 + 1).count();
                prop_assert_eq!(counts[class].iter().sum::<u64>(), there as u64);
                let shown = detections.iter().filter(|d| d.0 == class as u64 + 1 && d.2 > 25).count();
                prop_assert_eq!(counts.iter().map(|row| row[class]).sum::<u64>(), shown as u64);
            }
            let right = counts[0][0] + counts[1][1];
            prop_assert_eq!(mistakes.misses.len() as u64, objects.len() as u64 - right);
        }
    }
}
