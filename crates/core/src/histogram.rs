//! The durations of each stage over all frames.
//!
//! One HDR histogram per stage: nanoseconds from 1 ns to 60 s with three significant digits, so
//! every figure is within 0.1 % of the measured value. Longer durations count as 60 s. All memory
//! is reserved at creation (about 2 MB of addresses, of which only the used pages are touched).
//! Recording allocates nothing and cannot fail.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{Quantiles, Stage, Trace};

const LONGEST_NS: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// The quantile at which the evenly spaced bins of [`StageHistograms::bins`] end and the overflow
/// bin begins.
const PLOTTED_QUANTILE: f64 = 0.995;

/// The durations of every stage.
#[derive(Debug, Clone)]
pub struct StageHistograms {
    /// By position in [`Stage::ALL`].
    stages: Vec<Histogram<u64>>,
}

/// A bar of a histogram: frames with a duration above `low_ms`, up to and including `high_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    pub low_ms: f64,
    pub high_ms: f64,
    pub count: u64,
    /// Whether this is a wider last bin with the slowest frames, up to the maximum.
    pub overflow: bool,
}

impl Default for StageHistograms {
    fn default() -> Self {
        let empty = Histogram::new_with_bounds(1, LONGEST_NS, SIGNIFICANT_DIGITS)
            .expect("1 <= low, 2 * low <= high and digits <= 5 hold for these constants");
        StageHistograms {
            stages: vec![empty; Stage::ALL.len()],
        }
    }
}

impl StageHistograms {
    /// Counts the stages that the frame completed.
    pub fn record(&mut self, trace: &Trace) {
        for (histogram, stage) in self.stages.iter_mut().zip(Stage::ALL) {
            if let Some(duration) = trace.duration(stage) {
                let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                histogram.saturating_record(ns.min(LONGEST_NS));
            }
        }
    }

    /// Counts one duration in milliseconds, for a frame recorded elsewhere.
    pub fn record_ms(&mut self, stage: Stage, ms: f64) {
        // the cast saturates, and NaN becomes 0
        let ns = (ms * 1e6).round() as u64;
        self.stages[stage as usize].saturating_record(ns.min(LONGEST_NS));
    }

    /// Returns the quantiles in the order of [`Stage::ALL`], without stages that no frame
    /// completed.
    pub fn quantiles(&self) -> Vec<(Stage, Quantiles)> {
        let stages = Stage::ALL.into_iter().zip(&self.stages);
        stages
            .filter(|(_, histogram)| !histogram.is_empty())
            .map(|(stage, histogram)| (stage, quantiles_of(histogram)))
            .collect()
    }

    /// Returns the stage's distribution in at most `most` bins of equal width from the minimum to
    /// the 99.5 % quantile, and one overflow bin if any frame took longer. The counts add up to the
    /// frames that completed the stage. Returns no bins if there are none or `most` is 0.
    pub fn bins(&self, stage: Stage, most: usize) -> Vec<Bin> {
        let histogram = &self.stages[stage as usize];
        if histogram.is_empty() || most == 0 {
            return Vec::new();
        }
        let low = histogram.min();
        let high = histogram.value_at_quantile(PLOTTED_QUANTILE).max(low + 1);
        let span = high - low;
        // bins narrower than the histogram's resolution would leave gaps between bars
        let resolution = histogram.equivalent_range(high).max(1);
        let wanted = (span / resolution).clamp(1, most as u64);
        let width = span as f64 / wanted as f64;
        let mut bins: Vec<Bin> = (0..wanted)
            .map(|i| Bin {
                low_ms: ms(low as f64 + width * i as f64),
                high_ms: ms(low as f64 + width * (i + 1) as f64),
                count: 0,
                overflow: false,
            })
            .collect();
        let mut overflow = 0;
        for step in histogram.iter_recorded() {
            let value = step.value_iterated_to();
            if value > high {
                overflow += step.count_at_value();
            } else {
                let i = (value.saturating_sub(low) as f64 / width) as usize;
                let i = i.min(bins.len() - 1);
                bins[i].count += step.count_at_value();
            }
        }
        if overflow > 0 {
            bins.push(Bin {
                low_ms: ms(high as f64),
                high_ms: ms(histogram.max() as f64),
                count: overflow,
                overflow: true,
            });
        }
        bins
    }
}

