//! The events of a run over time, for runs of any length, in bounded memory.
//!
//! Frames are counted in at most [`Timeline::MOST_BINS`] bins of equal width over recording time.
//! If a frame lies past the last bin, neighbours are merged and the width doubles until it fits.
//! Each bin keeps the count, sum, minimum and maximum of its times: these merge without loss,
//! unlike a median.

use std::time::Duration;

use serde::Serialize;

use crate::{Stage, Trace};

const FIRST_WIDTH_NS: u64 = 10_000_000;

/// How a frame ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    Published,
    Dropped,
    Failed,
}

/// A run in bins over recording time. Serialises its fields, in nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    /// The log time of the first recorded frame; 0 without frames.
    start_ns: i64,
    width_ns: u64,
    labels: Vec<String>,
    bins: Vec<TimeBin>,
}

/// The frames of one bin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimeBin {
    pub published: u64,
    pub dropped: u64,
    pub failed: u64,
    /// Of [`Stage::Total`].
    pub total: Spread,
    /// Of [`Stage::Latency`].
    pub latency: Spread,
    /// By position in [`Timeline::labels`]; labels past its end have none.
    pub detections: Vec<u64>,
}

/// The count, sum and extremes of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    count: u64,
    sum_ns: u64,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline {
            start_ns: 0,
            width_ns: FIRST_WIDTH_NS,
            labels: Vec::new(),
            bins: Vec::new(),
        }
    }
}

impl Timeline {
    /// The maximum number of bins for a run of any length.
    pub const MOST_BINS: usize = 512;

    /// Counts one frame. `log_time_ns` is the time at which it was recorded: times before the first
    /// frame's count as the first's. `detections` are the published detections by label; a label
    /// may occur several times.
    pub fn record<'a>(
        &mut self,
        log_time_ns: i64,
        outcome: OutcomeKind,
        trace: &Trace,
        detections: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        if self.bins.is_empty() {
            self.start_ns = log_time_ns;
        }
        // a non-negative difference of two i64 fits u64
        let since = (i128::from(log_time_ns) - i128::from(self.start_ns)).max(0) as u64;
        while since / self.width_ns >= Self::MOST_BINS as u64 {
            self.halve();
        }
        let index = (since / self.width_ns) as usize;
        if index >= self.bins.len() {
            self.bins.resize_with(index + 1, TimeBin::default);
        }
        let bin = &mut self.bins[index];
        match outcome {
            OutcomeKind::Published => bin.published += 1,
            OutcomeKind::Dropped => bin.dropped += 1,
            OutcomeKind::Failed => bin.failed += 1,
        }
        if let Some(total) = trace.duration(Stage::Total) {
            bin.total.record(total);
        }
        if let Some(latency) = trace.duration(Stage::Latency) {
            bin.latency.record(latency);
        }
        for (label, count) in detections {
            let known = self.labels.iter().position(|known| known == label);
            let label_index = known.unwrap_or_else(|| {
                self.labels.push(label.to_owned());
                self.labels.len() - 1
            });
            if label_index >= bin.detections.len() {
                bin.detections.resize(self.labels.len(), 0);
            }
            bin.detections[label_index] += count;
        }
    }

    /// Returns the log time at the start of the first bin.
    pub fn start_ns(&self) -> i64 {
        self.start_ns
    }

    /// Returns the width of a bin in recording time.
    pub fn bin_width(&self) -> Duration {
        Duration::from_nanos(self.width_ns)
    }

    /// Returns the labels in the order of first occurrence.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the bins from the first frame to the last, without gaps: a bin without events is all
    /// zero.
    pub fn bins(&self) -> &[TimeBin] {
        &self.bins
    }

    /// Returns the same run in at most `most` bins, for a narrower plot.
    pub fn coarsened(&self, most: usize) -> Timeline {
        let mut coarse = self.clone();
        while coarse.bins.len() > most.max(1) {
            coarse.halve();
        }
        coarse
    }

    /// Merges neighbours and doubles the width.
    fn halve(&mut self) {
        for i in 0..self.bins.len() {
            let moved = std::mem::take(&mut self.bins[i]);
            if i % 2 == 0 {
                self.bins[i / 2] = moved;
            } else {
                self.bins[i / 2].merge(&moved);
            }
        }
        self.bins.truncate(self.bins.len().div_ceil(2));
        self.width_ns *= 2;
    }
}

impl TimeBin {
    /// Returns the number of frames that ended in this bin, with any outcome.
    pub fn frames(&self) -> u64 {
        self.published + self.dropped + self.failed
    }

    fn merge(&mut self, other: &TimeBin) {
        self.published += other.published;
        self.dropped += other.dropped;
        self.failed += other.failed;
        self.total.merge(&other.total);
        self.latency.merge(&other.latency);
        if self.detections.len() < other.detections.len() {
            self.detections.resize(other.detections.len(), 0);
        }
        for (mine, theirs) in self.detections.iter_mut().zip(&other.detections) {
            *mine += theirs;
        }
    }
}

