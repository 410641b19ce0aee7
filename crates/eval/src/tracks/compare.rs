//! Does tracker B do better than tracker A? The paired bootstrap over sequences, or over parts of them.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::counts::Counts;
use super::evaluation::TrackEvaluation;
use super::figures::{TrackFigure, TrackFigures};
use super::parts::PART_FRAMES;
use crate::bootstrap::{Interval, weights};
use crate::compare::Verdict;
use crate::parallel;
use shuffledet_core::count::counted;

/// Sequences that suffice to resample sequences. With fewer, their parts are resampled.
const ENOUGH_SEQUENCES: usize = 10;

/// Figures that are compared: shares, of which more is better.
const COMPARED: [TrackFigure; 8] = {
    use TrackFigure::*;
    [Hota, DetA, AssA, LocA, Mota, Idf1, Idp, Idr]
};

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackCompareSettings {
    pub resamples: usize,
    /// Of the interval of HOTA, such as 0.95. Those of the other figures and of the classes are wider,
    /// so that all of them together are right with this confidence.
    pub confidence: f64,
    /// The same seed gives the same intervals.
    pub seed: u64,
    /// Threads that share the resamples; the result does not depend on it.
    pub threads: usize,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Sequence,
    /// 50 frames of a sequence. The association within it is that of the whole sequence.
    Part,
}

/// Everything that a comparison shows. Serializes to what `compare --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackComparison {
    /// Whether any row is worse.
    pub regression: bool,
    pub a: TrackRun,
    pub b: TrackRun,
    pub notes: Vec<String>,
    pub sequences: usize,
    pub frames: u64,
    /// Of all classes together.
    pub figures: Vec<FigureComparison>,
    /// HOTA of each class.
    pub per_class: Vec<ClassComparison>,
    /// Counts of both, for information.
    pub counts: Vec<(TrackFigure, f64, f64)>,
    pub rule: TrackRule,
}

/// One of the two evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrackRun {
    /// Where it was read from.
    pub file: String,
    /// The tracks that it is of.
    pub tracks: String,
}

/// What the verdicts are made by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrackRule {
    pub unit: Unit,
    /// Number of sequences or parts.
    pub units: usize,
    pub confidence: f64,
    pub resamples: usize,
    pub seed: u64,
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureComparison {
    pub name: String,
    #[serde(flatten)]
    pub interval: Interval,
    pub verdict: Verdict,
}

/// A class of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassComparison {
    pub name: String,
    /// Tracks of the truth.
    pub objects: u64,
    #[serde(rename = "HOTA")]
    pub hota: Interval,
    pub verdict: Verdict,
}

/// Why two evaluations of tracks cannot be compared.
#[derive(Debug, Error)]
pub enum TrackCompareError {
    #[error(
        "{a} and {b}: expected the same {what}, found {found_a} and {found_b}; evaluate both on the same truth"
    )]
    Different {
        a: String,
        b: String,
        what: &'static str,
        found_a: String,
        found_b: String,
    },
}

/// The counts of a run: by unit, of each class.
struct Units(Vec<Vec<Counts>>);

/// Compares two evaluations of the same truth, each with the file that it was read from.
pub fn compare_tracks(
    (a_file, a): (&str, &TrackEvaluation),
    (b_file, b): (&str, &TrackEvaluation),
    settings: &TrackCompareSettings,
) -> Result<TrackComparison, TrackCompareError> {
    check((a_file, a), (b_file, b))?;
    let unit = match a.sequences.len() {
        0..ENOUGH_SEQUENCES => Unit::Part,
        _ => Unit::Sequence,
    };
    let classes: Vec<&String> = a.per_class.iter().map(|class| &class.name).collect();
    let runs = [a, b].map(|run| Units::new(run, &classes, unit));
    let units = runs[0].0.len();
    let whole = Draw::new(&runs, &vec![1; units], classes.len());
    let draws = draw(&runs, units, classes.len(), settings);
    let chance = 1.0 - settings.confidence;
    let interval = |value: &dyn Fn(&Draw) -> [f64; 2], together: usize| {
        let drawn = draws.iter().map(|draw| {
            let [a, b] = value(draw);
            b - a
        });
        Interval::new(
            value(&whole).map(Some),
            drawn.collect(),
            chance / 2.0 / together as f64,
        )
    };
    let figures = COMPARED.map(|figure| {
        let together = if figure == TrackFigure::Hota {
            1
        } else {
            COMPARED.len() - 1
        };
        let value = |draw: &Draw| draw.all.each_ref().map(|figures| figures[figure]);
        let interval = interval(&value, together);
        FigureComparison {
            name: figure.name().to_owned(),
            verdict: Verdict::from_interval(&interval, units, chance),
            interval,
        }
    });
    let per_class = a.per_class.iter().enumerate().map(|(at, class)| {
        let value = |draw: &Draw| {
            draw.classes[at]
                .each_ref()
                .map(|figures| figures[TrackFigure::Hota])
        };
        let hota = interval(&value, classes.len());
        let with_objects = runs[1]
            .0
            .iter()
            .filter(|unit| unit[at].truth_boxes > 0)
            .count();
        ClassComparison {
            name: class.name.clone(),
            objects: class.objects,
            verdict: Verdict::from_interval(&hota, with_objects, chance / classes.len() as f64),
            hota,
        }
    });
    let counts = TrackFigure::ALL
        .into_iter()
        .filter(|figure| figure.is_count());
    let mut comparison = TrackComparison {
        regression: false,
        a: TrackRun::new(a_file, a),
        b: TrackRun::new(b_file, b),
        notes: notes(a, b, unit),
        sequences: a.sequences.len(),
        frames: a.frames(),
        figures: figures.to_vec(),
        per_class: per_class.collect(),
        counts: counts
            .map(|figure| (figure, a.combined[figure], b.combined[figure]))
            .collect(),
        rule: TrackRule {
            unit,
            units,
            confidence: settings.confidence,
            resamples: settings.resamples,
            seed: settings.seed,
        },
    };
    comparison.regression = !comparison.regressions().is_empty();
    Ok(comparison)
}

