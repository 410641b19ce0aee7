//! The report of an evaluation of tracks: one HTML file that holds all it shows and asks nobody for anything.

use std::fmt::Write;
use std::time::SystemTime;

use serde::Serialize;

use super::chart::Svg;
use super::curves::{axes, line};
use super::evaluation::VerdictRow;
use super::format::{count, counted, utc};
use super::html::{LegendRow, Plot, ReportError, embedded_json, page};
use super::time_axis::{NARROW, WIDE};
use super::tracks_table::{value, worst_first};
use shuffledet_eval::budget::Verdict;
use shuffledet_eval::tracks::{ALPHAS, Curves, TrackEvaluation, TrackFigure, TrackFigures, alpha};

const TEMPLATE: &str = include_str!("tracks.html");
const SEQUENCES_SHOWN: usize = 500;

/// What the report is made of.
pub struct TracksReport<'a> {
    pub evaluation: &'a TrackEvaluation,
    pub verdicts: &'a [Verdict],
    pub generated_at: SystemTime,
}

/// Returns the report as the text of an HTML file.
pub fn render(report: &TracksReport<'_>) -> Result<String, ReportError> {
    page("tracks.html", TEMPLATE, Page::new(report)?)
}

/// What the template shows, every figure written out. The field `data` is inserted as it is.
#[derive(Serialize)]
struct Page<'a> {
    data: String,
    title: String,
    generated: String,
    headline: String,
    evaluation: &'a TrackEvaluation,
    budget_failed: Option<String>,
    verdicts: Vec<VerdictRow<'a>>,
    figures: Vec<(String, &'static str)>,
    figure_names: Vec<&'static str>,
    share_names: Vec<&'static str>,
    classes: Vec<Row>,
    count_names: Vec<&'static str>,
    class_counts: Vec<Row>,
    sequences: Vec<Row>,
    sequences_more: Option<String>,
    curves: Plot,
    legend: Vec<LegendRow>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<String>,
}

impl<'a> Page<'a> {
    fn new(report: &TracksReport<'a>) -> Result<Self, ReportError> {
        #[derive(Serialize)]
        struct Data<'a> {
            generated_at: &'a str,
            evaluation: &'a TrackEvaluation,
        }
        let evaluation = report.evaluation;
        let generated = utc(report.generated_at);
        let failed = report
            .verdicts
            .iter()
            .filter(|verdict| !verdict.passed)
            .count();
        let combined = &evaluation.combined;
        let key = |figure, name| (value(figure, combined[figure]), name);
        let (shares, counts) = (TrackFigure::SHARES, TrackFigure::COUNTS);
        let of_class = evaluation
            .per_class
            .iter()
            .map(|class| Row::new(&class.name, &class.figures, shares));
        let counts_of_class = evaluation.per_class.iter().map(|class| {
            let tracks = [class.objects, class.tracks];
            Row::new(&class.name, &class.figures, counts).after(tracks)
        });
        let all = evaluation
            .per_class
            .iter()
            .fold([0, 0], |[objects, tracks], class| {
                [objects + class.objects, tracks + class.tracks]
            });
        let summary = [
            Row::new("class average", &evaluation.class_average, shares),
            Row::new("all boxes", combined, shares),
        ];
        let all_counts = Row::new("all boxes", combined, counts).after(all);
        let sequences = worst_first(evaluation);
        let more = sequences.len().saturating_sub(SEQUENCES_SHOWN) as u64;
        let shown = sequences.iter().take(SEQUENCES_SHOWN);
        let [first, second, third] = curves_shown(&evaluation.curves).map(|(name, _)| name);
        Ok(Page {
            data: embedded_json(&Data {
                generated_at: &generated,
                evaluation,
            })?,
            title: "Tracks against the truth".to_owned(),
            headline: format!(
                "{} with {}, {} protocol.",
                counted(sequences.len() as u64, "sequence"),
                counted(evaluation.frames(), "frame"),
                evaluation.dataset.protocol
            ),
            budget_failed: (failed > 0).then(|| counted(failed as u64, "condition")),
            verdicts: report.verdicts.iter().map(VerdictRow::new).collect(),
            figures: vec![
                key(TrackFigure::Hota, "HOTA"),
                key(TrackFigure::DetA, "DetA"),
                key(TrackFigure::AssA, "AssA"),
                key(TrackFigure::Mota, "MOTA"),
                key(TrackFigure::Idf1, "IDF1"),
                key(TrackFigure::Switches, "switches"),
            ],
            figure_names: TrackFigure::ALL.map(TrackFigure::name).to_vec(),
            share_names: names(shares).collect(),
            classes: of_class.chain(summary).collect(),
            count_names: ["objects", "tracks"]
                .into_iter()
                .chain(names(counts))
                .collect(),
            class_counts: counts_of_class.chain([all_counts]).collect(),
            sequences: shown
                .map(|(name, figures)| Row::new(name, figures, &TrackFigure::ALL))
                .collect(),
            sequences_more: (more > 0).then(|| count(more)),
            curves: Plot {
                wide_svg: plot(&evaluation.curves, WIDE),
                narrow_svg: plot(&evaluation.curves, NARROW),
            },
            legend: (0..)
                .zip([first, second, third])
                .map(|(at, name)| LegendRow {
                    class: format!("c{at}"),
                    label: name.to_owned(),
                    count: String::new(),
                })
                .collect(),
            generated,
            evaluation,
        })
    }
}

