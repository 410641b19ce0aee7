//! Is the difference between two runs more than chance? The paired bootstrap over images.
//!
//! Images are drawn with replacement, the same for both runs, and the figures of the draw are computed again: the spread
//! of their difference tells what other images of the same kind would have shown. What matches what does not depend on
//! the draw, so that it is found once; a draw is a weight for each image, and one pass over what is left of each class.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::accuracy::{at_threshold, mean_figures};
use super::average_precision::{Point, Recalls};
use super::figures::{Figure, Figures, Measure, from_coco, to_coco};
use super::matching::{AREAS, CategoryMatches, IOU_THRESHOLDS, match_images, sorted_by_id};
use super::parallel;
use super::record::{Category, ImageRecord};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapSettings {
    pub resamples: usize,
    /// Of the interval of AP, such as 0.95. Those of the other figures and those of the classes are wider, by
    /// Bonferroni's rule: all of them together are right with this confidence.
    pub confidence: f64,
    /// The same seed gives the same intervals.
    pub seed: u64,
    /// As in [`AccuracySettings`](super::AccuracySettings), the last.
    pub max_detections: usize,
    /// Threads that share the resamples; the result does not depend on it.
    pub threads: usize,
}

impl Default for BootstrapSettings {
    fn default() -> Self {
        Self {
            resamples: 1000,
            confidence: 0.95,
            seed: 0,
            max_detections: 100,
            threads: 1,
        }
    }
}

/// A figure of both runs and how much it differs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "IntervalJson", from = "IntervalJson")]
pub struct Interval {
    /// `None` where there are no objects.
    pub a: Option<f64>,
    /// `None` where there are no objects.
    pub b: Option<f64>,
    /// `None` where one of the runs has no such figure.
    pub difference: Option<DifferenceInterval>,
}

/// `b - a` and the interval that it lies in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DifferenceInterval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// An [`Interval`] in JSON: -1 for an undefined figure, 0 for an undefined difference.
#[derive(Serialize, Deserialize)]
struct IntervalJson {
    a: f64,
    b: f64,
    difference: f64,
    low: f64,
    high: f64,
}

impl From<Interval> for IntervalJson {
    fn from(interval: Interval) -> Self {
        let undefined = DifferenceInterval {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        let DifferenceInterval { value, low, high } = interval.difference.unwrap_or(undefined);
        IntervalJson {
            a: to_coco(interval.a),
            b: to_coco(interval.b),
            difference: value,
            low,
            high,
        }
    }
}

impl From<IntervalJson> for Interval {
    fn from(json: IntervalJson) -> Self {
        let (a, b) = (from_coco(json.a), from_coco(json.b));
        Interval {
            a,
            b,
            difference: a.zip(b).map(|_| DifferenceInterval {
                value: json.difference,
                low: json.low,
                high: json.high,
            }),
        }
    }
}

impl Interval {
    /// Returns whether chance is no explanation: the interval does not hold 0. One without width comes of a single
    /// image, or of a class that is in a single image, and says nothing.
    pub fn is_significant(&self) -> bool {
        self.difference
            .is_some_and(|d| d.low < d.high && (d.low > 0.0 || d.high < 0.0))
    }
}

/// The differences of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// COCO's twelve, in COCO's order.
    pub figures: Vec<FigureDifference>,
    /// In the order of the categories, without classes that have no objects in one of the runs.
    pub per_class: Vec<ClassDifference>,
}

/// The difference of two runs in one of COCO's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureDifference {
    /// As `AP50`.
    pub name: String,
    #[serde(flatten)]
    pub interval: Interval,
}

/// The difference of two runs in one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassDifference {
    pub name: String,
    pub id: u64,
    #[serde(rename = "AP")]
    pub ap: Interval,
    #[serde(rename = "AP50")]
    pub ap50: Interval,
}

/// Why two runs cannot be compared image by image.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PairingError {
    #[error(
        "comparing two runs: expected the same images in both, found {a} and {b}; evaluate both on the same data set"
    )]
    Count { a: usize, b: usize },
    #[error(
        "comparing two runs: image {id} is in only one of them; evaluate both on the same data set"
    )]
    Image { id: u64 },
}

