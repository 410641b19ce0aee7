//! The replay report: one HTML file that holds all it shows and asks nobody for anything.
//!
//! The page has no script, and its content security policy allows none: what a recording or a label file
//! brings along is escaped, and could do nothing if it were not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::format::{count, counted, figure, jpeg_uri, utc};
use super::stages::{self, StageRow, stage_rows};
use super::time_axis::{NARROW, WIDE};
use super::track_lengths::TrackLengths;
use super::{input_sizes, over_time, sum};
use shuffledet_core::Stage;
use shuffledet_core::by_count;
use shuffledet_core::printable::printable;
use shuffledet_core::{Bin, Quantiles, StageHistograms, Summary, Timeline};
use shuffledet_core::{Preview, TrackStrip};
use shuffledet_msg::stamp;

const REPLAY: &str = include_str!("replay.html");
const STYLE: &str = include_str!("style.css");

/// The report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the report's template failed, which is a bug in shuffledet: {0}")]
    Template(#[from] minijinja::Error),
    #[error("the run's figures cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What a replay report is made of.
pub struct ReplayReport<'a> {
    pub summary: &'a Summary,
    pub histograms: &'a StageHistograms,
    pub timeline: &'a Timeline,
    /// Annotated frames, in the order in which to show them.
    pub previews: &'a [Preview],
    /// Pictures of the longest tracks, in the order in which to show them.
    pub strips: &'a [TrackStrip],
    /// As the run used it.
    pub configuration_yaml: &'a str,
    pub generated_at: SystemTime,
}

/// The report as the text of an HTML file.
pub fn render(report: &ReplayReport<'_>) -> Result<String, ReportError> {
    page("replay.html", REPLAY, Page::new(report)?)
}

/// Fills the template of that name with what it shows. Control characters become escapes.
pub(super) fn page(
    name: &str,
    template: &str,
    shown: impl Serialize,
) -> Result<String, ReportError> {
    let mut templates = Environment::new();
    templates.add_global("style", STYLE);
    templates.add_template("base.html", include_str!("base.html"))?;
    templates.add_template("path.html", include_str!("path.html"))?;
    templates.add_template("head.html", include_str!("head.html"))?;
    templates.add_template("budget.html", include_str!("budget.html"))?;
    templates.add_template("track_lengths.html", include_str!("track_lengths.html"))?;
    templates.add_template("stages.html", include_str!("stages.html"))?;
    templates.add_template("distributions.html", include_str!("distributions.html"))?;
    templates.add_template(name, template)?;
    let page = templates.get_template(name)?.render(Serde(shown))?;
    Ok(printable(&page).into_owned())
}

