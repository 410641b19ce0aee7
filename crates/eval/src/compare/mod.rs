//! Is B better than A? Two evaluations of the same images, and which of their differences are more than chance.
//!
//! `docs/evaluation.md` states the rules of the verdicts.

mod changes;
mod latency;
mod pairs;

use serde::Serialize;

pub use changes::{Change, ChangeKind, ChangedImage, Changes, Side};
pub use latency::{LatencyRow, LatencyRule};
pub use pairs::{CompareError, Images};

use super::subject::{Difference, differing};
use super::{
    BootstrapSettings, DifferenceInterval, Evaluation, ImageRecord, Interval, paired_bootstrap,
};
use pairs::Pairs;
use shuffledet_core::ModelIdentity;
use shuffledet_core::count::counted;

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompareSettings {
    /// `max_detections` is taken from the evaluations.
    pub bootstrap: BootstrapSettings,
    pub latency: LatencyRule,
    /// Detections that score more are looked at one by one.
    pub operating_score: f64,
    /// Whether to go on where the annotations differ, by those of B.
    pub allow_different_truth: bool,
}

/// What a row of the comparison says of B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Worse,
    /// What is seen may be chance, or is too small to matter.
    NoDifference,
    /// Not even if all images with such objects agreed would they tell it from chance.
    TooFewImages,
    /// Shown for information.
    NotJudged,
}

impl Verdict {
    /// Returns the verdict as a text for people.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::NoDifference => "no difference shown",
            Verdict::TooFewImages => "too few images",
            Verdict::NotJudged => "not judged",
        }
    }

    /// Judges a difference whose `images` have objects that count. The interval leaves out the
    /// share `chance`.
    fn from_interval(interval: &Interval, images: usize, chance: f64) -> Self {
        // as likely as that many coins all fall on one side
        let agreement = 0.5_f64.powi(images.saturating_sub(1).min(1000) as i32);
        match interval.is_significant() {
            _ if agreement > chance => Verdict::TooFewImages,
            true if interval.difference.is_some_and(|d| d.value > 0.0) => Verdict::Better,
            true => Verdict::Worse,
            false => Verdict::NoDifference,
        }
    }
}

/// Everything that a comparison shows. Serializes to what `compare --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Whether any row is worse.
    pub regression: bool,
    pub a: Run,
    pub b: Run,
    /// In model, parameters, versions, annotations and settings.
    pub differences: Vec<Difference>,
    /// What a reader of the rest should know.
    pub notes: Vec<String>,
    pub images: Images,
    /// COCO's twelve.
    pub figures: Vec<FigureRow>,
    pub per_class: Vec<ClassRow>,
    pub failures: FailureRow,
    /// By stage.
    pub latency: Vec<LatencyRow>,
    pub changes: Changes,
    pub rule: Rule,
}

/// One of the two evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Where it was read from.
    pub file: String,
    pub model: ModelIdentity,
    pub images: usize,
}

/// What the verdicts are made by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rule {
    pub confidence: f64,
    pub resamples: usize,
    pub seed: u64,
    pub latency: LatencyRule,
}

/// One of COCO's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureRow {
    /// As `AP50`.
    pub name: String,
    #[serde(flatten)]
    pub interval: Interval,
    pub verdict: Verdict,
}

/// A class that has objects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRow {
    pub name: String,
    pub id: u64,
    /// Objects that count.
    pub instances: usize,
    /// Images that have some.
    pub images: usize,
    #[serde(rename = "AP")]
    pub ap: Interval,
    #[serde(rename = "AP50")]
    pub ap50: Interval,
    /// By AP.
    pub verdict: Verdict,
}

/// Images that could not be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FailureRow {
    pub a: usize,
    pub b: usize,
    /// Any more is worse: nothing about it is chance.
    pub verdict: Verdict,
}

/// Compares two evaluations, each with where it was read from.
///
/// # Errors
/// They have no image or not the same categories in common, or other annotations in an image that both have.
pub fn compare(
    (a_file, a): (&str, &Evaluation),
    (b_file, b): (&str, &Evaluation),
    settings: &CompareSettings,
) -> Result<Comparison, CompareError> {
    let pairs = Pairs::new((a_file, a), (b_file, b), settings.allow_different_truth)?;
    let (records_a, records_b) = pairs.records();
    let categories = &b.subject.dataset.categories;
    let most = a.subject.settings.max_detections;
    let bootstrap = BootstrapSettings {
        max_detections: most.max(b.subject.settings.max_detections),
        ..settings.bootstrap
    };
    let differences = paired_bootstrap(categories, &records_a, &records_b, &bootstrap)?;
    let counting = |is_counted: &dyn Fn(u64) -> bool| {
        let objects = records_b.iter().map(|record| {
            let objects = record.objects.iter().filter(|o| !o.iscrowd && !o.ignore);
            objects
                .filter(|object| is_counted(object.category_id))
                .count()
        });
        let objects: Vec<usize> = objects.filter(|&count| count > 0).collect();
        (objects.len(), objects.iter().sum::<usize>())
    };
    let chance = 1.0 - bootstrap.confidence;
    let (images_with_objects, _) = counting(&|_| true);
    let figures = differences.figures.into_iter().map(|figure| FigureRow {
        verdict: Verdict::from_interval(&figure.interval, images_with_objects, chance),
        name: figure.name,
        interval: figure.interval,
    });
    let class_chance = chance / differences.per_class.len().max(1) as f64;
    let per_class = differences.per_class.into_iter().map(|class| {
        let (images, instances) = counting(&|id| id == class.id);
        ClassRow {
            verdict: Verdict::from_interval(&class.ap, images, class_chance),
            images,
            instances,
            name: class.name,
            id: class.id,
            ap: class.ap,
            ap50: class.ap50,
        }
    });
    let same_machine = a.subject.machines == b.subject.machines;
    let latency = latency::rows(&records_a, &records_b, &settings.latency, same_machine);
    let mut comparison = Comparison {
        regression: false,
        a: Run::new(a_file, a),
        b: Run::new(b_file, b),
        differences: differing(&a.subject.identity(), &b.subject.identity()),
        notes: notes(a, b, &pairs.images, same_machine),
        figures: figures.collect(),
        per_class: per_class.collect(),
        failures: FailureRow::new(&records_a, &records_b),
        latency,
        changes: changes::changes(categories, &records_a, &records_b, settings.operating_score),
        images: pairs.images,
        rule: Rule {
            confidence: bootstrap.confidence,
            resamples: bootstrap.resamples,
            seed: bootstrap.seed,
            latency: settings.latency,
        },
    };
    comparison.regression = comparison.verdicts().contains(&Verdict::Worse);
    Ok(comparison)
}