/// Returns quantiles in milliseconds from a histogram of nanoseconds; all 0 if it is empty.
pub fn quantiles_of(histogram: &Histogram<u64>) -> Quantiles {
    let at = |quantile| ms(histogram.value_at_quantile(quantile) as f64);
    Quantiles {
        min: ms(histogram.min() as f64),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: ms(histogram.max() as f64),
    }
}

fn ms(ns: f64) -> f64 {
    ns / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::Mark;

    fn decoded_in(ns: u64) -> Trace {
        let zero = Instant::now();
        let mut trace = Trace::default();
        trace.mark_at(Mark::Dequeued, zero);
        trace.mark_at(Mark::Decoded, zero + Duration::from_nanos(ns));
        trace
    }

    fn recorded(durations_ns: &[u64]) -> StageHistograms {
        let mut histograms = StageHistograms::default();
        for &ns in durations_ns {
            histograms.record(&decoded_in(ns));
        }
        histograms
    }

    #[test]
    fn stages_stand_at_their_discriminants() {
        for (i, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, i);
        }
    }

    #[test]
    fn only_completed_stages_have_quantiles() {
        assert_eq!(StageHistograms::default().quantiles(), []);
        let quantiles = recorded(&[1_000_000, 2_000_000, 9_000_000]).quantiles();
        assert_eq!(quantiles.len(), 1);
        let (stage, q) = quantiles[0];
        assert_eq!(stage, Stage::Decode);
        for (found, expected) in [(q.min, 1.0), (q.p50, 2.0), (q.p99, 9.0), (q.max, 9.0)] {
            assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
        }
    }

    #[test]
    fn what_is_longer_than_a_minute_counts_as_a_minute() {
        let q = recorded(&[7_200_000_000_000]).quantiles()[0].1;
        assert!((q.max / 60_000.0 - 1.0).abs() < 1e-3, "{}", q.max);
    }

    #[test]
    fn the_slowest_frames_are_in_a_marked_bin() {
        let mut durations = vec![5_000_000; 999];
        durations.extend([6_000_000, 80_000_000]);
        let bins = recorded(&durations).bins(Stage::Decode, 20);
        let last = bins.last().unwrap();
        assert!(last.overflow && last.count == 2, "{last:?}");
        assert!((last.high_ms - 80.0).abs() < 0.1);
        assert_eq!(bins.iter().filter(|bin| bin.overflow).count(), 1);
    }

    #[test]
    fn frames_of_one_duration_fill_one_bin() {
        let bins = recorded(&[0; 3]).bins(Stage::Decode, 20);
        assert_eq!(bins.len(), 1);
        assert_eq!((bins[0].count, bins[0].overflow), (3, false));
        assert_eq!(recorded(&[5]).bins(Stage::Infer, 20), []);
        assert_eq!(recorded(&[5]).bins(Stage::Decode, 0), []);
    }

    proptest! {
        #[test]
        fn bins_and_quantiles_are_lawful(
            durations in prop::collection::vec(0u64..200_000_000_000, 1..200),
            most in 1usize..64,
        ) {
            let histograms = recorded(&durations);
            let bins = histograms.bins(Stage::Decode, most);
            prop_assert!(bins.len() <= most + 1);
            prop_assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), durations.len() as u64);
            for pair in bins.windows(2) {
                prop_assert!((pair[0].high_ms - pair[1].low_ms).abs() < 1e-6);
            }
            let q = histograms.quantiles()[0].1;
            prop_assert!(q.min <= q.p50 && q.p50 <= q.p90 && q.p90 <= q.p99 && q.p99 <= q.max);
        }
    }
}
