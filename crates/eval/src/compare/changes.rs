//! Detections that appeared, vanished or moved from one run to the other.

use std::collections::HashMap;

use serde::Serialize;

use super::super::matching::iou;
use super::super::operating_point::{DetectionMatch, OperatingPoint};
use super::super::{AccuracySettings, Category, DetectionResult, ImageRecord, ImageSource};

/// Overlap from which on two detections of one class are the same one.
const SAME_IOU: f64 = 0.5;
/// Overlap below which the same one has moved.
const MOVED_IOU: f64 = 0.9;

/// What changed, over all images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changes {
    /// Detections of both runs score more than this.
    pub score_threshold: f64,
    /// The same in both runs.
    pub unchanged: usize,
    pub appeared: usize,
    /// Of those that appeared: what finds an object of its class.
    pub appeared_right: usize,
    pub vanished: usize,
    /// Of those that vanished: what found an object of its class.
    pub vanished_right: usize,
    pub moved: usize,
    /// Those with changes, the most changed first.
    pub images: Vec<ChangedImage>,
}

/// An image in which something changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedImage {
    #[serde(flatten)]
    pub source: ImageSource,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    pub changes: Vec<Change>,
}

/// What became of a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// In B alone.
    Appeared,
    /// In A alone.
    Vanished,
    /// In both, with boxes that overlap by less than 0.9.
    Moved,
}

/// One detection that is not the same in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub kind: ChangeKind,
    /// The category's name.
    pub class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Side>,
}

/// The detection in one of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Side {
    pub score: f64,
    /// Left, top, width, height in pixels of the image.
    pub bbox: [f64; 4],
    /// Whether it finds an object of its class at IoU 0.5.
    pub right: bool,
}

/// A detection above the threshold.
struct JudgedDetection<'a> {
    found: &'a DetectionResult,
    right: bool,
    /// Whether its counterpart was found.
    paired: bool,
}

impl JudgedDetection<'_> {
    fn side(&self) -> Side {
        Side {
            score: self.found.score,
            bbox: self.found.bbox,
            right: self.right,
        }
    }
}

/// Compares image by image; the two have the same images in the same order.
pub(super) fn changes(
    categories: &[Category],
    a: &[&ImageRecord],
    b: &[&ImageRecord],
    score_threshold: f64,
) -> Changes {
    let settings = AccuracySettings {
        operating_iou: SAME_IOU,
        operating_score: score_threshold,
        ..AccuracySettings::default()
    };
    let point = OperatingPoint::new(categories, &settings);
    let names: HashMap<u64, &str> = categories.iter().map(|c| (c.id, c.name.as_str())).collect();
    let mut all = Changes {
        score_threshold,
        unchanged: 0,
        appeared: 0,
        appeared_right: 0,
        vanished: 0,
        vanished_right: 0,
        moved: 0,
        images: Vec::new(),
    };
    for (a, b) in a.iter().zip(b) {
        let (mut of_a, mut of_b) = (seen(a, &point), seen(b, &point));
        let changes = all.count(&mut of_a, &mut of_b, &names);
        if !changes.is_empty() {
            all.images.push(ChangedImage {
                source: b.source.clone(),
                width: b.width,
                height: b.height,
                changes,
            });
        }
    }
    // stable: equals stay in the order of the data set
    all.images
        .sort_by_key(|image| std::cmp::Reverse(image.changes.len()));
    all
}

fn seen<'a>(record: &'a ImageRecord, point: &OperatingPoint) -> Vec<JudgedDetection<'a>> {
    let judged = point.judge(record).detections.into_iter();
    judged
        .map(|detection| JudgedDetection {
            found: &record.detections[detection.at],
            right: detection.matched == DetectionMatch::TruePositive,
            paired: false,
        })
        .collect()
}

impl Changes {
    fn count(
        &mut self,
        a: &mut [JudgedDetection<'_>],
        b: &mut [JudgedDetection<'_>],
        names: &HashMap<u64, &str>,
    ) -> Vec<Change> {
        let change = |kind, a: Option<&JudgedDetection<'_>>, b: Option<&JudgedDetection<'_>>| {
            let class = a.or(b).and_then(|seen| names.get(&seen.found.category_id));
            Change {
                kind,
                class: class.copied().unwrap_or_default().to_owned(),
                a: a.map(JudgedDetection::side),
                b: b.map(JudgedDetection::side),
            }
        };
        let mut changes = Vec::new();
        for (at_a, at_b, iou) in pairs(a, b) {
            let (a, b) = (&mut a[at_a], &mut b[at_b]);
            if a.paired || b.paired {
                continue;
            }
            (a.paired, b.paired) = (true, true);
            if iou < MOVED_IOU {
                self.moved += 1;
                changes.push(change(ChangeKind::Moved, Some(a), Some(b)));
            } else {
                self.unchanged += 1;
            }
        }
        for gone in a.iter().filter(|seen| !seen.paired) {
            self.vanished += 1;
            self.vanished_right += usize::from(gone.right);
            changes.push(change(ChangeKind::Vanished, Some(gone), None));
        }
        for new in b.iter().filter(|seen| !seen.paired) {
            self.appeared += 1;
            self.appeared_right += usize::from(new.right);
            changes.push(change(ChangeKind::Appeared, None, Some(new)));
        }
        changes
    }
}

/// Positions of detections of one class that overlap enough, the best fit first.
fn pairs(a: &[JudgedDetection<'_>], b: &[JudgedDetection<'_>]) -> Vec<(usize, usize, f64)> {
    let mut pairs = Vec::new();
    for (at_a, one) in a.iter().enumerate() {
        for (at_b, other) in b.iter().enumerate() {
            let (one, other) = (one.found, other.found);
            let iou = iou(&one.bbox, &other.bbox, false);
            if one.category_id == other.category_id && iou >= SAME_IOU {
                pairs.push((at_a, at_b, iou));
            }
        }
    }
    pairs.sort_by(|p, q| q.2.total_cmp(&p.2));
    pairs
}
