//! What came of a sweep, and which setting is the best.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::super::figures::coco_number;
use super::super::{AccuracySettings, Category, Confusion, Figure, TruthImage, accuracy};
use super::Detections;

/// What the best setting has the most of. All of them count the detections that the setting gives and no others, so that
/// a score threshold shows its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Of all classes together, at IoU 0.5: weighs what is wrong against what is missed
    F1,
    /// COCO's AP: it never falls when more is detected, however wrong
    Ap,
    /// The same at IoU 0.5
    Ap50,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingOutcome {
    /// The parameters that vary.
    pub parameters: BTreeMap<String, Value>,
    /// As those of the other figures, of the detections that the setting gives; at IoU 0.5, all classes together.
    #[serde(with = "coco_number")]
    pub f1: Option<f64>,
    #[serde(with = "coco_number")]
    pub precision: Option<f64>,
    #[serde(with = "coco_number")]
    pub recall: Option<f64>,
    #[serde(rename = "AP", with = "coco_number")]
    pub ap: Option<f64>,
    #[serde(rename = "AP50", with = "coco_number")]
    pub ap50: Option<f64>,
    /// How many there are.
    pub detections: usize,
    /// From a message's bytes to its detections, on one thread; `None` where nothing could be measured.
    pub latency_ms: Option<Latency>,
    /// No other setting is as good and faster, or better and as fast.
    pub pareto: bool,
}

/// Of the sample's frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

/// A whole sweep. Serializes to what `sweep --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepOutcome {
    pub objective: Objective,
    /// The best setting's median must not be above.
    pub max_latency_ms: Option<f64>,
    pub annotations: String,
    pub images_in: String,
    pub images: usize,
    /// Images that could not be processed; they count as ones in which nothing was found.
    pub failed: usize,
    /// Frames that latencies were measured on.
    pub measured: usize,
    pub versions: BTreeMap<String, String>,
    /// Position among `settings`; `None` where none is fast enough.
    pub best: Option<usize>,
    /// In the grid's order.
    pub settings: Vec<SettingOutcome>,
}

impl Objective {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Objective::F1 => "F1",
            Objective::Ap => "AP",
            Objective::Ap50 => "AP50",
        }
    }
}

impl SettingOutcome {
    /// Returns the figure of the objective; `None` if there are no objects.
    pub fn value(&self, objective: Objective) -> Option<f64> {
        match objective {
            Objective::F1 => self.f1,
            Objective::Ap => self.ap,
            Objective::Ap50 => self.ap50,
        }
    }
}

/// Returns the figures of every setting. `parameters`, `max_detections` and `times` are by setting.
pub fn outcomes(
    categories: &[Category],
    images: &[TruthImage],
    detections: &Detections,
    parameters: Vec<BTreeMap<String, Value>>,
    max_detections: &[usize],
    times: Vec<Vec<f64>>,
) -> Vec<SettingOutcome> {
    let measured: Vec<(BTreeMap<String, Value>, Vec<f64>)> =
        parameters.into_iter().zip(times).collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; measured.len()]);
    let work = || {
        loop {
            let setting = next.fetch_add(1, atomic::Ordering::Relaxed);
            let Some((parameters, times)) = measured.get(setting) else {
                return;
            };
            let records = detections.records(setting, images);
            let settings = AccuracySettings {
                max_detections: [1, 10, max_detections[setting]],
                // every detection is above the setting's own threshold
                operating_score: 0.0,
                ..AccuracySettings::default()
            };
            let all: Vec<_> = records.iter().collect();
            let accuracy = accuracy(categories, &all, &settings);
            let overall = overall(&accuracy.confusion);
            let outcome = SettingOutcome {
                parameters: parameters.clone(),
                f1: overall.map(|overall| overall.f1),
                precision: overall.map(|overall| overall.precision),
                recall: overall.map(|overall| overall.recall),
                ap: accuracy.figures[Figure::Ap],
                ap50: accuracy.figures[Figure::Ap50],
                detections: records.iter().map(|record| record.detections.len()).sum(),
                latency_ms: latency(times.clone()),
                pareto: false,
            };
            outcomes.lock().unwrap_or_else(PoisonError::into_inner)[setting] = Some(outcome);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads {
            // without it, the other threads do its work
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    // a panic in there went on here when the scope ended, so that each is there
    outcomes.into_iter().flatten().collect()
}

/// All classes together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Overall {
    precision: f64,
    recall: f64,
    f1: f64,
}

/// Returns precision, recall and F1 over all classes; `None` if there are no objects.
fn overall(confusion: &Confusion) -> Option<Overall> {
    let background = confusion.counts.len().saturating_sub(1);
    let (mut hits, mut found, mut objects) = (0, 0, 0);
    for (row, counts) in confusion.counts.iter().enumerate() {
        for (column, &n) in counts.iter().enumerate() {
            hits += if row == column { n } else { 0 };
            found += if column == background { 0 } else { n };
            objects += if row == background { 0 } else { n };
        }
    }
    let share = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
    (objects > 0).then(|| Overall {
        precision: share(hits, found),
        recall: share(hits, objects),
        f1: share(2 * hits, found + objects),
    })
}

fn latency(mut times: Vec<f64>) -> Option<Latency> {
    times.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        times.get(rank.max(1) - 1).copied()
    };
    Some(Latency {
        p50: rank(0.5)?,
        p99: rank(0.99)?,
    })
}