impl Spread {
    fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.merge(&Spread {
            count: 1,
            sum_ns: ns,
            min_ns: ns,
            max_ns: ns,
        });
    }

    fn merge(&mut self, other: &Spread) {
        if other.count == 0 {
            return;
        }
        self.min_ns = match self.count {
            0 => other.min_ns,
            _ => self.min_ns.min(other.min_ns),
        };
        self.max_ns = self.max_ns.max(other.max_ns);
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// Returns milliseconds; `None` without a duration, as the other two.
    pub fn min_ms(&self) -> Option<f64> {
        self.figure(self.min_ns as f64)
    }

    pub fn mean_ms(&self) -> Option<f64> {
        self.figure(self.sum_ns as f64 / self.count as f64)
    }

    pub fn max_ms(&self) -> Option<f64> {
        self.figure(self.max_ns as f64)
    }

    fn figure(&self, ns: f64) -> Option<f64> {
        (self.count > 0).then_some(ns / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::Mark;

    fn published_after(ms: u64) -> Trace {
        let zero = Instant::now();
        let mut trace = Trace::default();
        trace.mark_at(Mark::Received, zero);
        trace.mark_at(Mark::Published, zero + Duration::from_millis(ms));
        trace
    }

    #[test]
    fn a_bin_holds_what_happened_in_its_time() {
        let mut timeline = Timeline::default();
        let second = 1_000_000_000;
        for (i, ms) in [4, 2, 9].into_iter().enumerate() {
            let at = 100 * second + i as i64;
            let seen = [("car", 2), ("dog", 1), ("car", 1)];
            timeline.record(at, OutcomeKind::Published, &published_after(ms), seen);
        }
        timeline.record(101 * second, OutcomeKind::Failed, &Trace::default(), []);
        assert_eq!(timeline.start_ns(), 100 * second);
        assert_eq!(timeline.labels(), ["car", "dog"]);
        let (first, last) = (&timeline.bins()[0], timeline.bins().last().unwrap());
        assert_eq!((first.published, first.frames()), (3, 3));
        assert_eq!(first.detections, [9, 3]);
        assert_eq!(first.latency.min_ms(), Some(2.0));
        assert_eq!(first.latency.mean_ms(), Some(5.0));
        assert_eq!(first.latency.max_ms(), Some(9.0));
        assert_eq!(first.total.mean_ms(), None);
        assert_eq!((last.failed, last.frames()), (1, 1));
        assert_eq!(timeline.bins().len(), 101);
    }

    #[test]
    fn the_widest_span_of_time_fits() {
        let mut timeline = Timeline::default();
        for at in [i64::MIN, i64::MAX, 0] {
            timeline.record(at, OutcomeKind::Dropped, &Trace::default(), []);
        }
        assert!(timeline.bins().len() <= Timeline::MOST_BINS);
        assert_eq!(timeline.bins().iter().map(|b| b.dropped).sum::<u64>(), 3);
    }

    #[test]
    fn a_frame_from_before_the_first_counts_as_the_first() {
        let mut timeline = Timeline::default();
        for at in [50, -50] {
            timeline.record(at, OutcomeKind::Dropped, &Trace::default(), []);
        }
        assert_eq!(timeline.bins()[0].dropped, 2);
    }

    type Totals = (u64, u64, u64, Spread, Vec<u64>);

    fn totals(timeline: &Timeline) -> Totals {
        let mut all = TimeBin::default();
        for bin in timeline.bins() {
            all.merge(bin);
        }
        (
            all.published,
            all.dropped,
            all.failed,
            all.latency,
            all.detections,
        )
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_often_the_width_doubles(
            frames in prop::collection::vec((0i64..1 << 45, 0u64..50, 0usize..3, 0usize..4), 1..150),
            most in 1usize..600,
        ) {
            let labels = ["a", "b", "c", "d"];
            let kinds = [OutcomeKind::Published, OutcomeKind::Dropped, OutcomeKind::Failed];
            let mut timeline = Timeline::default();
            let mut expected = TimeBin::default();
            let mut by_label = [0u64; 4];
            for &(at, ms, kind, label) in &frames {
                let trace = published_after(ms);
                timeline.record(at, kinds[kind], &trace, [(labels[label], ms)]);
                match kind {
                    0 => expected.published += 1,
                    1 => expected.dropped += 1,
                    _ => expected.failed += 1,
                }
                expected.latency.record(Duration::from_millis(ms));
                by_label[label] += ms;
            }
            expected.detections = timeline.labels().iter().map(|label| {
                by_label[labels.iter().position(|known| known == label).unwrap()]
            }).collect();
            let expected = (expected.published, expected.dropped, expected.failed,
                expected.latency, expected.detections);
            prop_assert!(timeline.bins().len() <= Timeline::MOST_BINS);
            prop_assert_eq!(totals(&timeline), expected.clone());
            let coarse = timeline.coarsened(most);
            prop_assert!(coarse.bins().len() <= most);
            prop_assert_eq!(totals(&coarse), expected);
        }
    }
}
