//! What happened over a run, as plots over recording time.

use std::fmt::Write;

use super::chart::{Axis, Svg};
use super::format::{count, counted, figure};
use super::time_axis::{CAPTIONS, LEFT, TimeAxis, fitted};
use shuffledet_core::by_count;
use shuffledet_core::{Spread, TimeBin, Timeline};

/// Labels with a colour of their own in [`detections_over_time`]; the rest are one class, `other`.
pub const LABELS_SHOWN: usize = 6;

/// Heights, px.
const TOP: f64 = 24.0;
const PANEL: f64 = 118.0;
const PANEL_GAP: f64 = 34.0;
const MARK_ROW: f64 = 15.0;

/// Mean and maximum of the stages `total` and `latency` over recording time, with the frames that were
/// dropped or failed. `width` is that of the drawing.
pub fn latency_over_time(timeline: &Timeline, width: f64) -> String {
    let timeline = fitted(timeline, width / 7.0);
    let time = TimeAxis::new(&timeline, width);
    let of_bins = |count: fn(&TimeBin) -> u64| time.bins.iter().map(count).collect();
    let marks: [(&str, Vec<u64>); 2] = [
        ("dropped", of_bins(|bin| bin.dropped)),
        ("failed", of_bins(|bin| bin.failed)),
    ];
    let [dropped, failed] = marks.each_ref().map(|(_, n)| n.iter().sum::<u64>());
    let rows = usize::from(dropped > 0) + usize::from(failed > 0);

    let marks_top = TOP + 2.0 * PANEL + PANEL_GAP + 8.0;
    let bottom = marks_top + MARK_ROW * rows as f64;
    let mut svg = Svg::new(width, bottom + CAPTIONS);
    time.draw(&mut svg, TOP, bottom);
    panel(
        &mut svg,
        &time,
        TOP,
        "total",
        "total: processing time, ms",
        |bin| &bin.total,
    );
    let second = TOP + PANEL + PANEL_GAP;
    panel(
        &mut svg,
        &time,
        second,
        "latency",
        "latency: including waits, ms",
        |bin| &bin.latency,
    );
    let marks = marks.iter().filter(|(_, n)| n.iter().any(|&n| n > 0));
    for (row, (name, by_bin)) in marks.enumerate() {
        let y = marks_top + MARK_ROW * row as f64;
        svg.text("end", (LEFT - 8.0, y + 10.0), name);
        for (i, _) in by_bin.iter().enumerate().filter(|&(_, &n)| n > 0) {
            let (x, w) = time.column(i);
            svg.rect(name, (x, y + 2.0), (w.max(3.0), MARK_ROW - 5.0), "");
        }
    }
    time.hover(&mut svg, TOP, bottom, |bin| {
        let mut text = counted(bin.published, "frame") + " published";
        for (n, what) in [(bin.dropped, "dropped"), (bin.failed, "failed")] {
            if n > 0 {
                let _ = write!(text, ", {} {what}", count(n));
            }
        }
        for (name, spread) in [("total", &bin.total), ("latency", &bin.latency)] {
            if let (Some(mean), Some(max)) = (spread.mean_ms(), spread.max_ms()) {
                let _ = write!(
                    text,
                    "\n{name}: mean {}, max {} ms",
                    figure(mean),
                    figure(max)
                );
            }
        }
        text
    });
    let description = format!(
        "Two line plots over {} of the recording: mean and maximum of total and of latency in \
         milliseconds, {} frames dropped and {} failed. The stage table has the figures.",
        time.span_in_words(),
        count(dropped),
        count(failed)
    );
    svg.finish("plot", "Total time and latency over time", &description)
}

