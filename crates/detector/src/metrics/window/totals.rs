//! Counts of a camera's frames.

use super::super::tally::count;
use super::sample::{Sample, SampleOutcome};
use shuffledet_core::{FrameCounts, StampAnomaly};

const ANOMALIES: usize = StampAnomaly::ALL.len();

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Received frames are those with an outcome, without those still being processed.
    pub frames: FrameCounts,
    /// By position in [`StampAnomaly::ALL`].
    pub anomalies: [u64; ANOMALIES],
    pub missed_deadlines: u64,
    /// Frames dropped as too old that were too old by their stamps on reception.
    pub came_old: u64,
}

impl Totals {
    pub(super) fn count(&mut self, sample: &Sample) {
        self.frames.received += 1;
        match sample.outcome {
            SampleOutcome::Published => self.frames.published += 1,
            SampleOutcome::Dropped(reason) => count(&mut self.frames.dropped, reason),
            SampleOutcome::Failed(reason) => count(&mut self.frames.failed, reason),
        }
        self.came_old += u64::from(sample.came_old);
        if let Some(anomaly) = sample.anomaly {
            self.anomalies[anomaly as usize] += 1;
        }
    }
}
