//! Two evaluations of tracks side by side: a table for a terminal, and a page.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::columns::{GREEN, RED, Style, YELLOW};
use super::comparison::Row;
use super::comparison_table::{heading, interval_row};
use super::format::{count, counted, fraction, utc};
use super::html::{ReportError, embedded_json, page};
use super::tracks_table::value;
use shuffledet_eval::tracks::{PART_FRAMES, TrackComparison, TrackFigure, Unit};

const TEMPLATE: &str = include_str!("tracks_comparison.html");

/// Displays a comparison of tracks for people. Text from outside is shown with its control characters escaped.
pub struct TracksComparisonTable<'a> {
    pub comparison: &'a TrackComparison,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for TracksComparisonTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = Style {
            colour: self.colour,
        };
        let comparison = self.comparison;
        for (name, run) in [("A", &comparison.a), ("B", &comparison.b)] {
            style.fact(f, name, &format!("{}: {}", run.file, run.tracks))?;
        }
        style.fact(f, "compared", &compared(comparison))?;
        for note in &comparison.notes {
            style.coloured_fact(f, "note", YELLOW, note)?;
        }
        heading(f, style, "figure")?;
        for row in &comparison.figures {
            interval_row(f, style, &row.name, &row.interval, row.verdict)?;
        }
        heading(f, style, "HOTA of class")?;
        for row in &comparison.per_class {
            interval_row(f, style, &row.name, &row.hota, row.verdict)?;
        }
        writeln!(f)?;
        for (figure, a, b) in &comparison.counts {
            writeln!(
                f,
                "{:<16}{:>8}{:>8}",
                figure.name(),
                value(*figure, *a),
                value(*figure, *b)
            )?;
        }
        writeln!(f)?;
        let worse = comparison.regressions();
        if worse.is_empty() {
            writeln!(f, "{}", style.paint(GREEN, "no regression shown"))?;
        }
        worse
            .iter()
            .try_for_each(|line| style.coloured_fact(f, "worse", RED, line))
    }
}

/// `3 sequences, 1,200 frames`
fn compared(comparison: &TrackComparison) -> String {
    let sequences = counted(comparison.sequences as u64, "sequence");
    format!("{sequences}, {}", counted(comparison.frames, "frame"))
}

/// What the page is made of.
pub struct TracksComparisonReport<'a> {
    pub comparison: &'a TrackComparison,
    pub generated_at: SystemTime,
}

/// Returns the page as the text of an HTML file.
pub fn render(report: &TracksComparisonReport<'_>) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct Data<'a> {
        generated_at: &'a str,
        comparison: &'a TrackComparison,
    }
    /// What the template shows.
    #[derive(Serialize)]
    struct Page<'a> {
        data: String,
        title: &'static str,
        generated: &'a str,
        headline: String,
        key_figures: Vec<(String, String)>,
        comparison: &'a TrackComparison,
        regressions: Vec<String>,
        figures: Vec<Row<'a>>,
        classes: Vec<Row<'a>>,
        counts: Vec<[String; 3]>,
        units: String,
        confidence: String,
    }
    let comparison = report.comparison;
    let generated = utc(report.generated_at);
    let rule = &comparison.rule;
    let figures = comparison.figures.iter();
    let classes = comparison.per_class.iter();
    let counts = comparison.counts.iter();
    let shown = Page {
        data: embedded_json(&Data {
            generated_at: &generated,
            comparison,
        })?,
        title: "Two trackers",
        headline: format!("B compared with A on {}.", compared(comparison)),
        key_figures: key_figures(comparison),
        regressions: comparison.regressions(),
        figures: figures
            .map(|row| Row::new(&row.name, String::new(), &row.interval, row.verdict))
            .collect(),
        classes: classes
            .map(|row| Row::new(&row.name, count(row.objects), &row.hota, row.verdict))
            .collect(),
        counts: counts
            .map(|(figure, a, b)| {
                [
                    figure.name().to_owned(),
                    value(*figure, *a),
                    value(*figure, *b),
                ]
            })
            .collect(),
        units: match rule.unit {
            Unit::Sequence => counted(rule.units as u64, "sequence"),
            Unit::Part => format!(
                "{} of {PART_FRAMES} frames",
                counted(rule.units as u64, "part")
            ),
        },
        confidence: format!("{} %", rule.confidence * 100.0),
        generated: &generated,
        comparison,
    };
    page("tracks_comparison.html", TEMPLATE, shown)
}

/// Returns the first figure and the switches of both runs, with their names.
fn key_figures(comparison: &TrackComparison) -> Vec<(String, String)> {
    let mut key_figures = Vec::new();
    if let Some(row) = comparison.figures.first() {
        key_figures.push((fraction(row.interval.a), format!("{} of A", row.name)));
        key_figures.push((fraction(row.interval.b), format!("{} of B", row.name)));
    }
    let mut counts = comparison.counts.iter();
    if let Some((figure, a, b)) = counts.find(|(figure, ..)| *figure == TrackFigure::Switches) {
        key_figures.push((value(*figure, *a), "switches of A".to_owned()));
        key_figures.push((value(*figure, *b), "switches of B".to_owned()));
    }
    key_figures
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use shuffledet_eval::fixtures::{TRACK_COMPARE_SETTINGS, track_evaluation};
    use shuffledet_eval::tracks::compare_tracks;

    #[test]
    fn a_worse_tracker_is_told_in_both_forms() {
        let (a, b) = (track_evaluation(12, 0), track_evaluation(12, 3));
        let comparison =
            compare_tracks(("a.json", &a), ("<b>.json", &b), &TRACK_COMPARE_SETTINGS).unwrap();
        let text = TracksComparisonTable {
            comparison: &comparison,
            colour: false,
        }
        .to_string();
        assert!(text.contains("\nworse       HOTA: "), "{text}");
        let generated_at = UNIX_EPOCH;
        let page = render(&TracksComparisonReport {
            comparison: &comparison,
            generated_at,
        })
        .unwrap();
        assert!(
            page.contains("regression") && page.contains("&lt;b&gt;.json"),
            "{page}"
        );
        assert!(!page.contains("<b>.json"));
    }
}