impl Row {
    fn new(name: &str, figures: &TrackFigures, shown: &[TrackFigure]) -> Self {
        Self {
            name: name.to_owned(),
            cells: shown
                .iter()
                .map(|&figure| value(figure, figures[figure]))
                .collect(),
        }
    }

    /// Returns the row with two counts before its figures.
    fn after(mut self, counts: [u64; 2]) -> Self {
        self.cells.splice(0..0, counts.map(count));
        self
    }
}

fn names(figures: &[TrackFigure]) -> impl Iterator<Item = &'static str> {
    figures.iter().map(|figure| figure.name())
}

/// Curves beside that of HOTA.
fn curves_shown(curves: &Curves) -> [(&'static str, &[f64; ALPHAS]); 3] {
    [
        ("DetA", &curves.det_a),
        ("AssA", &curves.ass_a),
        ("LocA", &curves.loc_a),
    ]
}

/// The figures at each overlap, HOTA as a strong line. `width` is that of the drawing.
fn plot(curves: &Curves, width: f64) -> String {
    const HEIGHT: f64 = 280.0;
    let mut svg = Svg::new(width, HEIGHT);
    let (mut x, y) = axes(&mut svg, (44.0, width - 12.0), (HEIGHT - 40.0, 24.0), 5);
    let middle = (x.from_px + x.to_px) / 2.0;
    svg.text(
        "middle",
        (middle, HEIGHT - 6.0),
        "alpha: overlap of a match",
    );
    // the curve begins at the first alpha, and ends at the last
    (x.from_px, x.to_px) = (x.px(alpha(0)), x.px(alpha(ALPHAS - 1)));
    for (at, (_, curve)) in curves_shown(curves).into_iter().enumerate() {
        svg.path(&format!("curve k{at}"), &line(curve, &x, &y));
    }
    svg.path("curve all", &line(&curves.hota, &x, &y));
    let mut description = "HOTA at each overlap:".to_owned();
    for (at, hota) in curves.hota.iter().enumerate() {
        // writing to a String cannot fail
        let _ = write!(description, " {:.2}: {hota:.3}", alpha(at));
    }
    svg.finish("plot", "HOTA, DetA, AssA and LocA by alpha", &description)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use shuffledet_eval::fixtures::track_evaluation;

    #[test]
    fn the_page_has_every_figure_and_no_markup_of_others() {
        let mut evaluation = track_evaluation(3, 0);
        evaluation.sequences[0].name = "<script>alert(1)</script>".to_owned();
        let verdicts = [Verdict {
            condition: "hota >= 0.99".to_owned(),
            value: Some(0.5),
            margin: Some(-0.49),
            passed: false,
        }];
        let page = render(&TracksReport {
            evaluation: &evaluation,
            verdicts: &verdicts,
            generated_at: UNIX_EPOCH,
        })
        .unwrap();
        assert!(
            page.contains("1 condition over budget") && page.contains("hota &gt;= 0.99"),
            "{page}"
        );
        for figure in TrackFigure::ALL {
            assert!(
                page.contains(&format!(">{}</th>", figure.name())),
                "{figure}"
            );
        }
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }
}