/// What the template shows, every figure written out. Fields that end in `_svg` or are named
/// `data` or `uri` are inserted as they are.
#[derive(Serialize)]
struct Page<'a> {
    data: String,
    title: String,
    generated: String,
    recorded: Option<String>,
    summary: &'a Summary,
    model_sha256_short: String,
    model_kind: String,
    /// By topic.
    inputs: Vec<(&'a str, String)>,
    others: Vec<(&'a str, &'a str)>,
    /// Which providers run the nodes, where that was measured.
    placement: Vec<String>,
    /// How often each failed while it ran.
    provider_failures: Vec<(&'a str, u64)>,
    headline: String,
    dropped_total: Option<String>,
    failed_total: Option<String>,
    figures: Vec<(String, &'static str)>,
    dropped: Vec<(&'a str, String)>,
    failed: Vec<(&'a str, String)>,
    stages: Vec<StageRow>,
    latency: Option<Plot>,
    detections: Option<Plot>,
    legend: Vec<LegendRow>,
    labels: Vec<(&'a str, String, String)>,
    /// `None` if objects are not tracked.
    tracks: Option<TrackLengths<'a>>,
    previews: Vec<PreviewView<'a>>,
    failures: Vec<(&'a str, String, &'a str)>,
    failures_more: Option<String>,
    configuration: &'a str,
    bin_width: String,
}

/// One plot, drawn for wide and for narrow pages.
#[derive(Serialize)]
pub(super) struct Plot {
    pub wide_svg: String,
    pub narrow_svg: String,
}

#[derive(Serialize)]
pub(super) struct LegendRow {
    pub class: String,
    pub label: String,
    pub count: String,
}

#[derive(Serialize)]
struct PreviewView<'a> {
    uri: String,
    topic: &'a str,
    stamp: String,
    width: u32,
    height: u32,
    detections: String,
    caption: &'a str,
}

/// What stands in the page for programs.
#[derive(Serialize)]
struct Data<'a> {
    generated_at: &'a str,
    summary: &'a Summary,
    timeline: &'a Timeline,
    /// By stage.
    histograms: BTreeMap<&'static str, Vec<Bin>>,
}

impl<'a> Page<'a> {
    fn new(report: &ReplayReport<'a>) -> Result<Self, ReportError> {
        let (summary, timeline) = (report.summary, report.timeline);
        let quantiles = report.histograms.quantiles();
        let generated = utc(report.generated_at);
        let dropped = sum(&summary.frames.dropped);
        let failed = sum(&summary.frames.failed);
        let unlisted = failed.saturating_sub(summary.failures.len() as u64);
        let detections: u64 = summary.detections.values().sum();
        let legend = over_time::legend(timeline);
        let plot = |draw: &dyn Fn(f64) -> String| Plot {
            wide_svg: draw(WIDE),
            narrow_svg: draw(NARROW),
        };
        let has_frames = !timeline.bins().is_empty();
        Ok(Page {
            data: embedded_json(&Data {
                generated_at: &generated,
                summary,
                timeline,
                histograms: stages::bins(&quantiles, report.histograms),
            })?,
            title: last_part(&summary.recording).to_owned(),
            recorded: has_frames
                .then(|| since_epoch(timeline.start_ns()))
                .flatten(),
            model_sha256_short: summary.model.short_sha256(),
            model_kind: summary.model.kind(),
            inputs: summary
                .input_sizes
                .iter()
                .map(|(topic, sizes)| (topic.as_str(), input_sizes(sizes)))
                .collect(),
            others: summary
                .providers
                .iter()
                .filter_map(|status| Some((status.provider.as_str(), status.reason.as_deref()?)))
                .collect(),
            placement: summary
                .providers
                .iter()
                .flat_map(|status| &status.placement)
                .map(ToString::to_string)
                .collect(),
            provider_failures: summary
                .providers
                .iter()
                .filter(|status| status.failures > 0)
                .map(|status| (status.provider.as_str(), status.failures))
                .collect(),
            headline: headline(summary),
            dropped_total: (dropped > 0).then(|| count(dropped)),
            failed_total: (failed > 0).then(|| count(failed)),
            figures: key_figures(summary, &quantiles, detections),
            dropped: by_reason(&summary.frames.dropped),
            failed: by_reason(&summary.frames.failed),
            stages: stage_rows(&quantiles, report.histograms),
            latency: has_frames
                .then(|| plot(&|width| over_time::latency_over_time(timeline, width))),
            detections: (detections > 0)
                .then(|| plot(&|width| over_time::detections_over_time(timeline, &legend, width))),
            legend: legend
                .iter()
                .map(|entry| LegendRow {
                    class: entry.class.clone(),
                    label: entry.label.clone(),
                    count: count(entry.count),
                })
                .collect(),
            labels: by_count(&summary.detections)
                .into_iter()
                .map(|(label, n)| {
                    let per_frame = n as f64 / summary.frames.published.max(1) as f64;
                    (label, count(n), figure(per_frame))
                })
                .collect(),
            tracks: TrackLengths::new(summary, report.strips),
            previews: report.previews.iter().map(PreviewView::new).collect(),
            failures: summary
                .failures
                .iter()
                .map(|f| (f.topic.as_str(), stamp(f.stamp_ns), f.reason.as_str()))
                .collect(),
            failures_more: (unlisted > 0).then(|| count(unlisted)),
            configuration: report.configuration_yaml,
            bin_width: figure(timeline.bin_width().as_secs_f64()),
            generated,
            summary,
        })
    }
}

impl<'a> PreviewView<'a> {
    fn new(preview: &'a Preview) -> Self {
        PreviewView {
            uri: jpeg_uri(&preview.jpeg),
            topic: &preview.topic,
            stamp: stamp(preview.stamp_ns),
            width: preview.width,
            height: preview.height,
            detections: counted(preview.detections as u64, "detection"),
            caption: &preview.caption,
        }
    }
}

fn headline(summary: &Summary) -> String {
    let frames = &summary.frames;
    format!(
        "{} of {} published in {} s with {}.",
        count(frames.published),
        counted(frames.received, "frame"),
        figure(summary.wall_s),
        counted(summary.workers as u64, "worker")
    )
}

fn key_figures(
    summary: &Summary,
    quantiles: &[(Stage, Quantiles)],
    detections: u64,
) -> Vec<(String, &'static str)> {
    let stage = |wanted| quantiles.iter().find(|(stage, _)| *stage == wanted);
    let mut figures = vec![(figure(summary.fps), "frames per second")];
    if let Some((_, infer)) = stage(Stage::Infer) {
        figures.push((figure(infer.p50), "ms of inference, median"));
    }
    if let Some((_, total)) = stage(Stage::Total) {
        figures.push((figure(total.p50), "ms of processing per frame, median"));
        figures.push((figure(total.p99), "ms of processing per frame, p99"));
    }
    figures.push((count(detections), "detections"));
    if let Some(tracks) = &summary.tracks {
        let ids = tracks.values().map(|figures| figures.ids).sum();
        figures.push((count(ids), "tracks"));
    }
    figures
}

fn by_reason(reasons: &BTreeMap<String, u64>) -> Vec<(&str, String)> {
    let sorted = by_count(reasons).into_iter();
    sorted.map(|(reason, n)| (reason, count(n))).collect()
}

/// JSON that cannot end the element it stands in: no `<`, `>` or `&` is left outside of escapes.
pub(super) fn embedded_json(data: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(data)?;
    Ok(json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026"))
}

pub(super) fn last_part(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// `None` for the times of a simulation, which begin near 0.
fn since_epoch(ns: i64) -> Option<String> {
    const DAY: Duration = Duration::from_secs(86_400);
    let since = Duration::from_nanos(u64::try_from(ns).ok()?);
    (since > DAY).then(|| utc(UNIX_EPOCH + since))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use shuffledet_core::Trace;
    use shuffledet_core::{FailureNote, FrameCounts, ModelIdentity, OutcomeKind};

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&";

    pub fn summary() -> Summary {
        Summary {
            frames: FrameCounts::default(),
            fps: 0.0,
            wall_s: 0.0,
            stages_ms: Vec::new(),
            provider: "CPUExecutionProvider".to_owned(),
            providers: Vec::new(),
            workers: 1,
            model: ModelIdentity {
                name: "m".to_owned(),
                sha256: "00".to_owned(),
                ..ModelIdentity::default()
            },
            input_sizes: [("/camera".to_owned(), [((704, 224).into(), 3)].into())].into(),
            input_problems: vec![HOSTILE.to_owned()],
            detections: Default::default(),
            tracks: None,
            recording: "bags/one.mcap/".to_owned(),
            topics: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            versions: Default::default(),
        }
    }

    fn page(summary: &Summary, timeline: &Timeline, previews: &[Preview], yaml: &str) -> String {
        render(&ReplayReport {
            summary,
            histograms: &StageHistograms::default(),
            timeline,
            previews,
            strips: &[],
            configuration_yaml: yaml,
            generated_at: UNIX_EPOCH,
        })
        .unwrap()
    }

    #[test]
    fn a_run_without_frames_has_a_report() {
        let page = page(&summary(), &Timeline::default(), &[], "");
        assert!(page.contains("<title>one.mcap · shuffledet</title>"));
        assert!(page.contains("No object was detected"));
        assert!(page.contains("input 704x224 (3 runs)"));
        assert!(!page.contains(HOSTILE));
        assert!(page.contains("None: every frame was published."));
        assert!(!page.contains("id=\"stages\"") && !page.contains("id=\"frames\""));
    }

    #[test]
    fn foreign_text_stays_text_wherever_it_is_shown() {
        let mut timeline = Timeline::default();
        let seen = [(HOSTILE, 1)];
        timeline.record(0, OutcomeKind::Published, &Trace::default(), seen);
        let hostile = HOSTILE.to_owned();
        let mut summary = summary();
        summary.recording = hostile.clone();
        summary.provider = hostile.clone();
        summary.model.name = hostile.clone();
        summary.model.sha256 = hostile.clone();
        summary.topics = vec![hostile.clone()];
        summary.warnings = vec![hostile.clone()];
        summary.frames.dropped = [(hostile.clone(), 1)].into();
        summary.detections = [(hostile.clone(), 1)].into();
        summary.versions = [(hostile.clone(), hostile.clone())].into();
        summary.failures = vec![FailureNote {
            topic: hostile.clone(),
            stamp_ns: 0,
            reason: hostile.clone(),
        }];
        let preview = Preview {
            topic: hostile.clone(),
            stamp_ns: 0,
            jpeg: vec![0xff, 0xd8],
            width: 1,
            height: 1,
            detections: 1,
            caption: hostile,
        };
        let page = page(&summary, &timeline, &[preview], HOSTILE);
        assert!(!page.contains("<img src=x"));
        assert!(!page.contains("src=x onerror=alert(1)>"));
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("src=\"data:image/jpeg;base64,/9g=\""));
    }

    #[test]
    fn the_embedded_data_is_the_summary() {
        let mut summary = summary();
        summary.warnings = vec![HOSTILE.to_owned()];
        let page = page(&summary, &Timeline::default(), &[], "");
        let start = page.find("id=\"data\">").unwrap() + 10;
        let end = start + page[start..].find("</script>").unwrap();
        let data: serde_json::Value = serde_json::from_str(&page[start..end]).unwrap();
        assert_eq!(data["summary"], serde_json::to_value(&summary).unwrap());
        assert_eq!(data["generated_at"], "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn the_page_refers_to_nothing_outside_of_it() {
        let page = page(&summary(), &Timeline::default(), &[], "");
        for outside in ["http:", "https:", "url(", "@import", "src=\"/"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
