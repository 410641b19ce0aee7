//! The plots of the reports, drawn from the metrics.

use std::fmt::Write;

use super::by_count;
use super::chart::{Axis, Svg};
use super::format::{count, counted, figure, ms_column};
use crate::metrics::{Bin, Quantiles, Spread, TimeBin, Timeline};
use crate::pipeline::Stage;

/// Of a plot over time on a wide page; [`NARROW`] is for a phone. Both are drawn, the page shows one.
pub const WIDE: f64 = 900.0;
pub const NARROW: f64 = 360.0;

/// Labels with a colour of their own in [`detections_over_time`]; the rest are one class, `other`.
pub const LABELS_SHOWN: usize = 6;

const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const PANEL: f64 = 118.0;
const PANEL_GAP: f64 = 34.0;
const TOP: f64 = 24.0;
const MARK_ROW: f64 = 15.0;
const TIME_AXIS: f64 = 34.0;

/// Mean and maximum of [`Stage::Total`] and [`Stage::Latency`] over recording time, with the frames that
/// were dropped or failed. `width` is that of the drawing.
pub fn latency_over_time(timeline: &Timeline, width: f64) -> String {
    let timeline = fitted(timeline, width / 7.0);
    let time = TimeAxis::of(&timeline, width);
    let dropped: u64 = timeline.bins().iter().map(|bin| bin.dropped).sum();
    let failed: u64 = timeline.bins().iter().map(|bin| bin.failed).sum();
    let marks: Vec<(&str, fn(&TimeBin) -> u64)> = [
        (
            "dropped",
            dropped,
            (|bin| bin.dropped) as fn(&TimeBin) -> u64,
        ),
        ("failed", failed, |bin| bin.failed),
    ]
    .into_iter()
    .filter(|&(_, frames, _)| frames > 0)
    .map(|(name, _, of)| (name, of))
    .collect();

    let marks_top = TOP + 2.0 * PANEL + PANEL_GAP + 8.0;
    let bottom = marks_top + MARK_ROW * marks.len() as f64;
    let mut svg = Svg::new(width, bottom + TIME_AXIS);
    time.draw(&mut svg, TOP, bottom);
    panel(
        &mut svg,
        &time,
        TOP,
        "total",
        "total: all the work, ms",
        |bin| &bin.total,
    );
    let second = TOP + PANEL + PANEL_GAP;
    panel(
        &mut svg,
        &time,
        second,
        "latency",
        "latency: waiting included, ms",
        |bin| &bin.latency,
    );
    for (row, (name, of)) in marks.iter().enumerate() {
        let y = marks_top + MARK_ROW * row as f64;
        svg.text(&format!("end {name}"), (LEFT - 8.0, y + 10.0), name);
        for i in (0..time.bins.len()).filter(|&i| of(&time.bins[i]) > 0) {
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
    let time = TimeAxis::of(&timeline, width);
    let bottom = TOP + 1.6 * PANEL;
    let mut svg = Svg::new(width, bottom + TIME_AXIS);
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
    draw_y(&mut svg, &y, width, "detections per frame");
    for (i, bin) in time.bins.iter().enumerate() {
        let (x, w) = time.column(i);
        let gap = if w > 4.0 { 1.0 } else { 0.0 };
        let mut below = 0.0;
        for entry in legend {
            let value = rate(bin, entry.of(bin, legend));
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
            let n = entry.of(bin, legend);
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
        "Stacked bars over {} of the recording. Detections in all: {}.",
        time.span_in_words(),
        classes.join(", ")
    );
    svg.finish("plot", "Detections per frame over time", &description)
}

impl LegendEntry {
    fn of(&self, bin: &TimeBin, legend: &[LegendEntry]) -> u64 {
        match self.index {
            Some(index) => bin.detections.get(index).copied().unwrap_or(0),
            None => {
                let all: u64 = bin.detections.iter().sum();
                let shown = legend.iter().filter(|entry| entry.index.is_some());
                all - shown.map(|entry| entry.of(bin, legend)).sum::<u64>()
            }
        }
    }
}

/// The distribution of one stage, small enough to stand beside others.
pub fn stage_histogram(stage: Stage, quantiles: &Quantiles, bins: &[Bin]) -> String {
    const WIDTH: f64 = 180.0;
    const HEIGHT: f64 = 96.0;
    const BASE: f64 = HEIGHT - 20.0;
    const OVERFLOW: f64 = 14.0;
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let plotted: Vec<&Bin> = bins.iter().filter(|bin| !bin.overflow).collect();
    let overflow = bins.iter().find(|bin| bin.overflow);
    if let (Some(first), Some(last)) = (plotted.first(), plotted.last()) {
        let x = Axis {
            low: first.low_ms,
            high: last.high_ms,
            from_px: 4.0,
            to_px: WIDTH
                - 4.0
                - if overflow.is_some() {
                    OVERFLOW + 8.0
                } else {
                    0.0
                },
        };
        let highest = bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1);
        let y = Axis {
            low: 0.0,
            high: highest as f64,
            from_px: BASE,
            to_px: 6.0,
        };
        svg.line("axis", (x.from_px, BASE), (x.to_px, BASE));
        for bin in &plotted {
            let (left, right) = (x.px(bin.low_ms), x.px(bin.high_ms));
            let top = y.px(bin.count as f64);
            let text = format!(
                "{} to {} ms: {}",
                ms_column(bin.low_ms),
                ms_column(bin.high_ms),
                counted(bin.count, "frame")
            );
            let gap = if right - left > 3.0 { 0.6 } else { 0.0 };
            svg.rect("bar", (left, top), (right - left - gap, BASE - top), &text);
        }
        let median = x.px(quantiles.p50.clamp(x.low, x.high));
        svg.line("median", (median, 2.0), (median, BASE));
        let room = x.to_px - x.from_px;
        for tick in x.ticks(3) {
            // labels at the very ends would be cut off or run into the overflow's
            let near_end = tick.px > x.to_px - 12.0 && overflow.is_some();
            svg.line("axis", (tick.px, BASE), (tick.px, BASE + 3.0));
            if room > 0.0 && !near_end {
                let anchor = if tick.px < 14.0 { "start" } else { "middle" };
                svg.text(
                    anchor,
                    (tick.px.min(WIDTH - 14.0), BASE + 15.0),
                    &tick.label,
                );
            }
        }
        if let Some(bin) = overflow {
            let left = WIDTH - 4.0 - OVERFLOW;
            let top = y.px(bin.count as f64).min(BASE - 1.5);
            let text = format!(
                "over {} ms, up to {} ms: {}",
                figure(bin.low_ms),
                figure(bin.high_ms),
                counted(bin.count, "frame")
            );
            svg.rect("bar over", (left, top), (OVERFLOW, BASE - top), &text);
            svg.line("axis", (left, BASE), (left + OVERFLOW, BASE));
            svg.text("end", (WIDTH - 2.0, BASE + 15.0), "over");
        }
    }
    let mut description = format!(
        "Median {} ms, 99 % within {} ms.",
        figure(quantiles.p50),
        figure(quantiles.p99)
    );
    if let Some(bin) = overflow {
        let _ = write!(
            description,
            " The last bar is the {} over {} ms.",
            counted(bin.count, "frame"),
            figure(bin.low_ms)
        );
    }
    let title = format!("Distribution of {} in milliseconds", stage.name());
    svg.finish("histogram", &title, &description)
}

/// Minimum to 99 % quantile as a line, the median as a dot, on a scale from 0 to `high_ms`.
pub fn range_bar(stage: Stage, quantiles: &Quantiles, high_ms: f64) -> String {
    let x = Axis {
        low: 0.0,
        high: high_ms.max(f64::MIN_POSITIVE),
        from_px: 4.0,
        to_px: 156.0,
    };
    let mut svg = Svg::new(160.0, 14.0);
    svg.line("track", (x.from_px, 7.0), (x.to_px, 7.0));
    svg.line(
        "range",
        (x.px(quantiles.min), 7.0),
        (x.px(quantiles.p99), 7.0),
    );
    svg.path("dot", &format!("M{:.1},7h0", x.px(quantiles.p50)));
    let title = format!(
        "{}: {} to {} ms, median {} ms",
        stage.name(),
        figure(quantiles.min),
        figure(quantiles.p99),
        figure(quantiles.p50)
    );
    svg.finish("range-bar", &title, "")
}

/// One series over time: the mean as a line, the area from it to the maximum. Where a few maxima are far
/// above the rest, the panel ends below them and an arrow marks each.
fn panel(
    svg: &mut Svg,
    time: &TimeAxis,
    top: f64,
    class: &str,
    name: &str,
    of: impl Fn(&TimeBin) -> &Spread,
) {
    let maxima: Vec<f64> = time
        .bins
        .iter()
        .filter_map(|bin| of(bin).max_ms())
        .collect();
    let y = Axis {
        low: 0.0,
        high: panel_height(maxima),
        from_px: top + PANEL,
        to_px: top,
    };
    draw_y(svg, &y, time.width, name);
    let points: Vec<Option<(f64, f64, f64)>> = time
        .bins
        .iter()
        .enumerate()
        .map(|(i, bin)| {
            let (x, w) = time.column(i);
            Some((x + w / 2.0, of(bin).mean_ms()?, of(bin).max_ms()?))
        })
        .collect();
    let (mut area, mut mean, mut peak) = (String::new(), String::new(), String::new());
    let px = |value: f64| y.px(value.min(y.high));
    for run in points.split(Option::is_none) {
        let run: Vec<(f64, f64, f64)> = run.iter().copied().flatten().collect();
        let Some(&first) = run.first() else { continue };
        for (path, value) in [(&mut mean, 1), (&mut peak, 2)] {
            let at = |p: &(f64, f64, f64)| px(if value == 1 { p.1 } else { p.2 });
            // a line of no length, so that a lone point shows as a dot
            let _ = write!(path, "M{:.1},{:.1}h0", first.0, at(&first));
            for point in &run[1..] {
                let _ = write!(path, "L{:.1},{:.1}", point.0, at(point));
            }
        }
        let _ = write!(area, "M{:.1},{:.1}", first.0, px(first.2));
        for point in &run[1..] {
            let _ = write!(area, "L{:.1},{:.1}", point.0, px(point.2));
        }
        for point in run.iter().rev() {
            let _ = write!(area, "L{:.1},{:.1}", point.0, px(point.1));
        }
        area.push('Z');
    }
    svg.path(&format!("area {class}"), &area);
    svg.path(&format!("peak {class}"), &peak);
    svg.path(&format!("mean {class}"), &mean);
    let beyond = points.iter().flatten().filter(|point| point.2 > y.high);
    for point in beyond.clone() {
        let arrow = format!("M{:.1},{:.1}l-4,7h8z", point.0, top - 2.0);
        svg.path(&format!("beyond {class}"), &arrow);
    }
    if let Some(highest) = beyond.max_by(|a, b| a.2.total_cmp(&b.2)) {
        let right = highest.0 < time.width * 0.8;
        let (anchor, shift) = if right { ("start", 7.0) } else { ("end", -7.0) };
        let text = format!("up to {}", figure(highest.2));
        svg.text(anchor, (highest.0 + shift, top + 6.0), &text);
    }
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

/// Horizontal grid lines with labels, and the name of what they measure above them.
fn draw_y(svg: &mut Svg, y: &Axis, width: f64, name: &str) {
    svg.text("start name", (0.0, y.to_px - 11.0), name);
    for tick in y.ticks(4) {
        let class = if tick.px >= y.from_px - 0.5 {
            "axis"
        } else {
            "grid"
        };
        svg.line(class, (LEFT, tick.px), (width - RIGHT, tick.px));
        svg.text("end", (LEFT - 8.0, tick.px + 4.0), &tick.label);
    }
}

/// The timeline in at most `most` bins, and in fewer where most of those would be empty: then frames lie
/// further apart than bins, and lines would fall to pieces.
fn fitted(timeline: &Timeline, most: f64) -> Timeline {
    const FEW: usize = 24;
    let mut fitted = timeline.coarsened(most as usize);
    loop {
        let bins = fitted.bins();
        let filled = bins.iter().filter(|bin| bin.frames() > 0).count();
        if bins.len() <= FEW || filled * 4 >= bins.len() * 3 {
            return fitted;
        }
        fitted = fitted.coarsened(bins.len() - 1);
    }
}

/// The horizontal axis of a plot over time.
struct TimeAxis<'a> {
    bins: &'a [TimeBin],
    axis: Axis,
    /// Of a bin, in the axis's unit.
    step: f64,
    unit: &'static str,
    /// Of the whole drawing, px.
    width: f64,
}

impl<'a> TimeAxis<'a> {
    fn of(timeline: &'a Timeline, width: f64) -> Self {
        let step_s = timeline.bin_width().as_secs_f64();
        let span_s = step_s * timeline.bins().len().max(1) as f64;
        let (unit, unit_s) = match span_s {
            s if s > 10_800.0 => ("h", 3600.0),
            s if s > 600.0 => ("min", 60.0),
            _ => ("s", 1.0),
        };
        TimeAxis {
            bins: timeline.bins(),
            axis: Axis {
                low: 0.0,
                high: span_s / unit_s,
                from_px: LEFT,
                to_px: width - RIGHT,
            },
            step: step_s / unit_s,
            unit,
            width,
        }
    }

    /// Left edge and width of a bin, px.
    fn column(&self, index: usize) -> (f64, f64) {
        let left = self.axis.px(self.step * index as f64);
        (left, self.axis.px(self.step * (index + 1) as f64) - left)
    }

    fn draw(&self, svg: &mut Svg, top: f64, bottom: f64) {
        let wanted = if self.width > NARROW { 10 } else { 5 };
        for tick in self.axis.ticks(wanted) {
            svg.line("grid", (tick.px, top), (tick.px, bottom + 4.0));
            svg.text("middle", (tick.px, bottom + 16.0), &tick.label);
        }
        let caption = format!("{} since the first frame", self.unit);
        svg.text("end name", (self.width - RIGHT, bottom + 30.0), &caption);
    }

    /// A column over each bin in which something happened, with what the pointer shows there.
    fn hover(&self, svg: &mut Svg, top: f64, bottom: f64, text: impl Fn(&TimeBin) -> String) {
        for (i, bin) in self
            .bins
            .iter()
            .enumerate()
            .filter(|(_, bin)| bin.frames() > 0)
        {
            let (x, w) = self.column(i);
            let from = self.step * i as f64;
            let when = format!("{from:.2} to {:.2} {}\n", from + self.step, self.unit);
            svg.rect("hover", (x, top), (w, bottom - top), &(when + &text(bin)));
        }
    }

    fn span_in_words(&self) -> String {
        format!("{} {}", figure(self.axis.high), self.unit)
    }
}