/// Marks the settings that no other beats, and finds the best: of those within the limit the one with the most of the
/// objective; of equals the fastest, then the first. Latencies whose first two digits are the same are the same: what
/// they differ by is noise.
pub fn judge(
    settings: &mut [SettingOutcome],
    objective: Objective,
    max_latency_ms: Option<f64>,
) -> Option<usize> {
    // an undefined value is less than any other
    let points: Vec<(Option<f64>, f64)> = settings
        .iter()
        .map(|setting| {
            let ms = setting.latency_ms.map(|ms| two_digits(ms.p50));
            (setting.value(objective), ms.unwrap_or(f64::INFINITY))
        })
        .collect();
    for (at, setting) in settings.iter_mut().enumerate() {
        let (value, ms) = points[at];
        let beats = |&(v, m): &(Option<f64>, f64)| (v >= value && m < ms) || (v > value && m <= ms);
        setting.pareto = ms.is_finite() && !points.iter().any(beats);
    }
    let limit = max_latency_ms.unwrap_or(f64::INFINITY);
    let within = (0..points.len()).filter(|&at| {
        let ms = settings[at].latency_ms.map_or(f64::INFINITY, |ms| ms.p50);
        ms <= limit
    });
    within.min_by(|&p, &q| {
        let ((v, m), (w, n)) = (points[p], points[q]);
        // values are never NaN
        w.partial_cmp(&v)
            .unwrap_or(Ordering::Equal)
            .then(m.total_cmp(&n))
    })
}

fn two_digits(ms: f64) -> f64 {
    if ms <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(ms.log10().floor() - 1.0);
    (ms / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn setting(f1: f64, ms: f64) -> SettingOutcome {
        SettingOutcome {
            parameters: BTreeMap::new(),
            f1: Some(f1),
            precision: Some(f1),
            recall: Some(f1),
            ap: Some(f1),
            ap50: Some(f1),
            detections: 1,
            latency_ms: Some(Latency { p50: ms, p99: ms }),
            pareto: false,
        }
    }

    #[test]
    fn the_best_is_within_the_limit() {
        let mut settings = [
            setting(0.5, 5.0),
            setting(0.7, 20.0),
            setting(0.7, 18.0),
            setting(0.4, 6.0),
        ];
        assert_eq!(judge(&mut settings, Objective::F1, None), Some(2));
        let front: Vec<bool> = settings.iter().map(|setting| setting.pareto).collect();
        assert_eq!(front, [true, false, true, false]);
        assert_eq!(judge(&mut settings, Objective::Ap, Some(10.0)), Some(0));
        assert_eq!(judge(&mut settings, Objective::Ap50, Some(1.0)), None);
        // a hundredth faster is no faster
        let mut settings = [setting(0.5, 14.08), setting(0.4, 14.02)];
        assert_eq!(judge(&mut settings, Objective::F1, None), Some(0));
        assert!(settings[0].pareto && !settings[1].pareto);
    }

    #[test]
    fn f1_weighs_what_is_wrong_against_what_is_missed() {
        let confusion = Confusion {
            score_threshold: 0.0,
            iou: 0.5,
            labels: Vec::new(),
            // three hits, one taken for another class, two missed, four where nothing is
            counts: vec![vec![2, 1, 1], vec![0, 1, 1], vec![3, 1, 0]],
        };
        let expected = Overall {
            precision: 3.0 / 8.0,
            recall: 0.5,
            f1: 6.0 / 14.0,
        };
        assert_eq!(overall(&confusion), Some(expected));
        let nothing = Confusion {
            counts: vec![vec![0]],
            ..confusion
        };
        assert_eq!(overall(&nothing), None);
    }

    proptest! {
        #[test]
        fn the_best_is_on_the_front(points in prop::collection::vec((0.0_f64..1.0, 1.0_f64..50.0), 1..30)) {
            let mut settings: Vec<_> = points.iter().map(|&(f1, ms)| setting(f1, ms)).collect();
            let best = judge(&mut settings, Objective::F1, None).unwrap();
            prop_assert!(settings[best].pareto);
            prop_assert!(settings.iter().all(|s| s.f1 <= settings[best].f1));
        }
    }
}