impl TrackRun {
    fn new(file: &str, evaluation: &TrackEvaluation) -> Self {
        Self {
            file: file.to_owned(),
            tracks: evaluation.dataset.tracks.clone(),
        }
    }
}

impl TrackComparison {
    /// The rows that are worse, each in a few words.
    pub fn regressions(&self) -> Vec<String> {
        let line = |name: &str, interval: &Interval| {
            let (a, b, difference) = (interval.a?, interval.b?, interval.difference?);
            let (low, high) = (difference.low, difference.high);
            Some(format!(
                "{name}: {a:.4} to {b:.4}, a difference of {low:+.4} to {high:+.4}"
            ))
        };
        let figures = self
            .figures
            .iter()
            .filter(|row| row.verdict == Verdict::Worse);
        let classes = self
            .per_class
            .iter()
            .filter(|row| row.verdict == Verdict::Worse);
        let figures = figures.filter_map(|row| line(&row.name, &row.interval));
        let classes = classes.filter_map(|row| line(&format!("HOTA of {}", row.name), &row.hota));
        figures.chain(classes).collect()
    }
}

impl Units {
    fn new(run: &TrackEvaluation, classes: &[&String], unit: Unit) -> Self {
        let mut units = Vec::new();
        for sequence in &run.sequences {
            // both runs have the same parts, even where one has no track in the last of them
            let parts = match unit {
                Unit::Sequence => 1,
                Unit::Part => sequence.length.div_ceil(PART_FRAMES),
            };
            for part in 0..parts {
                let of_class = |class: &&String| {
                    let counts = &sequence.parts[*class];
                    match unit {
                        Unit::Sequence => Counts::total(counts),
                        Unit::Part => counts.get(part).cloned().unwrap_or_default(),
                    }
                };
                units.push(classes.iter().map(of_class).collect());
            }
        }
        Self(units)
    }
}

/// The figures of both runs on what was drawn.
struct Draw {
    all: [TrackFigures; 2],
    classes: Vec<[TrackFigures; 2]>,
}

impl Draw {
    fn new(runs: &[Units; 2], weights: &[u32], classes: usize) -> Self {
        let of_run = runs.each_ref().map(|run| {
            let mut totals = vec![Counts::default(); classes];
            for (unit, &times) in run.0.iter().zip(weights).filter(|(_, times)| **times > 0) {
                for (total, counts) in totals.iter_mut().zip(unit) {
                    total.add(counts, times);
                }
            }
            totals
        });
        let figures = |class: usize| {
            of_run
                .each_ref()
                .map(|totals| TrackFigures::new(&totals[class]))
        };
        Self {
            all: of_run
                .each_ref()
                .map(|totals| TrackFigures::new(&Counts::total(totals))),
            classes: (0..classes).map(figures).collect(),
        }
    }
}

/// One for each resample, in an order that does not depend on the threads.
fn draw(
    runs: &[Units; 2],
    units: usize,
    classes: usize,
    settings: &TrackCompareSettings,
) -> Vec<Draw> {
    let mut seeds = fastrand::Rng::with_seed(settings.seed);
    let seeds: Vec<u64> = std::iter::repeat_with(|| seeds.u64(..))
        .take(settings.resamples)
        .collect();
    let one = |&seed: &u64| Draw::new(runs, &weights(units, seed), classes);
    parallel::map(&seeds, settings.threads, one)
}