impl Run {
    fn new(file: &str, evaluation: &Evaluation) -> Self {
        Run {
            file: file.to_owned(),
            model: evaluation.subject.model.clone(),
            images: evaluation.images.len(),
        }
    }
}

impl FailureRow {
    fn new(a: &[&ImageRecord], b: &[&ImageRecord]) -> Self {
        let failed = |records: &[&ImageRecord]| {
            records
                .iter()
                .filter(|record| record.failure.is_some())
                .count()
        };
        let (a, b) = (failed(a), failed(b));
        let verdict = match b.cmp(&a) {
            std::cmp::Ordering::Less => Verdict::Better,
            std::cmp::Ordering::Equal => Verdict::NoDifference,
            std::cmp::Ordering::Greater => Verdict::Worse,
        };
        FailureRow { a, b, verdict }
    }
}

impl Comparison {
    /// Returns the verdicts of all rows.
    fn verdicts(&self) -> Vec<Verdict> {
        let figures = self.figures.iter().map(|row| row.verdict);
        let classes = self.per_class.iter().map(|row| row.verdict);
        let latency = self.latency.iter().map(|row| row.verdict);
        figures
            .chain(classes)
            .chain([self.failures.verdict])
            .chain(latency)
            .collect()
    }

    /// Describes each row that is worse in a few words.
    pub fn regressions(&self) -> Vec<String> {
        let worse = |verdict: Verdict| verdict == Verdict::Worse;
        let accuracy = |name: &str, interval: &Interval| {
            let Interval { a, b, difference } = interval;
            // what is worse has all three
            let (a, b, DifferenceInterval { low, high, .. }) =
                (a.as_ref()?, b.as_ref()?, difference.as_ref()?);
            Some(format!(
                "{name}: {a:.4} to {b:.4}, a difference of {low:+.4} to {high:+.4}"
            ))
        };
        let figures = self.figures.iter().filter(|row| worse(row.verdict));
        let mut lines: Vec<String> = figures
            .filter_map(|row| accuracy(&row.name, &row.interval))
            .collect();
        let classes = self.per_class.iter().filter(|row| worse(row.verdict));
        lines.extend(classes.filter_map(|row| accuracy(&format!("AP of {}", row.name), &row.ap)));
        if worse(self.failures.verdict) {
            let FailureRow { a, b, .. } = self.failures;
            lines.push(format!("images that could not be processed: {a} to {b}"));
        }
        let stages = self.latency.iter().filter(|row| worse(row.verdict));
        lines.extend(stages.map(|row| {
            let test = &row.test;
            format!(
                "{}: {:.3} to {:.3} ms, p = {:.1e}",
                row.stage.name(),
                test.median_a,
                test.median_b,
                test.p_value
            )
        }));
        lines
    }
}

fn notes(a: &Evaluation, b: &Evaluation, images: &Images, same_machine: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, only) in [("A", &images.only_a), ("B", &images.only_b)] {
        if !only.is_empty() {
            let (images, first) = (counted(only.len() as u64, "image"), &only[0]);
            notes.push(format!(
                "left out {images} that only {name} has, {first} first"
            ));
        }
    }
    if !images.other_truth.is_empty() {
        let (count, first) = (images.other_truth.len() as u64, &images.other_truth[0]);
        let images = counted(count, "image");
        notes.push(format!(
            "the annotations of {images} differ, {first} first; both are judged by those of B"
        ));
    }
    if !same_machine {
        notes.push(
            "A and B ran on different machines: latencies are shown and not judged".to_owned(),
        );
    } else if a.throughput.workers != b.throughput.workers {
        let (a, b) = (a.throughput.workers, b.throughput.workers);
        notes.push(format!(
            "A ran with {a} workers, B with {b}: that alone changes latencies"
        ));
    }
    for (name, evaluation) in [("A", a), ("B", b)] {
        if let Some(shard) = evaluation.subject.shard {
            notes.push(format!("{name} is shard {shard} only"));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
