//! Which detection found which object, as COCO has it: per class, image, range of areas and IoU threshold.
//!
//! The rules are pycocotools' own, down to the order of ties, so that its figures come out. A detection, best score
//! first, takes the object of its class that it overlaps most and enough and that is still free; one that counts before
//! one that is ignored. A crowd is never used up. A detection on an ignored object counts neither way, nor does one
//! that found nothing and whose own area is out of range.

use std::collections::HashMap;

use super::polygon::share_inside;
use super::record::{Category, DetectionResult, ImageRecord, Object};

/// Thresholds at which AP is taken: 0.5, 0.55, ... 0.95.
pub(super) const IOU_THRESHOLDS: usize = 10;
/// The position after those: the operating IoU.
pub(super) const OPERATING: usize = IOU_THRESHOLDS;

/// Ranges of areas, in square pixels, both ends included: all, small, medium, large.
pub(super) const AREAS: [(f64, f64); 4] = [
    (0.0, 1e10),
    (0.0, 32.0 * 32.0),
    (32.0 * 32.0, 96.0 * 96.0),
    (96.0 * 96.0, 1e10),
];

/// Which object a detection found; one bit for each threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MatchFlags {
    /// It found an object, be it one that is ignored.
    matched: u16,
    ignored: u16,
}

impl MatchFlags {
    /// Whether it found an object that counts.
    pub fn is_hit(self, threshold: usize) -> bool {
        (self.matched & !self.ignored) >> threshold & 1 == 1
    }

    /// Returns the number of COCO's thresholds at which it is a hit.
    pub fn hits(self) -> u32 {
        (self.matched & !self.ignored & ((1 << IOU_THRESHOLDS) - 1)).count_ones()
    }

    /// Whether it is neither right nor wrong.
    pub fn is_ignored(self, threshold: usize) -> bool {
        self.ignored >> threshold & 1 == 1
    }
}

/// A detection of one class.
#[derive(Debug, Clone, Copy)]
pub(super) struct RankedDetection {
    pub score: f64,
    /// Position of its image by id.
    pub image: u32,
    /// How many of its class and image are better.
    pub rank: u32,
    /// By range of areas.
    pub matches: [MatchFlags; AREAS.len()],
}

/// How many objects of one class count in an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageObjects {
    /// Position of the image by id.
    pub image: u32,
    /// By range of areas.
    pub counting: [u32; AREAS.len()],
}

/// All that is known of one class.
#[derive(Debug, Default)]
pub(super) struct CategoryMatches {
    /// Best score first; of equal ones in the order of the images.
    pub detections: Vec<RankedDetection>,
    /// In the order of the images; those with objects alone.
    pub objects: Vec<ImageObjects>,
}

impl CategoryMatches {
    /// Objects that count in a range of areas.
    pub fn counting(&self, area: usize) -> u32 {
        self.objects.iter().map(|o| o.counting[area]).sum()
    }
}

/// Returns the intersection over union of two boxes (left, top, width, height); for a crowd, the
/// intersection over the detection's area.
pub(super) fn iou(detection: &[f64; 4], object: &[f64; 4], crowd: bool) -> f64 {
    let overlap = |at: usize| {
        let end = (detection[at] + detection[at + 2]).min(object[at] + object[at + 2]);
        end - detection[at].max(object[at])
    };
    let (width, height) = (overlap(0), overlap(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let area = detection[2] * detection[3];
    let both = width * height;
    let whole = if crowd {
        area
    } else {
        area + object[2] * object[3] - both
    };
    let iou = both / whole;
    // what is not a number overlaps nothing
    if iou.is_finite() { iou } else { 0.0 }
}

/// Returns the overlap by which a detection matches an object: their IoU, or the share of the
/// detection inside a crowd.
pub(super) fn overlap(detection: &[f64; 4], object: &Object) -> f64 {
    match &object.outline {
        Some(outline) => share_inside(detection, outline),
        None => iou(detection, &object.bbox, object.iscrowd),
    }
}

/// Orders scores, the best first and NaN last.
pub(super) fn by_score(a: f64, b: f64) -> std::cmp::Ordering {
    b.partial_cmp(&a)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Returns the position of each category; the first if two have the same id.
pub(super) fn positions(categories: &[Category]) -> HashMap<u64, usize> {
    let pairs = categories.iter().enumerate().rev();
    pairs.map(|(at, category)| (category.id, at)).collect()
}

/// Sorts images by id, the order of pycocotools.
pub(super) fn sorted_by_id<'a>(images: &[&'a ImageRecord]) -> Vec<&'a ImageRecord> {
    let mut images = images.to_vec();
    images.sort_by_key(|image| image.id);
    images
}