/// Resamples the images and gives intervals for how much better `b` is than `a`. Percentiles of the resamples, moved
/// so that their mean is the difference seen, are the ends of an interval; a class's leave out resamples in which it has no objects.
///
/// Errors: the two do not have the same images, by id.
pub fn paired_bootstrap(
    categories: &[Category],
    a: &[&ImageRecord],
    b: &[&ImageRecord],
    settings: &BootstrapSettings,
) -> Result<Differences, PairingError> {
    let (a, b) = (sorted_by_id(a), sorted_by_id(b));
    pair(&a, &b)?;
    let runs = [&a, &b].map(|images| Run::new(categories, images, settings.max_detections));
    let whole = differences(&runs, &vec![1; a.len()]);
    let draws = draw(&runs, a.len(), settings);
    let interval = |value: &dyn Fn(&Draw) -> [Option<f64>; 2], together: usize| {
        let of_draws = draws.iter().filter_map(|draw| difference(value(draw)));
        let tail = (1.0 - settings.confidence.clamp(0.0, 1.0)) / 2.0 / together as f64;
        Interval::new(value(&whole), of_draws.collect(), tail)
    };
    let figures = Figure::ALL.into_iter().map(|figure| {
        let together = match figure {
            Figure::Ap => 1,
            _ => Figure::ALL.len() - 1,
        };
        FigureDifference {
            name: figure.name().to_owned(),
            interval: interval(&|draw| draw.mean.map(|figures| figures[figure]), together),
        }
    });
    let counts = |class: usize| whole.classes[class].iter().all(|f| f[Figure::Ap].is_some());
    let classes: Vec<usize> = (0..categories.len()).filter(|&at| counts(at)).collect();
    let per_class = classes.iter().map(|&class| {
        let interval_of = |figure: Figure| {
            let value = |draw: &Draw| draw.classes[class].map(|figures| figures[figure]);
            interval(&value, classes.len())
        };
        ClassDifference {
            name: categories[class].name.clone(),
            id: categories[class].id,
            ap: interval_of(Figure::Ap),
            ap50: interval_of(Figure::Ap50),
        }
    });
    Ok(Differences {
        figures: figures.collect(),
        per_class: per_class.collect(),
    })
}

/// Checks that the two lists, sorted by id, have the same images.
fn pair(a: &[&ImageRecord], b: &[&ImageRecord]) -> Result<(), PairingError> {
    for (a, b) in a.iter().zip(b) {
        if a.id != b.id {
            let id = a.id.min(b.id);
            return Err(PairingError::Image { id });
        }
    }
    if a.len() == b.len() {
        Ok(())
    } else {
        let (a, b) = (a.len(), b.len());
        Err(PairingError::Count { a, b })
    }
}

/// Returns `b - a` if both are defined.
fn difference([a, b]: [Option<f64>; 2]) -> Option<f64> {
    Some(b? - a?)
}

impl Interval {
    /// Creates an interval from the differences `drawn` of the resamples. It leaves out the share
    /// `tail` at either end.
    pub(crate) fn new(values: [Option<f64>; 2], drawn: Vec<f64>, tail: f64) -> Self {
        let [a, b] = values;
        Self {
            a,
            b,
            difference: difference(values).map(|value| DifferenceInterval::new(value, drawn, tail)),
        }
    }
}

impl DifferenceInterval {
    fn new(value: f64, mut drawn: Vec<f64>, tail: f64) -> Self {
        drawn.sort_by(f64::total_cmp);
        // a draw lacks some of the images, and with them perhaps a class: what that does to the mean of all draws is no
        // part of the difference
        let count = drawn.len().max(1) as f64;
        let bias = drawn.iter().map(|drawn| drawn - value).sum::<f64>() / count;
        let end = |share| percentile(&drawn, share).map_or(value, |end| end - bias);
        Self {
            value,
            low: end(tail),
            high: end(1.0 - tail),
        }
    }
}

/// Interpolates linearly between the two nearest values.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

/// The figures of both runs on the images drawn.
struct Draw {
    mean: [Figures; 2],
    classes: Vec<[Figures; 2]>,
}

/// Returns one draw per resample, in an order that does not depend on the threads.
fn draw(runs: &[Run; 2], images: usize, settings: &BootstrapSettings) -> Vec<Draw> {
    let mut seeds = fastrand::Rng::with_seed(settings.seed);
    let seeds: Vec<u64> = std::iter::repeat_with(|| seeds.u64(..))
        .take(settings.resamples)
        .collect();
    let one = |&seed: &u64| differences(runs, &weights(images, seed));
    parallel::map(&seeds, settings.threads, one)
}

/// Returns how often each image is drawn.
pub(crate) fn weights(images: usize, seed: u64) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut weights = vec![0; images];
    for _ in 0..images {
        weights[rng.usize(..images)] += 1;
    }
    weights
}

fn differences(runs: &[Run; 2], weights: &[u32]) -> Draw {
    let mut buffers = Buffers::default();
    let of_classes = runs.each_ref().map(|run| {
        let classes = run.classes.iter();
        let figures = classes.map(|class| class.figures(weights, &mut buffers));
        figures.collect::<Vec<Figures>>()
    });
    let [a, b] = &of_classes;
    Draw {
        mean: of_classes.each_ref().map(|classes| mean_figures(classes)),
        classes: a.iter().zip(b).map(|(&a, &b)| [a, b]).collect(),
    }
}

/// What the figures of one run are made of.
struct Run {
    classes: Vec<Class>,
}

impl Run {
    fn new(categories: &[Category], images: &[&ImageRecord], max_detections: usize) -> Self {
        // the operating IoU plays no part
        let matches = match_images(categories, images, max_detections, 1.0);
        Self {
            classes: matches.iter().map(Class::new).collect(),
        }
    }
}

struct Class {
    /// By range of areas.
    areas: [ClassArea; AREAS.len()],
    /// By image the hits at all thresholds together, with the best 1 and the best 10 detections of an image.
    few: [Vec<(u32, u32)>; FEW.len()],
}

