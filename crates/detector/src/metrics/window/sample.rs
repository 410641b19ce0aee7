//! A frame as the window keeps it.

use std::time::{Duration, Instant};

use crate::pipeline::Frame;
use shuffledet_core::{DropReason, Outcome, Stage, StampAnomaly};

pub(super) const STAGES: usize = Stage::ALL.len();
/// Replaces the duration of a stage that the frame did not complete.
pub(super) const NOT_REACHED: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub received: Instant,
    /// The trace's last mark.
    pub ended: Instant,
    /// Microseconds by position in [`Stage::ALL`].
    pub stages: [u32; STAGES],
    pub outcome: SampleOutcome,
    pub anomaly: Option<StampAnomaly>,
    pub stamp_lag_ns: Option<i64>,
    pub came_old: bool,
}

/// An [`Outcome`] without its texts.
#[derive(Debug, Clone, Copy)]
pub(super) enum SampleOutcome {
    Published,
    Dropped(&'static str),
    Failed(&'static str),
}

impl Sample {
    /// Creates the sample of a frame that was received and ended at these times.
    pub fn new(received: Instant, ended: Instant, frame: &Frame, outcome: &Outcome) -> Self {
        let trace = &frame.trace;
        Self {
            received,
            ended,
            stages: Stage::ALL.map(|stage| trace.duration(stage).map_or(NOT_REACHED, micros)),
            outcome: match outcome {
                Outcome::Published => SampleOutcome::Published,
                Outcome::Dropped(reason) => SampleOutcome::Dropped(reason.name()),
                Outcome::Failed(failure) => SampleOutcome::Failed(failure.reason),
            },
            anomaly: frame.anomaly,
            stamp_lag_ns: frame.stamp_lag_ns,
            came_old: *outcome == Outcome::Dropped(DropReason::TooOld) && frame.came_old(),
        }
    }

    pub fn is_published(&self) -> bool {
        matches!(self.outcome, SampleOutcome::Published)
    }

    /// Returns the latency in microseconds, if the frame was published.
    pub fn latency_us(&self) -> Option<u32> {
        let latency = self.stages[Stage::Latency as usize];
        (latency != NOT_REACHED).then_some(latency)
    }
}

/// Saturates above 71 minutes.
pub(super) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros())
        .map_or(NOT_REACHED - 1, |micros| micros.min(NOT_REACHED - 1))
}
