//! Precision over recall of one class, and the figures that are read off it.

use super::matching::{CategoryMatches, IOU_THRESHOLDS, OPERATING, RankedDetection};

/// Recalls at which precision is taken: 0, 0.01, ... 1.
const RECALLS: usize = 101;

/// After some detection that found an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// How many objects have been found so far.
    pub found: u32,
    /// How many of the detections so far found one.
    pub precision: f64,
}

/// How many objects must be found for each of the recalls.
pub(super) struct Recalls {
    needed: [u32; RECALLS],
}

impl Recalls {
    /// Prepares for `objects` that count, at least one.
    pub fn new(objects: u32) -> Self {
        let mut found = 1;
        let needed = std::array::from_fn(|step| {
            // the products of numpy.linspace(0, 1, 101), to the last bit
            while found < objects && f64::from(found) / f64::from(objects) < step as f64 * 0.01 {
                found += 1;
            }
            found
        });
        Self { needed }
    }

    /// Returns the best precision at each recall or a higher one; 0 if no point has such a recall.
    pub fn curve(&self, points: &[Point]) -> [f64; RECALLS] {
        let mut curve = [0.0; RECALLS];
        let mut best = 0.0_f64;
        let mut left = points;
        for (precision, &needed) in curve.iter_mut().zip(&self.needed).rev() {
            while let Some((last, rest)) = left.split_last()
                && last.found >= needed
            {
                best = best.max(last.precision);
                left = rest;
            }
            *precision = best;
        }
        curve
    }

    /// Returns the mean of that curve.
    pub fn average_precision(&self, points: &[Point]) -> f64 {
        self.curve(points).iter().sum::<f64>() / RECALLS as f64
    }
}

/// Returns the points of a class in a range of areas at a threshold.
fn points(detections: &[RankedDetection], area: usize, threshold: usize) -> Vec<Point> {
    let (mut found, mut wrong) = (0_u32, 0_u32);
    let mut points = Vec::new();
    for flags in detections.iter().map(|d| d.matches[area]) {
        if flags.is_hit(threshold) {
            found += 1;
            let precision = f64::from(found) / (f64::from(found) + f64::from(wrong));
            points.push(Point { found, precision });
        } else if !flags.is_ignored(threshold) {
            wrong += 1;
        }
    }
    points
}

/// Returns the average precision at each of COCO's thresholds; `None` if no object counts.
pub(super) fn average_precisions(
    class: &CategoryMatches,
    area: usize,
) -> Option<[f64; IOU_THRESHOLDS]> {
    let objects = class.counting(area);
    let recalls = (objects > 0).then(|| Recalls::new(objects))?;
    let at = |threshold| recalls.average_precision(&points(&class.detections, area, threshold));
    Some(std::array::from_fn(at))
}

/// Returns the precision at the 101 recalls at the operating IoU; empty if no object counts.
pub(super) fn operating_curve(class: &CategoryMatches) -> Vec<f64> {
    match class.counting(0) {
        0 => Vec::new(),
        objects => Recalls::new(objects)
            .curve(&points(&class.detections, 0, OPERATING))
            .to_vec(),
    }
}

/// Returns the recall with the best `max_detections` of each image, averaged over COCO's
/// thresholds; `None` if no object counts.
pub(super) fn average_recall(
    class: &CategoryMatches,
    area: usize,
    max_detections: usize,
) -> Option<f64> {
    let objects = class.counting(area);
    let allowed = class
        .detections
        .iter()
        .filter(|d| (d.rank as usize) < max_detections);
    let hits: u32 = allowed.map(|d| d.matches[area].hits()).sum();
    (objects > 0).then(|| f64::from(hits) / f64::from(objects) / IOU_THRESHOLDS as f64)
}

/// What a score threshold gives.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct AtThreshold {
    /// Detections that score more count.
    pub threshold: f64,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

/// Returns the score threshold with the best F1 at the operating IoU, the highest of equal ones.
/// All values are 0 if nothing is found. Returns `None` if no object counts.
///
/// The threshold is halfway to the next score below, so that it selects the same detections whether
/// or not it includes the score itself.
pub(super) fn best_threshold(class: &CategoryMatches) -> Option<AtThreshold> {
    let objects = class.counting(0);
    let mut best = (objects > 0).then(AtThreshold::default)?;
    let (mut found, mut counted) = (0_u32, 0_u32);
    let mut rest = class.detections.as_slice();
    while let Some(first) = rest.first() {
        // a threshold cannot part equal scores
        let (equal, below) = rest.split_at(rest.partition_point(|d| d.score >= first.score).max(1));
        for flags in equal.iter().map(|d| d.matches[0]) {
            found += u32::from(flags.is_hit(OPERATING));
            counted += u32::from(!flags.is_ignored(OPERATING));
        }
        rest = below;
        let f1 = 2.0 * f64::from(found) / f64::from(counted + objects);
        if f1 > best.f1 {
            let next = below.first().map_or(0.0, |d| d.score);
            best = AtThreshold {
                threshold: (first.score + next) / 2.0,
                precision: f64::from(found) / f64::from(counted),
                recall: f64::from(found) / f64::from(objects),
                f1,
            };
        }
    }
    Some(best)
}
