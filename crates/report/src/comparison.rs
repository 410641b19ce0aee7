//! The report of a comparison: one HTML file that holds all it shows and asks nobody for anything.

use std::time::SystemTime;

use serde::Serialize;

use super::change_pictures::ChangePictures;
use super::evaluation::PictureView;
use super::format::{count, counted, figure, fraction, ms_column, utc};
use super::html::{ReportError, embedded_json, page};
use shuffledet_core::Stage;
use shuffledet_eval::compare::{ChangeKind, ChangedImage, Verdict};
use shuffledet_eval::{Comparison, DifferenceInterval, Interval};

const TEMPLATE: &str = include_str!("comparison.html");
const IMAGES_SHOWN: usize = 200;

/// What the report is made of.
pub struct ComparisonReport<'a> {
    pub comparison: &'a Comparison,
    pub pictures: &'a ChangePictures,
    pub generated_at: SystemTime,
}

/// The report as the text of an HTML file.
pub fn render(report: &ComparisonReport<'_>) -> Result<String, ReportError> {
    page("comparison.html", TEMPLATE, Page::new(report)?)
}

/// What the template shows, every figure written out. Fields named `data` or `uri` are inserted as they are.
#[derive(Serialize)]
struct Page<'a> {
    data: String,
    title: String,
    generated: String,
    headline: String,
    key_figures: Vec<(String, &'static str)>,
    comparison: &'a Comparison,
    sha256: [String; 2],
    images: String,
    regressions: Vec<String>,
    differences: Vec<[String; 3]>,
    figures: Vec<Row<'a>>,
    classes: Vec<Row<'a>>,
    failures: Option<[String; 2]>,
    failures_tag: &'static str,
    latency: Vec<LatencyView>,
    changes: [(&'static str, String, Option<String>); 4],
    changed: Vec<ChangedView>,
    changed_more: Option<String>,
    pictures: [(&'static str, Vec<PictureView<'a>>); 3],
    confidence: String,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// Of a class.
    objects: String,
    /// A, B, difference, interval.
    cells: [String; 4],
    verdict: &'static str,
    tag: &'static str,
}

#[derive(Serialize)]
struct LatencyView {
    name: &'static str,
    /// Medians, 99 % quantiles, ratio, p.
    cells: [String; 6],
    verdict: &'static str,
    tag: &'static str,
}

#[derive(Serialize)]
struct ChangedView {
    image: String,
    appeared: usize,
    vanished: usize,
    moved: usize,
}

/// What the page calls it.
fn tag(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "passed",
        Verdict::Worse => "failed",
        Verdict::NoDifference | Verdict::TooFewImages | Verdict::NotJudged => "",
    }
}

impl<'a> Page<'a> {
    fn new(report: &ComparisonReport<'a>) -> Result<Self, ReportError> {
        #[derive(Serialize)]
        struct Data<'a> {
            generated_at: &'a str,
            comparison: &'a Comparison,
        }
        let (comparison, pictures) = (report.comparison, report.pictures);
        let generated = utc(report.generated_at);
        let changes = &comparison.changes;
        let more = changes.images.len().saturating_sub(IMAGES_SHOWN) as u64;
        let both = counted(comparison.images.both as u64, "image");
        let failures = comparison.failures;
        let views = |pictures: &'a [super::mistakes::MistakePicture]| -> Vec<PictureView<'a>> {
            pictures.iter().map(PictureView::new).collect()
        };
        Ok(Page {
            data: embedded_json(&Data {
                generated_at: &generated,
                comparison,
            })?,
            title: format!(
                "{} against {}",
                comparison.b.model.name, comparison.a.model.name
            ),
            headline: format!("B compared with A on {both} in common."),
            key_figures: key_figures(comparison),
            sha256: [&comparison.a, &comparison.b]
                .map(|run| run.model.sha256.chars().take(12).collect()),
            images: both,
            regressions: comparison.regressions(),
            differences: comparison
                .differences
                .iter()
                .map(|difference| {
                    let [a, b] = difference.values();
                    [difference.key.clone(), a, b]
                })
                .collect(),
            figures: comparison
                .figures
                .iter()
                .map(|row| Row::new(&row.name, String::new(), &row.interval, row.verdict))
                .collect(),
            classes: comparison
                .per_class
                .iter()
                .map(|class| {
                    let objects = count(class.instances as u64);
                    Row::new(&class.name, objects, &class.ap, class.verdict)
                })
                .collect(),
            failures: (failures.a + failures.b > 0)
                .then(|| [failures.a, failures.b].map(|n| count(n as u64))),
            failures_tag: tag(failures.verdict),
            latency: comparison.latency.iter().map(LatencyView::new).collect(),
            changes: [
                ("unchanged", changes.unchanged, None),
                ("moved", changes.moved, None),
                ("appeared", changes.appeared, Some(changes.appeared_right)),
                ("vanished", changes.vanished, Some(changes.vanished_right)),
            ]
            .map(|(name, n, right)| (name, count(n as u64), right.map(|n| count(n as u64)))),
            changed: changes
                .images
                .iter()
                .take(IMAGES_SHOWN)
                .map(ChangedView::new)
                .collect(),
            changed_more: (more > 0).then(|| count(more)),
            pictures: [
                ("appeared", views(&pictures.appeared)),
                ("vanished", views(&pictures.vanished)),
                ("moved", views(&pictures.moved)),
            ],
            confidence: format!("{} %", 100.0 * comparison.rule.confidence),
            generated,
            comparison,
        })
    }
}

