//! Accuracy over latency: a dot for each setting, and a line through those that no other beats.

use std::fmt::Write;

use super::chart::{Axis, Svg};
use super::format::{figure, fraction};
use super::sweep_table::parameters;
use shuffledet_eval::sweep::SweepOutcome;

const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
/// Height of the labels and the caption below the plot, px.
const CAPTIONS: f64 = 38.0;

/// The plot, `width` px wide. Settings that could not be measured are left out.
pub fn pareto(outcome: &SweepOutcome, width: f64) -> String {
    let height = (width * 0.5).max(260.0);
    let settings = outcome.settings.iter().enumerate();
    let mut points: Vec<(usize, f64, f64)> = settings
        .filter_map(|(at, setting)| {
            Some((
                at,
                setting.latency_ms?.p50,
                setting.value(outcome.objective).unwrap_or(0.0),
            ))
        })
        .collect();
    points.sort_by(|p, q| p.1.total_cmp(&q.1));
    let (x_low, x_high) = bounds(points.iter().map(|p| p.1));
    let (y_low, y_high) = bounds(points.iter().map(|p| p.2));
    let x = Axis {
        low: x_low.max(0.0),
        high: x_high,
        from_px: LEFT,
        to_px: width - RIGHT,
    };
    let y = Axis {
        low: y_low.max(0.0),
        high: y_high,
        from_px: height - CAPTIONS,
        to_px: TOP,
    };
    let mut svg = Svg::new(width, height);
    for tick in y.ticks(5) {
        svg.line("grid", (LEFT, tick.px), (width - RIGHT, tick.px));
        svg.text("end", (LEFT - 8.0, tick.px + 4.0), &tick.label);
    }
    for tick in x.ticks(if width < 500.0 { 4 } else { 8 }) {
        svg.line("axis", (tick.px, y.from_px), (tick.px, y.from_px + 4.0));
        svg.text("middle", (tick.px, y.from_px + 17.0), &tick.label);
    }
    svg.line("axis", (LEFT, y.from_px), (width - RIGHT, y.from_px));
    let caption = "median latency, ms";
    svg.text(
        "middle",
        ((LEFT + width - RIGHT) / 2.0, height - 4.0),
        caption,
    );
    svg.text("start", (4.0, TOP + 2.0), outcome.objective.name());
    if let Some(limit) = outcome
        .max_latency_ms
        .filter(|&ms| ms >= x.low && ms <= x.high)
    {
        svg.line("median", (x.px(limit), TOP), (x.px(limit), y.from_px));
    }
    let front = points.iter().filter(|p| outcome.settings[p.0].pareto);
    let mut path = String::new();
    for (i, &(_, ms, value)) in front.enumerate() {
        let command = if i == 0 { 'M' } else { 'L' };
        // writing to a String cannot fail
        let _ = write!(path, "{command}{:.1},{:.1}", x.px(ms), y.px(value));
    }
    svg.path("mean total", &path);
    let rank = |at: usize| match (outcome.best == Some(at), outcome.settings[at].pareto) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    // the best last, above the others
    points.sort_by_key(|p| rank(p.0));
    for (at, ms, value) in points {
        let (class, size) = [("point", 6.0), ("point front", 8.0), ("point best", 12.0)][rank(at)];
        let setting = &outcome.settings[at];
        let text = format!(
            "{}: {} {}, {} ms",
            parameters(setting),
            outcome.objective.name(),
            fraction(setting.value(outcome.objective)),
            figure(ms)
        );
        let corner = (x.px(ms) - size / 2.0, y.px(value) - size / 2.0);
        svg.rect(class, corner, (size, size), &text);
    }
    let title = format!("{} over median latency", outcome.objective.name());
    svg.finish(
        "pareto",
        &title,
        "Each square is a setting. The line joins the settings that no other setting beats.",
    )
}

/// With a little room on either side, and never empty.
fn bounds(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let room = (0.08 * (high - low)).max(0.02 * high.abs()).max(0.001);
    (low - room, high + room)
}