/// The detections of an image that AR1 and AR10 are about.
const FEW: [u32; 2] = [1, 10];

/// One range of areas.
struct ClassArea {
    /// Image and number of its objects that count.
    objects: Vec<(u32, u32)>,
    /// The image of each detection, best score first, up to the last that found something.
    images: Vec<u32>,
    /// By threshold, the detections that are not simply wrong: position, and whether it found what counts.
    found: [Vec<(u32, bool)>; IOU_THRESHOLDS],
    /// By image the hits at all thresholds together.
    hits: Vec<(u32, u32)>,
}

#[derive(Default)]
struct Buffers {
    /// Detections drawn up to each position.
    drawn: Vec<u32>,
    points: Vec<Point>,
}

impl Class {
    fn new(class: &CategoryMatches) -> Self {
        Self {
            areas: std::array::from_fn(|area| ClassArea::new(class, area)),
            few: FEW.map(|most| hits_by_image(class, 0, most)),
        }
    }

    /// Returns the figures of the images, each counted as often as its weight says.
    fn figures(&self, weights: &[u32], buffers: &mut Buffers) -> Figures {
        let areas = self.areas.each_ref().map(|area| {
            let objects = weighted(&area.objects, weights);
            (objects > 0).then(|| {
                let precisions = area.average_precisions(objects, weights, buffers);
                (objects, precisions)
            })
        });
        Figures::new(|figure| match figure.measure() {
            Measure::Precision { area, threshold } => {
                areas[area].and_then(|(_, precisions)| at_threshold(precisions, threshold))
            }
            Measure::Recall { area, limit } => areas[area].map(|(objects, _)| {
                // the last limit is that of the matching itself
                let hits = match self.few.get(limit) {
                    Some(few) => few,
                    None => &self.areas[area].hits,
                };
                average_recall(hits, objects, weights)
            }),
        })
    }
}

/// Counts the hits of each image among its best `most` detections.
fn hits_by_image(class: &CategoryMatches, area: usize, most: u32) -> Vec<(u32, u32)> {
    let mut hits = BTreeMap::new();
    for detection in class.detections.iter().filter(|d| d.rank < most) {
        *hits.entry(detection.image).or_insert(0) += detection.matches[area].hits();
    }
    hits.into_iter().filter(|&(_, hits)| hits > 0).collect()
}

/// Returns the sum over the images drawn.
fn weighted(counts: &[(u32, u32)], weights: &[u32]) -> u32 {
    let counts = counts.iter();
    counts.map(|&(image, n)| weights[image as usize] * n).sum()
}

/// Returns the recall averaged over COCO's thresholds, for `objects` that count, at least one.
fn average_recall(hits: &[(u32, u32)], objects: u32, weights: &[u32]) -> f64 {
    f64::from(weighted(hits, weights)) / f64::from(objects) / IOU_THRESHOLDS as f64
}

impl ClassArea {
    fn new(class: &CategoryMatches, area: usize) -> Self {
        let matches = || (0..).zip(class.detections.iter().map(|d| d.matches[area]));
        let found: [Vec<_>; IOU_THRESHOLDS] = std::array::from_fn(|threshold| {
            matches()
                .filter(|(_, o)| o.is_hit(threshold) || o.is_ignored(threshold))
                .map(|(at, o)| (at, o.is_hit(threshold)))
                .collect()
        });
        let ends = found
            .iter()
            .filter_map(|found| found.iter().rfind(|(_, hit)| *hit));
        let end = ends.map(|&(at, _)| at as usize + 1).max().unwrap_or(0);
        let objects = class.objects.iter();
        Self {
            objects: objects.map(|o| (o.image, o.counting[area])).collect(),
            images: class.detections[..end].iter().map(|d| d.image).collect(),
            found: found.map(|mut found| {
                found.truncate(found.partition_point(|&(at, _)| (at as usize) < end));
                found
            }),
            hits: hits_by_image(class, area, u32::MAX),
        }
    }

    /// Returns the average precision at each threshold, for `objects` that count, at least one.
    fn average_precisions(
        &self,
        objects: u32,
        weights: &[u32],
        buffers: &mut Buffers,
    ) -> [f64; IOU_THRESHOLDS] {
        let weight = |image: u32| weights[image as usize];
        let recalls = Recalls::new(objects);
        let Buffers { drawn, points } = buffers;
        drawn.clear();
        let mut sum = 0;
        drawn.extend(self.images.iter().map(|&image| {
            sum += weight(image);
            sum
        }));
        self.found.each_ref().map(|found| {
            points.clear();
            let (mut hits, mut ignored) = (0, 0);
            for &(at, hit) in found {
                let times = weight(self.images[at as usize]);
                if !hit {
                    ignored += times;
                } else if times > 0 {
                    hits += times;
                    let counted = drawn[at as usize] - ignored;
                    points.push(Point {
                        found: hits,
                        precision: f64::from(hits) / f64::from(counted),
                    });
                }
            }
            recalls.average_precision(points)
        })
    }
}

#[cfg(test)]
mod tests;