/// One series over time: the mean as a line, the area from it to the maximum. Where a few maxima are far
/// above the rest, the panel ends below them and an arrow marks each.
fn panel(
    svg: &mut Svg,
    time: &TimeAxis,
    top: f64,
    class: &str,
    name: &str,
    spread: impl Fn(&TimeBin) -> &Spread,
) {
    let maxima: Vec<f64> = time
        .bins
        .iter()
        .filter_map(|bin| spread(bin).max_ms())
        .collect();
    let y = Axis {
        low: 0.0,
        high: panel_height(maxima),
        from_px: top + PANEL,
        to_px: top,
    };
    time.draw_values(svg, &y, name);
    // horizontal position, mean, maximum
    let points: Vec<Option<(f64, f64, f64)>> = time
        .bins
        .iter()
        .enumerate()
        .map(|(i, bin)| {
            let (x, w) = time.column(i);
            Some((x + w / 2.0, spread(bin).mean_ms()?, spread(bin).max_ms()?))
        })
        .collect();
    let px = |ms: f64| y.px(ms.min(y.high));
    for run in points.split(Option::is_none) {
        let run = || run.iter().flatten();
        let mean: Vec<(f64, f64)> = run().map(|&(x, mean, _)| (x, px(mean))).collect();
        let peak: Vec<(f64, f64)> = run().map(|&(x, _, max)| (x, px(max))).collect();
        let area: Vec<(f64, f64)> = peak.iter().chain(mean.iter().rev()).copied().collect();
        for (shape, line) in [("area", area), ("peak", peak), ("mean", mean)] {
            svg.path(&format!("{shape} {class}"), &polyline(&line));
        }
    }
    let beyond = points.iter().flatten().filter(|point| point.2 > y.high);
    for (x, _, _) in beyond.clone() {
        let arrow = format!("M{x:.1},{:.1}l-4,7h8z", top - 2.0);
        svg.path(&format!("beyond {class}"), &arrow);
    }
    if let Some((x, _, max)) = beyond.max_by(|a, b| a.2.total_cmp(&b.2)) {
        let (anchor, shift) = if *x < time.width * 0.8 {
            ("start", 7.0)
        } else {
            ("end", -7.0)
        };
        let text = format!("up to {}", figure(*max));
        svg.text(anchor, (x + shift, top + 6.0), &text);
    }
}

/// The attribute `d`. A line of no length stands at the start, so that a lone point shows as a dot.
fn polyline(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let (command, dot) = if i == 0 { ('M', "h0") } else { ('L', "") };
        // writing to a String cannot fail
        let _ = write!(path, "{command}{x:.1},{y:.1}{dot}");
    }
    path
}

/// The highest maximum, or what holds 95 % of them where it is more than 2.5 times that.
fn panel_height(mut maxima: Vec<f64>) -> f64 {
    maxima.sort_by(f64::total_cmp);
    let Some(&highest) = maxima.last() else {
        return 1.0;
    };
    let usual = maxima[(maxima.len() - 1) * 95 / 100];
    let height = if highest > 2.5 * usual {
        usual * 1.4
    } else {
        highest
    };
    height.max(0.001) * 1.06
}

/// A class of [`detections_over_time`]: style class, label, detections over the run.
pub struct LegendEntry {
    pub class: String,
    pub label: String,
    pub count: u64,
    /// Position in [`Timeline::labels`]; `None` for all that are not among the first.
    index: Option<usize>,
}

/// The most frequent labels in order, and `other` where there are more.
pub fn legend(timeline: &Timeline) -> Vec<LegendEntry> {
    let mut totals = vec![0; timeline.labels().len()];
    for bin in timeline.bins() {
        for (total, n) in totals.iter_mut().zip(&bin.detections) {
            *total += n;
        }
    }
    let sorted = by_count(timeline.labels().iter().zip(&totals));
    let mut entries: Vec<LegendEntry> = sorted
        .iter()
        .take(LABELS_SHOWN)
        .enumerate()
        .map(|(i, &(label, count))| LegendEntry {
            class: format!("c{i}"),
            label: label.to_owned(),
            count,
            index: timeline.labels().iter().position(|l| l == label),
        })
        .collect();
    if sorted.len() > LABELS_SHOWN {
        entries.push(LegendEntry {
            class: "cx".to_owned(),
            label: "other".to_owned(),
            count: sorted[LABELS_SHOWN..].iter().map(|(_, n)| n).sum(),
            index: None,
        });
    }
    entries
}