/// Matches the detections of all images, in the order of `images`; one result for each category.
pub(super) fn match_images(
    categories: &[Category],
    images: &[&ImageRecord],
    max_detections: usize,
    operating_iou: f64,
) -> Vec<CategoryMatches> {
    let positions = positions(categories);
    let mut all: Vec<_> = categories
        .iter()
        .map(|_| CategoryMatches::default())
        .collect();
    let mut matcher = Matcher::new(operating_iou);
    for (image, record) in (0..).zip(images) {
        let class_of = |id: u64| positions.get(&id).copied();
        let mut objects = by_class(&record.objects, |o| class_of(o.category_id));
        let mut detections = by_class(&record.detections, |d| class_of(d.category_id));
        // both are stable, as the order of ties must be kept
        objects.sort_by_key(|&(class, _)| class);
        detections.sort_by(|(p, a), (q, b)| p.cmp(q).then(by_score(a.score, b.score)));
        let (mut objects, mut detections) = (objects.as_slice(), detections.as_slice());
        while let Some(class) = first_class(objects, detections) {
            let objects = take_class(&mut objects, class);
            let detections = take_class(&mut detections, class);
            let kept = &detections[..detections.len().min(max_detections)];
            matcher.match_class(image, objects, kept, &mut all[class]);
        }
    }
    for class in &mut all {
        class.detections.sort_by(|a, b| by_score(a.score, b.score));
    }
    all
}

fn by_class<T>(items: &[T], class: impl Fn(&T) -> Option<usize>) -> Vec<(usize, &T)> {
    items
        .iter()
        .filter_map(|item| Some((class(item)?, item)))
        .collect()
}

fn first_class(
    objects: &[(usize, &Object)],
    detections: &[(usize, &DetectionResult)],
) -> Option<usize> {
    let class = |first: Option<usize>| first.unwrap_or(usize::MAX);
    let first = class(objects.first().map(|o| o.0)).min(class(detections.first().map(|d| d.0)));
    (first != usize::MAX).then_some(first)
}

/// Takes what is of `class` from the front.
fn take_class<'a, T>(items: &mut &'a [(usize, T)], class: usize) -> &'a [(usize, T)] {
    let (taken, rest) = items.split_at(items.partition_point(|item| item.0 <= class));
    *items = rest;
    taken
}

/// Matches within one class and image; keeps its buffers.
struct Matcher {
    thresholds: [f64; IOU_THRESHOLDS + 1],
    /// A row for each detection.
    ious: Vec<f64>,
    /// Objects in the order in which they are tried, those that count first, and whether they are ignored.
    order: Vec<(usize, bool)>,
    taken: Vec<bool>,
}

