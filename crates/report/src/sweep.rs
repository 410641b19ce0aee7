//! The report of a sweep: one HTML file that holds all it shows and asks nobody for anything.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::format::{count, counted, figure, fraction, utc};
use super::html::{Plot, ReportError, embedded_json, last_part, page};
use super::pareto::pareto;
use super::sweep_table::{order, parameters};
use super::time_axis::{NARROW, WIDE};
use shuffledet_eval::sweep::{SettingOutcome, SweepOutcome};

const TEMPLATE: &str = include_str!("sweep.html");

/// What the report is made of.
pub struct SweepReport<'a> {
    pub outcome: &'a SweepOutcome,
    /// The best setting as a parameter file; `None` where there is none.
    pub yaml: Option<&'a str>,
    pub generated_at: SystemTime,
}

/// The report as the text of an HTML file.
pub fn render(report: &SweepReport<'_>) -> Result<String, ReportError> {
    page("sweep.html", TEMPLATE, Page::new(report)?)
}

/// What the template shows, every figure written out. Fields that end in `_svg` or are named `style` or `data` are
/// inserted as they are.
#[derive(Serialize)]
struct Page<'a> {
    data: String,
    title: String,
    generated: String,
    headline: String,
    outcome: &'a SweepOutcome,
    objective: &'static str,
    best: Option<String>,
    figures: Vec<(String, &'static str)>,
    images: String,
    failed: Option<String>,
    measured: String,
    plot: Plot,
    rows: Vec<Row>,
    yaml: Option<&'a str>,
    versions: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Row {
    setting: String,
    /// F1, precision, recall, AP, AP50, detections, median latency.
    cells: [String; 7],
    /// Beaten by none.
    front: bool,
    best: bool,
}

impl Row {
    fn new(setting: &SettingOutcome, best: bool) -> Self {
        let SettingOutcome {
            f1,
            precision,
            recall,
            ap,
            ap50,
            ..
        } = *setting;
        let ms = setting
            .latency_ms
            .map_or("–".to_owned(), |ms| figure(ms.p50));
        Row {
            setting: parameters(setting),
            cells: [
                fraction(f1),
                fraction(precision),
                fraction(recall),
                fraction(ap),
                fraction(ap50),
                count(setting.detections as u64),
                ms,
            ],
            front: setting.pareto,
            best,
        }
    }
}

impl<'a> Page<'a> {
    fn new(report: &SweepReport<'a>) -> Result<Self, ReportError> {
        #[derive(Serialize)]
        struct Data<'a> {
            generated_at: &'a str,
            sweep: &'a SweepOutcome,
        }
        let outcome = report.outcome;
        let generated = utc(report.generated_at);
        let settings = &outcome.settings;
        let best = outcome.best.map(|best| &settings[best]);
        let figures = best.map(|best| {
            let mut figures = vec![
                (fraction(best.f1), "F1"),
                (fraction(best.precision), "precision"),
                (fraction(best.recall), "recall"),
                (fraction(best.ap), "AP of the remaining detections"),
            ];
            figures.extend(best.latency_ms.map(|ms| (figure(ms.p50), "ms, median")));
            figures
        });
        let count_of = counted(settings.len() as u64, "setting");
        let images = counted(outcome.images as u64, "image");
        Ok(Page {
            data: embedded_json(&Data {
                generated_at: &generated,
                sweep: outcome,
            })?,
            title: format!("{count_of} on {}", last_part(&outcome.images_in)),
            headline: match best {
                Some(best) => format!("Best {}: {}", outcome.objective.name(), parameters(best)),
                None => "No setting is fast enough.".to_owned(),
            },
            objective: outcome.objective.name(),
            best: best.map(parameters),
            figures: figures.unwrap_or_default(),
            images,
            failed: (outcome.failed > 0).then(|| count(outcome.failed as u64)),
            measured: counted(outcome.measured as u64, "image"),
            plot: Plot {
                wide_svg: pareto(outcome, WIDE),
                narrow_svg: pareto(outcome, NARROW),
            },
            rows: order(outcome)
                .into_iter()
                .map(|at| Row::new(&settings[at], outcome.best == Some(at)))
                .collect(),
            yaml: report.yaml,
            versions: &outcome.versions,
            generated,
            outcome,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;
    use crate::sweep_table::SweepTable;
    use shuffledet_eval::sweep::Objective;
    use shuffledet_eval::sweep::outcome::{Latency, judge};

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&\u{1b}[2J";

    fn outcome(times: &[Option<f64>]) -> SweepOutcome {
        let mut settings: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(at, p50)| SettingOutcome {
                parameters: [(format!("model.{HOSTILE}"), json!(HOSTILE))].into(),
                f1: Some(at as f64 / 10.0),
                precision: Some(0.5),
                recall: Some(0.5),
                ap: None,
                ap50: None,
                detections: 3,
                latency_ms: p50.map(|p50| Latency { p50, p99: p50 }),
                pareto: false,
            })
            .collect();
        SweepOutcome {
            objective: Objective::F1,
            max_latency_ms: Some(8.0),
            annotations: HOSTILE.to_owned(),
            images_in: HOSTILE.to_owned(),
            images: 4,
            failed: 1,
            measured: 3,
            versions: [(HOSTILE.to_owned(), HOSTILE.to_owned())].into(),
            best: judge(&mut settings, Objective::F1, Some(8.0)),
            settings,
        }
    }

    #[test]
    fn foreign_text_stays_text_and_what_was_not_measured_is_left_out() {
        let outcome = outcome(&[Some(5.0), Some(7.0), Some(9.0), None]);
        assert_eq!(outcome.best, Some(1));
        let report = SweepReport {
            outcome: &outcome,
            yaml: Some(HOSTILE),
            generated_at: UNIX_EPOCH,
        };
        let page = render(&report).unwrap();
        assert!(!page.contains("<img src=x"));
        assert_eq!(page.matches("</script>").count(), 1);
        // three squares, wide and narrow
        assert_eq!(page.matches("<rect class=\"point").count(), 6);
        assert!(!page.contains("NaN") && !page.contains("inf\""));
        let colour = false;
        let outcome = &outcome;
        let table = SweepTable { outcome, colour }.to_string();
        assert!(
            !table.contains('\u{1b}') && table.contains("\n*"),
            "{table}"
        );
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        let outcome = outcome(&[None, None]);
        assert_eq!(outcome.best, None);
        let report = SweepReport {
            outcome: &outcome,
            yaml: None,
            generated_at: UNIX_EPOCH,
        };
        let page = render(&report).unwrap();
        assert!(page.contains("No setting is fast enough.") && !page.contains("NaN"));
        let colour = false;
        let outcome = &outcome;
        let table = SweepTable { outcome, colour }.to_string();
        assert!(
            table.contains("no setting is within 8 ms; nothing was measured"),
            "{table}"
        );
    }
}
