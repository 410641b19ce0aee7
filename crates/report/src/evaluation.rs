//! The report of an evaluation: one HTML file that holds all it shows and asks nobody for anything.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::confusion::Matrix;
use super::curves::{CLASSES_SHOWN, precision_recall, small_curve};
use super::evaluation_table::{band_name, occurring, verdict_texts};
use super::format::{count, counted, figure, fraction, jpeg_uri, utc};
use super::html::{LegendRow, Plot, ReportError, embedded_json, last_part, page};
use super::mistakes::{MistakePicture, MistakePictures};
use super::stages::{self, StageRow, stage_rows};
use super::time_axis::{NARROW, WIDE};
use super::{input_sizes, sum};
use shuffledet_core::Bin;
use shuffledet_eval::budget::Verdict;
use shuffledet_eval::{DistanceBand, Evaluation, Figure};

const TEMPLATE: &str = include_str!("evaluation.html");
/// Classes with a curve of their own.
const CURVES_SHOWN: usize = 24;

/// What the report is made of.
pub struct EvaluationReport<'a> {
    pub evaluation: &'a Evaluation,
    /// Of the budget; empty where there is none.
    pub verdicts: &'a [Verdict],
    pub mistakes: &'a MistakePictures,
    pub generated_at: SystemTime,
}

/// The report as the text of an HTML file.
pub fn render(report: &EvaluationReport<'_>) -> Result<String, ReportError> {
    page("evaluation.html", TEMPLATE, Page::new(report)?)
}

/// What the template shows, every figure written out. Fields that end in `_svg` or are named `data` or `uri`
/// are inserted as they are.
#[derive(Serialize)]
struct Page<'a> {
    data: String,
    title: String,
    generated: String,
    headline: String,
    failed_total: Option<String>,
    problem_total: Option<String>,
    budget_failed: Option<String>,
    figures: Vec<(String, &'static str)>,
    evaluation: &'a Evaluation,
    images: String,
    sha256_short: String,
    model_kind: String,
    /// Empty if it is not known.
    inputs: String,
    counted: String,
    shard: Option<String>,
    verdicts: Vec<VerdictRow<'a>>,
    coco: [[(&'static str, String, &'static str); 6]; 2],
    classes: Vec<ClassRow<'a>>,
    absent: Vec<&'a str>,
    curves: Option<Plot>,
    legend: Vec<LegendRow>,
    small_curves: Vec<(&'a str, String, String)>,
    confusion: Matrix,
    bands: Vec<[String; 6]>,
    false_positives: Vec<PictureView<'a>>,
    misses: Vec<PictureView<'a>>,
    false_positive_count: String,
    miss_count: String,
    problems: Vec<(String, String)>,
    failures: Vec<(String, String)>,
    failures_more: Option<String>,
    stages: Vec<StageRow>,
    configuration: String,
}

#[derive(Serialize)]
pub(super) struct VerdictRow<'a> {
    condition: &'a str,
    value: String,
    margin: String,
    passed: bool,
}

#[derive(Serialize)]
struct ClassRow<'a> {
    name: &'a str,
    objects: String,
    /// AP, AP50, AP75, APs, APm, APl, F1, its threshold, precision and recall there.
    cells: [String; 10],
}

#[derive(Serialize)]
pub(super) struct PictureView<'a> {
    uri: Option<String>,
    caption: &'a str,
    image: &'a str,
}

/// What stands in the page for programs.
#[derive(Serialize)]
struct Data<'a> {
    generated_at: &'a str,
    evaluation: &'a Evaluation,
    budget: Vec<BudgetData<'a>>,
    histograms: BTreeMap<&'static str, Vec<Bin>>,
}

#[derive(Serialize)]
struct BudgetData<'a> {
    condition: &'a str,
    value: Option<f64>,
    margin: Option<f64>,
    passed: bool,
}

