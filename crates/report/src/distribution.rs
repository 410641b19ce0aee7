//! How one stage's times are distributed, in a small plot.

use std::fmt::Write;

use super::chart::{Axis, Svg};
use super::format::{counted, figure, ms_column};
use shuffledet_core::Stage;
use shuffledet_core::{Bin, Quantiles};

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
        // one frame among thousands still shows
        let bar_top = |bin: &Bin| match bin.count {
            0 => BASE,
            n => y.px(n as f64).min(BASE - 1.5),
        };
        svg.line("axis", (x.from_px, BASE), (x.to_px, BASE));
        for bin in &plotted {
            let (left, right) = (x.px(bin.low_ms), x.px(bin.high_ms));
            let top = bar_top(bin);
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
        for tick in x.ticks(3) {
            // a label at the very end would run into that of the overflow
            let half_px = 3.4 * tick.label.len() as f64;
            let near_end = overflow.is_some() && tick.px + half_px > x.to_px + 8.0;
            svg.line("axis", (tick.px, BASE), (tick.px, BASE + 3.0));
            if !near_end {
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
            let text = format!(
                "over {} ms, up to {} ms: {}",
                figure(bin.low_ms),
                figure(bin.high_ms),
                counted(bin.count, "frame")
            );
            let top = bar_top(bin);
            svg.rect("bar over", (left, top), (OVERFLOW, BASE - top), &text);
            svg.line("axis", (left, BASE), (left + OVERFLOW, BASE));
            svg.text("middle", (left + OVERFLOW / 2.0, BASE + 15.0), ">");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(ms: f64) -> Quantiles {
        Quantiles {
            min: ms,
            p50: ms,
            p90: ms,
            p99: ms,
            max: ms,
        }
    }

    fn bin(low_ms: f64, high_ms: f64, count: u64, overflow: bool) -> Bin {
        Bin {
            low_ms,
            high_ms,
            count,
            overflow,
        }
    }

    #[test]
    fn every_bin_has_a_bar_that_says_what_it_counts() {
        let bins = [
            bin(1.0, 2.0, 900, false),
            bin(2.0, 3.0, 0, false),
            bin(3.0, 80.0, 1, true),
        ];
        let svg = stage_histogram(Stage::Infer, &quantiles(1.5), &bins);
        assert!(
            svg.contains("<title>1.000 to 2.000 ms: 900 frames</title>"),
            "{svg}"
        );
        assert!(
            svg.contains("<title>over 3.00 ms, up to 80.0 ms: 1 frame</title>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 3);
    }

    #[test]
    fn nothing_to_plot_is_an_empty_plot() {
        for svg in [
            stage_histogram(Stage::Nms, &quantiles(0.0), &[]),
            range_bar(Stage::Nms, &quantiles(0.0), 0.0),
        ] {
            assert!(
                svg.starts_with("<svg") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }
}
