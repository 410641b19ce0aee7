//! What became of each detection and object of an image at one score threshold and one IoU.
//!
//! Other than in average precision, a detection may take an object of another class: that is a confusion.

use std::collections::HashMap;

use super::matching::{by_score, iou, overlap, positions};
use super::record::{Category, ImageRecord};
use super::settings::AccuracySettings;

/// What a detection found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DetectionMatch {
    /// An object of its class.
    TruePositive,
    /// An object of another class, by position in the record.
    OtherClass(usize),
    /// Something of its class that does not count.
    Ignored,
    /// Nothing that was still free.
    FalsePositive,
}

/// A detection above the score threshold.
#[derive(Debug, Clone, Copy)]
pub(super) struct JudgedDetection {
    /// Position in the record.
    pub at: usize,
    /// Position among the categories.
    pub class: usize,
    pub matched: DetectionMatch,
}

/// An object that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct JudgedObject {
    /// Position in the record.
    pub at: usize,
    /// Position among the categories.
    pub class: usize,
    /// The detection that took it, of whatever class: its position in the record and that class.
    pub found_by: Option<(usize, usize)>,
}

impl JudgedObject {
    /// Whether the object was found with its own class.
    pub fn is_hit(&self) -> bool {
        self.found_by.is_some_and(|(_, class)| class == self.class)
    }
}

/// An image at the operating point.
pub(super) struct JudgedImage {
    /// Best score first.
    pub detections: Vec<JudgedDetection>,
    pub objects: Vec<JudgedObject>,
}

/// Judges images one by one.
pub(super) struct OperatingPoint {
    positions: HashMap<u64, usize>,
    pub iou: f64,
    pub score: f64,
}

impl OperatingPoint {
    pub fn new(categories: &[Category], settings: &AccuracySettings) -> Self {
        Self {
            positions: positions(categories),
            iou: settings.operating_iou.min(1.0 - 1e-10),
            score: settings.operating_score,
        }
    }

    /// Matches detections to objects, the best score first. A detection takes the object of its
    /// class that it overlaps most, if it overlaps enough. If there is none, it is ignored if it is
    /// on something that does not count. Otherwise it takes an object of another class.
    pub fn judge(&self, record: &ImageRecord) -> JudgedImage {
        let class_of = |id: u64| self.positions.get(&id).copied();
        let objects = record.objects.iter().enumerate();
        let mut objects: Vec<_> = objects
            .filter(|(_, object)| !object.iscrowd && !object.ignore)
            .filter_map(|(at, object)| {
                Some(JudgedObject {
                    at,
                    class: class_of(object.category_id)?,
                    found_by: None,
                })
            })
            .collect();
        let found = record.detections.iter().enumerate();
        let mut detections: Vec<_> = found
            .filter(|(_, found)| found.score > self.score)
            .filter_map(|(at, found)| {
                Some(JudgedDetection {
                    at,
                    class: class_of(found.category_id)?,
                    matched: DetectionMatch::FalsePositive,
                })
            })
            .collect();
        let score = |d: &JudgedDetection| record.detections[d.at].score;
        detections.sort_by(|a, b| by_score(score(a), score(b)));
        for detection in &mut detections {
            detection.matched = self.take(record, detection, &mut objects);
        }
        JudgedImage {
            detections,
            objects,
        }
    }

    fn take(
        &self,
        record: &ImageRecord,
        detection: &JudgedDetection,
        objects: &mut [JudgedObject],
    ) -> DetectionMatch {
        let found = &record.detections[detection.at];
        let best_free = |own_class: bool| {
            let candidates = objects.iter().enumerate().filter(|(_, object)| {
                object.found_by.is_none() && (object.class == detection.class) == own_class
            });
            candidates
                .map(|(at, object)| (at, iou(&found.bbox, &record.objects[object.at].bbox, false)))
                .filter(|&(_, iou)| iou >= self.iou)
                .max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let ignored = || {
            record.objects.iter().any(|object| {
                (object.iscrowd || object.ignore)
                    && object.category_id == found.category_id
                    && overlap(&found.bbox, object) >= self.iou
            })
        };
        let taken = match best_free(true) {
            None if ignored() => return DetectionMatch::Ignored,
            own => own.or_else(|| best_free(false)),
        };
        let Some((taken, _)) = taken else {
            return DetectionMatch::FalsePositive;
        };
        let object = &mut objects[taken];
        object.found_by = Some((detection.at, detection.class));
        if object.is_hit() {
            DetectionMatch::TruePositive
        } else {
            DetectionMatch::OtherClass(object.at)
        }
    }
}