/// Fails unless both are of the same truth.
fn check(
    (a_file, a): (&str, &TrackEvaluation),
    (b_file, b): (&str, &TrackEvaluation),
) -> Result<(), TrackCompareError> {
    let sequences = |run: &TrackEvaluation| {
        let sequences = run.sequences.iter();
        sequences
            .map(|s| s.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let classes = |run: &TrackEvaluation| {
        let objects: BTreeMap<_, _> = run
            .per_class
            .iter()
            .map(|class| (&class.name, class.truth_boxes))
            .collect();
        let told = objects
            .iter()
            .map(|(name, boxes)| format!("{name} ({boxes} boxes)"));
        told.collect::<Vec<_>>().join(", ")
    };
    let facts: [(&'static str, [String; 2]); 4] = [
        (
            "protocol",
            [a, b].map(|run| run.dataset.protocol.to_string()),
        ),
        ("sequences", [a, b].map(sequences)),
        ("objects", [a, b].map(classes)),
        (
            "truth (sha256)",
            [a, b].map(|run| run.dataset.sha256.clone()),
        ),
    ];
    for (what, [found_a, found_b]) in facts {
        if found_a != found_b {
            return Err(TrackCompareError::Different {
                a: a_file.to_owned(),
                b: b_file.to_owned(),
                what,
                found_a,
                found_b,
            });
        }
    }
    Ok(())
}

fn notes(a: &TrackEvaluation, b: &TrackEvaluation, unit: Unit) -> Vec<String> {
    let mut notes = Vec::new();
    if unit == Unit::Part {
        let sequences = counted(a.sequences.len() as u64, "sequence");
        notes.push(format!(
            "{sequences} only: parts of {PART_FRAMES} frames are drawn, so the intervals tell nothing about other places"
        ));
    }
    for (name, run) in [("A", a), ("B", b)] {
        notes.extend(run.notes.iter().map(|note| format!("{name}: {note}")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{TRACK_COMPARE_SETTINGS, track_evaluation};

    fn compared(a: &TrackEvaluation, b: &TrackEvaluation) -> TrackComparison {
        compare_tracks(("a.json", a), ("b.json", b), &TRACK_COMPARE_SETTINGS).unwrap()
    }

    #[test]
    fn more_switches_are_worse_and_the_same_is_no_different() {
        let (steady, worse) = (track_evaluation(12, 0), track_evaluation(12, 2));
        let comparison = compared(&steady, &worse);
        let verdict = |name: &str| {
            let mut figures = comparison.figures.iter();
            figures.find(|row| row.name == name).map(|row| row.verdict)
        };
        assert_eq!(verdict("HOTA"), Some(Verdict::Worse));
        assert_eq!(verdict("IDF1"), Some(Verdict::Worse));
        assert_eq!(verdict("DetA"), Some(Verdict::NoDifference));
        assert_eq!(comparison.per_class[0].verdict, Verdict::Worse);
        assert_eq!(comparison.rule.unit, Unit::Sequence);
        assert!(comparison.regression);
        assert!(!compared(&steady, &steady).regression);
        let better = compared(&worse, &steady);
        assert!(!better.regression && better.figures[0].verdict == Verdict::Better);
    }

    #[test]
    fn few_sequences_are_compared_by_their_parts() {
        let (a, b) = (track_evaluation(5, 0), track_evaluation(5, 4));
        let comparison = compared(&a, &b);
        assert_eq!(
            (comparison.rule.unit, comparison.rule.units),
            (Unit::Part, 10)
        );
        assert_eq!(comparison.figures[0].verdict, Verdict::Worse);
        let one = compared(&track_evaluation(1, 0), &track_evaluation(1, 4));
        assert_eq!(one.figures[0].verdict, Verdict::TooFewImages);
        assert!(
            one.notes[0].contains("parts of 50 frames"),
            "{:?}",
            one.notes
        );
    }

    #[test]
    fn other_truth_is_refused() {
        let a = track_evaluation(2, 0);
        let refusal = |b: &TrackEvaluation| {
            let error = compare_tracks(("a.json", &a), ("b.json", b), &TRACK_COMPARE_SETTINGS);
            error.unwrap_err().to_string()
        };
        assert!(refusal(&track_evaluation(3, 0)).contains("expected the same sequences"));
        let mut other = a.clone();
        other.dataset.sha256 = "bb".to_owned();
        assert!(refusal(&other).contains("truth (sha256), found aa and bb"));
    }

    #[test]
    fn threads_change_nothing() {
        let (a, b) = (track_evaluation(11, 1), track_evaluation(11, 2));
        let four = TrackCompareSettings {
            threads: 4,
            ..TRACK_COMPARE_SETTINGS
        };
        let parallel = compare_tracks(("a.json", &a), ("b.json", &b), &four).unwrap();
        assert_eq!(compared(&a, &b), parallel);
    }
}