impl<'a> Page<'a> {
    fn new(report: &EvaluationReport<'a>) -> Result<Self, ReportError> {
        const FAILURES_SHOWN: usize = 100;
        let evaluation = report.evaluation;
        let subject = &evaluation.subject;
        let histograms = evaluation.histograms();
        let quantiles = histograms.quantiles();
        let generated = utc(report.generated_at);
        let failed = sum(&evaluation.frames.failed);
        let problems = evaluation.problems.total();
        let over = report.verdicts.iter().filter(|v| !v.passed).count() as u64;
        let classes = occurring(evaluation);
        let absent = evaluation.accuracy.per_class.iter();
        let positive = |n: u64| (n > 0).then(|| count(n));
        Ok(Page {
            data: embedded_json(&Data {
                generated_at: &generated,
                evaluation,
                budget: report.verdicts.iter().map(BudgetData::new).collect(),
                histograms: stages::bins(&quantiles, &histograms),
            })?,
            title: format!(
                "{} on {}",
                subject.model.name,
                last_part(&subject.dataset.images_in)
            ),
            headline: headline(evaluation),
            failed_total: positive(failed),
            problem_total: positive(problems),
            budget_failed: positive(over),
            figures: key_figures(evaluation),
            images: counted(subject.dataset.image_count, "image"),
            sha256_short: subject.model.short_sha256(),
            model_kind: subject.model.kind(),
            inputs: input_sizes(&evaluation.input_sizes),
            counted: subject.settings.counted(),
            shard: subject.shard.map(|shard| shard.to_string()),
            verdicts: report.verdicts.iter().map(VerdictRow::new).collect(),
            coco: coco(evaluation),
            absent: absent
                .filter(|c| c.instances == 0)
                .map(|c| c.name.as_str())
                .collect(),
            curves: (!classes.is_empty()).then(|| Plot {
                wide_svg: precision_recall(&classes, WIDE),
                narrow_svg: precision_recall(&classes, NARROW),
            }),
            legend: (0..)
                .zip(classes.iter().take(CLASSES_SHOWN))
                .map(|(i, class)| LegendRow {
                    class: format!("c{i}"),
                    label: class.name.clone(),
                    count: fraction(class.figures[Figure::Ap50]),
                })
                .collect(),
            small_curves: classes
                .iter()
                .take(CURVES_SHOWN)
                .map(|class| {
                    (
                        class.name.as_str(),
                        fraction(class.figures[Figure::Ap50]),
                        small_curve(class),
                    )
                })
                .collect(),
            classes: classes
                .iter()
                .map(|class| ClassRow {
                    name: &class.name,
                    objects: count(class.instances as u64),
                    cells: [
                        class.figures[Figure::Ap],
                        class.figures[Figure::Ap50],
                        class.figures[Figure::Ap75],
                        class.figures[Figure::ApSmall],
                        class.figures[Figure::ApMedium],
                        class.figures[Figure::ApLarge],
                        class.f1,
                        class.best_threshold,
                        class.precision,
                        class.recall,
                    ]
                    .map(short_fraction),
                })
                .collect(),
            confusion: Matrix::new(&evaluation.accuracy.confusion),
            bands: evaluation.distance.iter().flatten().map(band_row).collect(),
            false_positives: report
                .mistakes
                .false_positives
                .iter()
                .map(PictureView::new)
                .collect(),
            misses: report
                .mistakes
                .misses
                .iter()
                .map(PictureView::new)
                .collect(),
            false_positive_count: counted(
                report.mistakes.false_positive_count as u64,
                "false positive",
            ),
            miss_count: counted(report.mistakes.miss_count as u64, "object"),
            problems: evaluation
                .problems
                .iter()
                .map(|(problem, found)| (problem.counted(found.count), found.first.join("; ")))
                .collect(),
            failures: evaluation
                .images
                .iter()
                .filter_map(|image| {
                    Some((image.source.title(), image.failure.as_ref()?.to_string()))
                })
                .take(FAILURES_SHOWN)
                .collect(),
            failures_more: positive(failed.saturating_sub(FAILURES_SHOWN as u64)),
            stages: stage_rows(&quantiles, &histograms),
            configuration: serde_yaml::to_string(&subject.parameters).unwrap_or_default(),
            generated,
            evaluation,
        })
    }
}

impl<'a> VerdictRow<'a> {
    pub(super) fn new(verdict: &'a Verdict) -> Self {
        let (value, margin) = verdict_texts(verdict);
        VerdictRow {
            condition: &verdict.condition,
            value,
            margin,
            passed: verdict.passed,
        }
    }
}

impl<'a> BudgetData<'a> {
    fn new(verdict: &'a Verdict) -> Self {
        BudgetData {
            condition: &verdict.condition,
            value: verdict.value,
            margin: verdict.margin,
            passed: verdict.passed,
        }
    }
}

impl<'a> PictureView<'a> {
    pub fn new(picture: &'a MistakePicture) -> Self {
        PictureView {
            uri: picture.jpeg.as_deref().map(jpeg_uri),
            caption: &picture.caption,
            image: &picture.image,
        }
    }
}

fn band_row(band: &DistanceBand) -> [String; 6] {
    [
        band_name(band),
        count(band.objects),
        count(band.true_positives),
        count(band.false_positives),
        fraction(band.precision),
        fraction(band.recall),
    ]
}