/// Detections per published frame over recording time, stacked in the order of the legend.
pub fn detections_over_time(timeline: &Timeline, legend: &[LegendEntry], width: f64) -> String {
    let timeline = fitted(timeline, width / 9.0);
    let time = TimeAxis::new(&timeline, width);
    let bottom = TOP + 1.6 * PANEL;
    let mut svg = Svg::new(width, bottom + CAPTIONS);
    let rate = |bin: &TimeBin, n: u64| n as f64 / bin.published.max(1) as f64;
    let highest = time
        .bins
        .iter()
        .map(|bin| rate(bin, bin.detections.iter().sum()));
    let y = Axis {
        low: 0.0,
        high: highest.fold(1.0, f64::max) * 1.05,
        from_px: bottom,
        to_px: TOP,
    };
    time.draw(&mut svg, TOP, bottom);
    time.draw_values(&mut svg, &y, "detections per frame");
    for (i, bin) in time.bins.iter().enumerate() {
        let (x, w) = time.column(i);
        let gap = if w > 4.0 { 1.0 } else { 0.0 };
        let mut below = 0.0;
        for entry in legend {
            let value = rate(bin, entry.detections_in(bin, legend));
            if value > 0.0 {
                let (top, base) = (y.px(below + value), y.px(below));
                svg.rect(&entry.class, (x, top), (w - gap, base - top), "");
            }
            below += value;
        }
    }
    time.hover(&mut svg, TOP, bottom, |bin| {
        let mut text = counted(bin.published, "frame") + " published";
        for entry in legend {
            let n = entry.detections_in(bin, legend);
            if n > 0 {
                let per_frame = figure(rate(bin, n));
                let _ = write!(
                    text,
                    "\n{}: {} ({per_frame} per frame)",
                    entry.label,
                    count(n)
                );
            }
        }
        text
    });
    let classes: Vec<String> = legend
        .iter()
        .map(|entry| format!("{} {}", entry.label, count(entry.count)))
        .collect();
    let description = format!(
        "Stacked bars over {} of the recording. Detections in total: {}.",
        time.span_in_words(),
        classes.join(", ")
    );
    svg.finish("plot", "Detections per frame over time", &description)
}

impl LegendEntry {
    fn detections_in(&self, bin: &TimeBin, legend: &[LegendEntry]) -> u64 {
        match self.index {
            Some(index) => bin.detections.get(index).copied().unwrap_or(0),
            None => {
                let all: u64 = bin.detections.iter().sum();
                let shown = legend.iter().filter(|entry| entry.index.is_some());
                all - shown
                    .map(|entry| entry.detections_in(bin, legend))
                    .sum::<u64>()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::time_axis::{NARROW, WIDE};
    use shuffledet_core::OutcomeKind;
    use shuffledet_core::{Mark, Trace};

    fn run(latencies_ms: &[u64], labels: &[&str]) -> Timeline {
        let mut timeline = Timeline::default();
        for (i, &ms) in latencies_ms.iter().enumerate() {
            let zero = Instant::now();
            let mut trace = Trace::default();
            trace.mark_at(Mark::Received, zero);
            trace.mark_at(Mark::Published, zero + Duration::from_millis(ms));
            let seen = labels
                .iter()
                .enumerate()
                .map(|(n, &label)| (label, n as u64));
            timeline.record(i as i64 * 40_000_000, OutcomeKind::Published, &trace, seen);
        }
        timeline
    }

    #[test]
    fn any_run_can_be_drawn() {
        for timeline in [
            Timeline::default(),
            run(&[0], &[]),
            run(&[5; 400], &["a", "b"]),
        ] {
            for width in [WIDE, NARROW] {
                let legend = legend(&timeline);
                for svg in [
                    latency_over_time(&timeline, width),
                    detections_over_time(&timeline, &legend, width),
                ] {
                    assert!(svg.ends_with("</svg>"));
                    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                }
            }
        }
    }

    #[test]
    fn an_outlier_does_not_flatten_the_rest() {
        let mut latencies = vec![20; 200];
        latencies[0] = 3000;
        let svg = latency_over_time(&run(&latencies, &[]), WIDE);
        assert!(svg.contains("up to 3000"), "{svg}");
        assert!(!svg.contains(">1000<"), "{svg}");
    }

    #[test]
    fn only_what_happened_is_marked() {
        let mut timeline = run(&[5; 10], &[]);
        assert!(!latency_over_time(&timeline, WIDE).contains("failed\""));
        timeline.record(0, OutcomeKind::Failed, &Trace::default(), []);
        let svg = latency_over_time(&timeline, WIDE);
        assert_eq!(svg.matches(r#"<rect class="failed""#).count(), 1);
        assert!(svg.contains("1 failed\n"), "{svg}");
    }

    #[test]
    fn the_legend_accounts_for_every_detection() {
        let labels = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let timeline = run(&[5; 3], &labels);
        let legend = legend(&timeline);
        let named: Vec<(&str, u64)> = legend.iter().map(|e| (e.label.as_str(), e.count)).collect();
        let expected = [
            ("h", 21),
            ("g", 18),
            ("f", 15),
            ("e", 12),
            ("d", 9),
            ("c", 6),
            ("other", 3),
        ];
        assert_eq!(named, expected);
        let whole = timeline.coarsened(1);
        let bin = &whole.bins()[0];
        for entry in &legend {
            assert_eq!(entry.detections_in(bin, &legend), entry.count);
        }
    }
}
