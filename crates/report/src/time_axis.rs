//! The recording's time as the horizontal axis of a plot.

use super::chart::{Axis, Svg};
use super::format::figure;
use shuffledet_core::{TimeBin, Timeline};

/// Of a drawing for a wide page, px; [`NARROW`] is for a phone. Both are drawn, the page shows one.
pub const WIDE: f64 = 900.0;
pub const NARROW: f64 = 360.0;

/// Room for the labels of the values, px.
pub const LEFT: f64 = 58.0;
const RIGHT: f64 = 10.0;
/// Height of the labels and the caption below the plot, px.
pub const CAPTIONS: f64 = 34.0;

/// The timeline in at most `most` bins, and in fewer where most of those would be empty: then frames lie
/// further apart than bins, and lines would fall to pieces.
pub fn fitted(timeline: &Timeline, most: f64) -> Timeline {
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
pub struct TimeAxis<'a> {
    pub bins: &'a [TimeBin],
    axis: Axis,
    /// Of a bin, in the axis's unit.
    step: f64,
    unit: &'static str,
    /// Of the whole drawing, px.
    pub width: f64,
}

impl<'a> TimeAxis<'a> {
    pub fn new(timeline: &'a Timeline, width: f64) -> Self {
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
    pub fn column(&self, index: usize) -> (f64, f64) {
        let left = self.axis.px(self.step * index as f64);
        (left, self.axis.px(self.step * (index + 1) as f64) - left)
    }

    /// Vertical grid lines from `top` to `bottom`, with their labels below.
    pub fn draw(&self, svg: &mut Svg, top: f64, bottom: f64) {
        let wanted = if self.width > NARROW { 10 } else { 5 };
        for tick in self.axis.ticks(wanted) {
            svg.line("grid", (tick.px, top), (tick.px, bottom + 4.0));
            svg.text("middle", (tick.px, bottom + 16.0), &tick.label);
        }
        let caption = format!("{} since the first frame", self.unit);
        svg.text("end name", (self.width - RIGHT, bottom + 30.0), &caption);
    }

    /// Horizontal grid lines with labels, and the name of what they measure above them.
    pub fn draw_values(&self, svg: &mut Svg, y: &Axis, name: &str) {
        svg.text("start name", (0.0, y.to_px - 11.0), name);
        for tick in y.ticks(4) {
            let at_base = tick.px >= y.from_px - 0.5;
            let class = if at_base { "axis" } else { "grid" };
            svg.line(class, (LEFT, tick.px), (self.width - RIGHT, tick.px));
            svg.text("end", (LEFT - 8.0, tick.px + 4.0), &tick.label);
        }
    }

    /// A column over each bin in which something happened, with what the pointer shows there.
    pub fn hover(&self, svg: &mut Svg, top: f64, bottom: f64, text: impl Fn(&TimeBin) -> String) {
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

    /// `17.7 s`.
    pub fn span_in_words(&self) -> String {
        format!("{} {}", figure(self.axis.high), self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::OutcomeKind;
    use shuffledet_core::Trace;

    #[test]
    fn sparse_frames_get_wider_bins() {
        let mut timeline = Timeline::default();
        for i in 0..100 {
            let at = i * 200_000_000;
            timeline.record(at, OutcomeKind::Dropped, &Trace::default(), []);
        }
        let fitted = fitted(&timeline, 500.0);
        let filled = fitted.bins().iter().filter(|bin| bin.frames() > 0).count();
        assert!(
            filled * 4 >= fitted.bins().len() * 3 && filled > 50,
            "{filled}"
        );
    }

    #[test]
    fn long_recordings_are_told_in_hours() {
        let mut timeline = Timeline::default();
        for at in [0, 4 * 3600 * 1_000_000_000] {
            timeline.record(at, OutcomeKind::Dropped, &Trace::default(), []);
        }
        let span = TimeAxis::new(&timeline, WIDE).span_in_words();
        assert!(span.ends_with(" h"), "{span}");
    }
}