impl Matcher {
    fn new(operating_iou: f64) -> Self {
        let mut thresholds = [0.0; IOU_THRESHOLDS + 1];
        for (i, threshold) in thresholds[..IOU_THRESHOLDS].iter_mut().enumerate() {
            // numpy.linspace(0.5, 0.95, 10), to the last bit
            *threshold = i as f64 * ((0.95 - 0.5) / 9.0) + 0.5;
        }
        thresholds[IOU_THRESHOLDS - 1] = 0.95;
        thresholds[OPERATING] = operating_iou;
        Self {
            thresholds: thresholds.map(|threshold| threshold.min(1.0 - 1e-10)),
            ious: Vec::new(),
            order: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Matches `detections`, the best first, and adds the results to `class`.
    fn match_class(
        &mut self,
        image: u32,
        objects: &[(usize, &Object)],
        detections: &[(usize, &DetectionResult)],
        class: &mut CategoryMatches,
    ) {
        self.ious.clear();
        for (_, found) in detections {
            let row = objects
                .iter()
                .map(|(_, object)| overlap(&found.bbox, object));
            self.ious.extend(row);
        }
        let first = class.detections.len();
        class.detections.extend(
            (0..)
                .zip(detections)
                .map(|(rank, (_, found))| RankedDetection {
                    score: found.score,
                    image,
                    rank,
                    matches: Default::default(),
                }),
        );
        let ranked = &mut class.detections[first..];
        let mut counting = [0; AREAS.len()];
        for (area, &(least, most)) in AREAS.iter().enumerate() {
            let outside = |size: f64| size < least || size > most;
            self.order.clear();
            self.order
                .extend(objects.iter().enumerate().map(|(at, (_, object))| {
                    (at, object.iscrowd || object.ignore || outside(object.area))
                }));
            self.order.sort_by_key(|&(_, ignored)| ignored);
            counting[area] = self.order.iter().filter(|(_, ignored)| !ignored).count() as u32;
            for threshold in 0..self.thresholds.len() {
                self.match_at(threshold, objects, ranked, area);
            }
            for (ranked, (_, found)) in ranked.iter_mut().zip(detections) {
                if outside(found.bbox[2] * found.bbox[3]) {
                    let flags = &mut ranked.matches[area];
                    flags.ignored |= !flags.matched;
                }
            }
        }
        if !objects.is_empty() {
            class.objects.push(ImageObjects { image, counting });
        }
    }

    fn match_at(
        &mut self,
        threshold: usize,
        objects: &[(usize, &Object)],
        ranked: &mut [RankedDetection],
        area: usize,
    ) {
        let Some(columns) = std::num::NonZeroUsize::new(objects.len()) else {
            return;
        };
        let bit = 1 << threshold;
        self.taken.clear();
        self.taken.resize(objects.len(), false);
        for (ranked, ious) in ranked.iter_mut().zip(self.ious.chunks_exact(columns.get())) {
            let mut best = self.thresholds[threshold];
            let mut found: Option<(usize, bool)> = None;
            for &(at, ignored) in &self.order {
                if self.taken[at] && !objects[at].1.iscrowd {
                    continue;
                }
                // one that counts is not given up for one that does not
                if ignored && found.is_some_and(|(_, ignored)| !ignored) {
                    break;
                }
                // of equal overlaps the last
                if ious[at] >= best {
                    best = ious[at];
                    found = Some((at, ignored));
                }
            }
            if let Some((at, ignored)) = found {
                self.taken[at] = true;
                let flags = &mut ranked.matches[area];
                flags.matched |= bit;
                if ignored {
                    flags.ignored |= bit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_numpy() {
        let expected = [
            0.5,
            0.55,
            0.6,
            0.65,
            0.7,
            0.75,
            0.8,
            0.85,
            0.8999999999999999,
            0.95,
            0.3,
        ];
        assert_eq!(Matcher::new(0.3).thresholds, expected);
    }

    #[test]
    fn a_crowd_is_measured_by_the_detection() {
        let (group, inside) = ([0.0, 0.0, 100.0, 100.0], [10.0, 10.0, 10.0, 10.0]);
        assert_eq!(iou(&inside, &group, true), 1.0);
        assert_eq!(iou(&inside, &group, false), 0.01);
        assert_eq!(iou(&[100.0, 0.0, 10.0, 10.0], &group, true), 0.0);
        assert_eq!(iou(&[f64::NAN; 4], &group, false), 0.0);
    }

    #[test]
    fn what_is_not_a_number_comes_last() {
        let mut scores = [f64::NAN, 0.2, 0.9, f64::NAN, 0.5];
        scores.sort_by(|&a, &b| by_score(a, b));
        assert_eq!(scores[..3], [0.9, 0.5, 0.2]);
    }
}