fn headline(evaluation: &Evaluation) -> String {
    let objects: usize = evaluation
        .accuracy
        .per_class
        .iter()
        .map(|class| class.instances)
        .sum();
    let frames = &evaluation.frames;
    format!(
        "{} of {} evaluated, with {} of {}.",
        count(frames.published),
        counted(frames.received, "image"),
        counted(objects as u64, "object"),
        match occurring(evaluation).len() {
            1 => "one class".to_owned(),
            n => format!("{n} classes"),
        }
    )
}

fn key_figures(evaluation: &Evaluation) -> Vec<(String, &'static str)> {
    let all = &evaluation.accuracy.figures;
    let mut figures = vec![
        (short_fraction(all[Figure::Ap]), "mAP, IoU 0.50 to 0.95"),
        (short_fraction(all[Figure::Ap50]), "mAP at IoU 0.50"),
        (short_fraction(all[Figure::Ar100]), "average recall"),
        (figure(evaluation.throughput.fps), "images per second"),
    ];
    if let Some(total) = evaluation.latency_ms.get(&shuffledet_core::Stage::Total) {
        figures.push((figure(total.p99), "ms of processing per image, p99"));
    }
    figures
}

fn coco(evaluation: &Evaluation) -> [[(&'static str, String, &'static str); 6]; 2] {
    let all = &evaluation.accuracy.figures;
    let cell = |figure: Figure| (figure.name(), fraction(all[figure]), meaning(figure));
    let [precision, recall] = [0, 6].map(|first| std::array::from_fn(|at| Figure::ALL[first + at]));
    [precision.map(cell), recall.map(cell)]
}

/// What is averaged, below the name of a figure.
fn meaning(figure: Figure) -> &'static str {
    match figure {
        Figure::Ap => "IoU 0.50 to 0.95",
        Figure::Ap50 => "IoU 0.50",
        Figure::Ap75 => "IoU 0.75",
        Figure::ApSmall | Figure::ArSmall => "small, to 32²",
        Figure::ApMedium | Figure::ArMedium => "medium",
        Figure::ApLarge | Figure::ArLarge => "large, from 96²",
        Figure::Ar1 => "1 detection",
        Figure::Ar10 => "10 detections",
        Figure::Ar100 => "all",
    }
}

/// For a column of many.
fn short_fraction(value: Option<f64>) -> String {
    value.map_or_else(|| fraction(None), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use shuffledet_eval::fixtures::evaluation;

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&";

    fn page_of(evaluation: &Evaluation, mistakes: &MistakePictures) -> String {
        let verdicts = [Verdict {
            condition: HOSTILE.to_owned(),
            value: None,
            margin: None,
            passed: false,
        }];
        render(&EvaluationReport {
            evaluation,
            verdicts: &verdicts,
            mistakes,
            generated_at: UNIX_EPOCH,
        })
        .unwrap()
    }

    #[test]
    fn foreign_text_stays_text_wherever_it_is_shown() {
        let mut evaluation = evaluation();
        let hostile = HOSTILE.to_owned();
        evaluation.accuracy.per_class[0].name = hostile.clone();
        evaluation.accuracy.per_class[1].name = hostile.clone();
        evaluation.accuracy.confusion.labels[0] = hostile.clone();
        evaluation.images[2].failure = Some(hostile.clone().into());
        let subject = &mut evaluation.subject;
        subject.model.name = hostile.clone();
        subject.model.sha256 = hostile.clone();
        subject.provider = hostile.clone();
        subject.dataset.annotations = hostile.clone();
        subject.dataset.images_in = hostile.clone();
        subject.machines[0].hostname = hostile.clone();
        subject.versions = [(hostile.clone(), hostile.clone())].into();
        subject.parameters = serde_json::json!({ HOSTILE: HOSTILE });
        let picture = MistakePicture {
            caption: hostile.clone(),
            image: hostile,
            jpeg: Some(vec![0xff, 0xd8]),
        };
        let mistakes = MistakePictures {
            false_positives: vec![picture],
            false_positive_count: 1,
            ..MistakePictures::default()
        };
        let page = page_of(&evaluation, &mistakes);
        assert!(!page.contains("<img src=x") && !page.contains("onerror=alert(1)>"));
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("</script>").count(), 1);
    }

    #[test]
    fn without_objects_and_images_there_is_a_report() {
        let mut evaluation = evaluation();
        evaluation.images.clear();
        evaluation.latency_ms.clear();
        for class in &mut evaluation.accuracy.per_class {
            class.instances = 0;
        }
        let page = page_of(&evaluation, &MistakePictures::default());
        assert!(!page.contains("id=\"curves\"") && !page.contains("id=\"wrong\""));
        assert!(page.contains("2 classes without objects") || page.contains("id=\"confusion\""));
    }
}