fn key_figures(comparison: &Comparison) -> Vec<(String, &'static str)> {
    let mut figures = Vec::new();
    if let Some(row) = comparison.figures.first() {
        figures.push((fraction(row.interval.a), "AP of A"));
        figures.push((fraction(row.interval.b), "AP of B"));
    }
    let mut stages = comparison.latency.iter();
    if let Some(row) = stages.find(|row| row.stage == Stage::Total) {
        figures.push((figure(row.test.median_a), "ms per image, A"));
        figures.push((figure(row.test.median_b), "ms per image, B"));
    }
    figures
}

impl<'a> Row<'a> {
    fn new(name: &'a str, objects: String, interval: &Interval, verdict: Verdict) -> Self {
        let differing = |text: fn(&DifferenceInterval) -> String| {
            let difference = interval.difference.as_ref();
            difference.map_or_else(|| "–".to_owned(), text)
        };
        Row {
            name,
            objects,
            cells: [
                fraction(interval.a),
                fraction(interval.b),
                differing(|d| format!("{:+.4}", d.value)),
                differing(|d| format!("{:+.4} to {:+.4}", d.low, d.high)),
            ],
            verdict: verdict.text(),
            tag: tag(verdict),
        }
    }
}

impl LatencyView {
    fn new(row: &shuffledet_eval::compare::LatencyRow) -> Self {
        let test = &row.test;
        LatencyView {
            name: row.stage.name(),
            cells: [
                ms_column(test.median_a),
                ms_column(test.median_b),
                ms_column(row.p99_a),
                ms_column(row.p99_b),
                test.ratio
                    .map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
                format!("{:.1e}", test.p_value),
            ],
            verdict: row.verdict.text(),
            tag: tag(row.verdict),
        }
    }
}

impl ChangedView {
    fn new(image: &ChangedImage) -> Self {
        let count = |kind| {
            image
                .changes
                .iter()
                .filter(|change| change.kind == kind)
                .count()
        };
        ChangedView {
            image: image.source.title(),
            appeared: count(ChangeKind::Appeared),
            vanished: count(ChangeKind::Vanished),
            moved: count(ChangeKind::Moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use shuffledet_eval::fixtures::{COMPARE_SETTINGS, noisy_images, subject};
    use shuffledet_eval::{Evaluation, Problems, compare};

    use super::*;
    use crate::change_pictures::pictures;
    use crate::comparison_table::ComparisonTable;
    use crate::mistakes::PictureFiles;

    #[test]
    fn foreign_text_stays_text_in_table_and_report() {
        const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&\u{1b}[2J";
        let run = |shift| {
            let mut subject = subject();
            subject.model.name = HOSTILE.to_owned();
            subject.provider = format!("{HOSTILE}{shift}");
            subject.dataset.categories[0].name = HOSTILE.to_owned();
            let images = noisy_images(30, shift, 20.0, 1);
            Evaluation::new(subject, Problems::default(), images, 1.0, 1).unwrap()
        };
        let (a, b) = (run(1.0), run(30.0));
        let comparison = compare((HOSTILE, &a), (HOSTILE, &b), &COMPARE_SETTINGS).unwrap();
        let comparison = &comparison;
        let pictures =
            &pictures(comparison, &b, |_| Ok::<_, Infallible>(PictureFiles::new())).unwrap();
        assert!(!pictures.moved.is_empty());
        let generated_at = SystemTime::UNIX_EPOCH;
        let report = ComparisonReport {
            comparison,
            pictures,
            generated_at,
        };
        let page = render(&report).unwrap();
        assert!(!page.contains("<img src=x") && page.contains("image not available"));
        assert_eq!(page.matches("</script>").count(), 1);
        let colour = false;
        let table = ComparisonTable { comparison, colour };
        let table = table.to_string();
        assert!(
            !table.contains('\u{1b}') && table.contains("worse       AP: "),
            "{table}"
        );
    }
}
