//! The last two minutes of a run, second by second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;
use shuffledet_core::{Outcome, Stage, Trace};

/// The frames of one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Second {
    /// Since the start of the run, from 0.
    pub index: u64,
    pub published: u32,
    pub dropped: u32,
    pub failed: u32,
    /// Median, p99 and maximum of the latency in milliseconds; `None` without a published frame.
    pub latency_ms: Option<[f32; 3]>,
    /// The mean of each stage in milliseconds, in the order of [`STAGES`]; 0 for a stage that no
    /// frame reached.
    pub stages_ms: [f32; STAGES.len()],
}

/// The stages of a second: those that a frame passes one after another, without the sums at the end.
pub const STAGES: [Stage; Stage::ALL.len() - 2] = *Stage::ALL.first_chunk().unwrap();

/// The seconds that are kept.
pub const KEPT: usize = 120;
/// The latencies of a second that are kept for its quantiles.
const LATENCIES: usize = 2000;

/// The seconds of a run, as far as they are kept.
#[derive(Debug)]
pub(crate) struct Seconds {
    start: Instant,
    closed: VecDeque<Second>,
    open: Second,
    latencies_ms: Vec<f32>,
    sums_ms: [f32; STAGES.len()],
}

impl Seconds {
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            closed: VecDeque::with_capacity(KEPT),
            open: Second::default(),
            latencies_ms: Vec::with_capacity(LATENCIES),
            sums_ms: [0.0; STAGES.len()],
        }
    }

    /// Counts a frame that ended at `now`.
    pub fn record(&mut self, now: Instant, outcome: &Outcome, trace: &Trace) {
        self.advance(now);
        match outcome {
            Outcome::Dropped(_) => self.open.dropped += 1,
            Outcome::Failed(_) => self.open.failed += 1,
            Outcome::Published => {
                self.open.published += 1;
                for (sum, stage) in self.sums_ms.iter_mut().zip(STAGES) {
                    *sum += trace.duration(stage).map_or(0.0, ms);
                }
                if let Some(latency) = trace.duration(Stage::Latency)
                    && self.latencies_ms.len() < LATENCIES
                {
                    self.latencies_ms.push(ms(latency));
                }
            }
        }
    }

    /// Returns the finished seconds from `first` on.
    pub fn since(&mut self, now: Instant, first: u64) -> Vec<Second> {
        self.advance(now);
        let wanted = self.closed.iter().filter(|second| second.index >= first);
        wanted.cloned().collect()
    }

    /// Closes the seconds that have passed at `now`.
    fn advance(&mut self, now: Instant) {
        let index = now.saturating_duration_since(self.start).as_secs();
        if index <= self.open.index {
            return;
        }
        self.close();
        // of a long silence only its end is kept
        let first_empty = (self.open.index + 1).max(index.saturating_sub(KEPT as u64));
        for empty in first_empty..index {
            self.push(Second {
                index: empty,
                ..Second::default()
            });
        }
        self.open = Second {
            index,
            ..Second::default()
        };
    }

    fn close(&mut self) {
        let mut second = std::mem::take(&mut self.open);
        self.open.index = second.index;
        self.latencies_ms.sort_by(f32::total_cmp);
        let at = |share: f64| {
            let last = self.latencies_ms.len().checked_sub(1)?;
            let rank = (share * last as f64).ceil() as usize;
            self.latencies_ms.get(rank).copied()
        };
        second.latency_ms = (|| Some([at(0.5)?, at(0.99)?, at(1.0)?]))();
        if second.published > 0 {
            let mean = |sum: f32| sum / second.published as f32;
            second.stages_ms = self.sums_ms.map(mean);
        }
        self.latencies_ms.clear();
        self.sums_ms = [0.0; STAGES.len()];
        self.push(second);
    }

    fn push(&mut self, second: Second) {
        if self.closed.len() == KEPT {
            self.closed.pop_front();
        }
        self.closed.push_back(second);
    }
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shuffledet_core::{DropReason, Mark};

    fn trace(start: Instant, latency_ms: u64) -> Trace {
        let mut trace = Trace::default();
        trace.mark_at(Mark::Received, start);
        trace.mark_at(Mark::Published, start + Duration::from_millis(latency_ms));
        trace
    }

    #[test]
    fn a_second_has_the_quantiles_of_its_frames() {
        let start = Instant::now();
        let mut seconds = Seconds::new(start);
        for latency_ms in 1..=100 {
            let trace = trace(start, latency_ms);
            seconds.record(start, &Outcome::Published, &trace);
        }
        let dropped = Outcome::Dropped(DropReason::Superseded);
        seconds.record(start, &dropped, &Trace::default());
        assert_eq!(seconds.since(start, 0), []);
        let found = seconds.since(start + Duration::from_secs(1), 0);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].published, found[0].dropped), (100, 1));
        assert_eq!(found[0].latency_ms, Some([51.0, 100.0, 100.0]));
    }

    #[test]
    fn after_a_long_silence_the_last_seconds_are_empty() {
        let start = Instant::now();
        let mut seconds = Seconds::new(start);
        seconds.record(start, &Outcome::Published, &trace(start, 5));
        let found = seconds.since(start + Duration::from_secs(1_000_000), 0);
        assert_eq!(found.len(), KEPT);
        assert_eq!(found[0].index, 1_000_000 - KEPT as u64);
        assert!(found.iter().all(|second| second.published == 0));
    }

    proptest! {
        #[test]
        fn no_frame_is_lost_or_counted_twice(gaps in prop::collection::vec(0u64..1500, 1..60)) {
            let start = Instant::now();
            let mut seconds = Seconds::new(start);
            let mut now = start;
            for gap in &gaps {
                now += Duration::from_millis(*gap);
                seconds.record(now, &Outcome::Published, &trace(now, 1));
            }
            let found = seconds.since(now + Duration::from_secs(1), 0);
            prop_assert!(found.windows(2).all(|two| two[0].index + 1 == two[1].index));
            let published: u32 = found.iter().map(|second| second.published).sum();
            prop_assert_eq!(published as usize, gaps.len());
        }
    }
}
