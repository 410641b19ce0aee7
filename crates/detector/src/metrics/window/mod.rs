//! The frames of one camera in the last seconds, and since the start.
//!
//! Each frame adds one sample of a fixed size, up to [`Window::MOST_SAMPLES`]; with more frames the
//! window is shorter. Every instant comes from a frame's trace or from the caller.

mod nearest;
mod sample;
#[cfg(test)]
mod tests;
mod totals;
mod view;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use self::nearest::{Nearest, NearestRange};
use self::sample::{NOT_REACHED, STAGES, Sample, micros};
pub use self::totals::Totals;
pub use self::view::{Arriving, WindowView};
use self::view::{median, quantiles};
use crate::detect::InputUse;
use crate::pipeline::Frame;
use shuffledet_core::{Mark, Outcome, Stage};
use shuffledet_sight::Faults;

/// The frames of one camera.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    /// The longest time between two frames that does not miss the deadline.
    deadline: Option<Duration>,
    samples: VecDeque<Sample>,
    /// The time since when `samples` has every frame that ended within `length`.
    complete_since: Instant,
    last_received: Option<Instant>,
    /// The times at which a frame arrived later than the deadline.
    missed: VecDeque<Instant>,
    since_start: Totals,
    /// The input of each run of the model on the last published frame.
    inputs: Vec<InputUse>,
    /// The faults of the camera's pictures at the last published frame.
    faults: Option<Faults>,
    nearest: Nearest,
}

impl Window {
    /// More than three minutes at 100 frames per second.
    pub const MOST_SAMPLES: usize = 20_000;

    /// Creates the window of the last `length` for a camera that was started at `start`.
    pub fn new(length: Duration, deadline: Option<Duration>, start: Instant) -> Self {
        Self {
            length,
            deadline,
            samples: VecDeque::new(),
            complete_since: start,
            last_received: None,
            missed: VecDeque::new(),
            since_start: Totals::default(),
            inputs: Vec::new(),
            faults: None,
            nearest: Nearest::default(),
        }
    }

    /// Changes the length to `length`. A longer window fills as time passes.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// Records the reception of a frame, in the order of reception. Deadline and silence are
    /// counted from here; without this call, from [`Window::record`], which misses frames still
    /// being processed.
    pub fn received(&mut self, at: Instant) {
        let Some(last) = self.last_received else {
            self.last_received = Some(at);
            return;
        };
        if at <= last {
            return;
        }
        if self.deadline.is_some_and(|deadline| at - last > deadline) {
            self.since_start.missed_deadlines += 1;
            push_bounded(&mut self.missed, at);
        }
        self.last_received = Some(at);
    }

    /// Counts a frame with an outcome. Ignores a frame that was never marked as received.
    pub fn record(&mut self, frame: &Frame, outcome: &Outcome) {
        let trace = &frame.trace;
        let Some((received, ended)) = trace.at(Mark::Received).zip(trace.last()) else {
            return;
        };
        self.received(received);
        if *outcome == Outcome::Published {
            self.inputs.clone_from(&frame.inputs);
            self.faults = frame.faults;
            self.nearest = Nearest::among(&frame.tracks);
        }
        let sample = Sample::new(received, ended, frame, outcome);
        self.since_start.count(&sample);
        while let Some(first) = self.samples.front().copied() {
            let past = ended.saturating_duration_since(first.ended) > self.length;
            if !past && self.samples.len() < Self::MOST_SAMPLES {
                break;
            }
            self.complete_since = self.complete_since.max(first.ended);
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Returns the window that ends at `now`. A published frame with a latency above `late` is
    /// late.
    pub fn view(&self, now: Instant, late: Duration) -> WindowView {
        let begin = now
            .checked_sub(self.length)
            .map_or(self.complete_since, |begin| begin.max(self.complete_since));
        let mut recent = Totals::default();
        let (mut received, mut durations) = (0u64, [const { Vec::new() }; STAGES]);
        let mut lags = Vec::new();
        for sample in self.samples.iter().filter(|sample| sample.ended >= begin) {
            recent.count(sample);
            received += u64::from(sample.received >= begin);
            lags.extend(sample.stamp_lag_ns);
            for (durations, &stage) in durations.iter_mut().zip(&sample.stages) {
                if stage != NOT_REACHED {
                    durations.push(stage);
                }
            }
        }
        recent.missed_deadlines = self.missed.iter().filter(|&&at| at >= begin).count() as u64;
        let span = now.saturating_duration_since(begin);
        let rate = |frames: u64| {
            if span.is_zero() {
                0.0
            } else {
                frames as f64 / span.as_secs_f64()
            }
        };
        let stages = Stage::ALL.into_iter().zip(&mut durations);
        WindowView {
            span,
            rate_in_hz: rate(received),
            rate_out_hz: rate(recent.frames.published),
            recent,
            stages_ms: stages
                .filter_map(|(stage, durations)| Some((stage, quantiles(durations)?)))
                .collect(),
            late_in_a_row: self.late_in_a_row(late),
            stamp_lag_ms: median(&mut lags).map(|ns| ns as f64 / 1e6),
            since_start: self.since_start.clone(),
            silent_for: self.silent_for(now),
            inputs: self.inputs.clone(),
            faults: self.faults,
            nearest: self.nearest,
        }
    }

    /// Returns the arrival of frames within the window at `now`. A gap longer than `pause` is a
    /// pause, and earlier frames are ignored. `None` if there are too few frames for a rate.
    pub fn arriving(&self, now: Instant, pause: Duration) -> Option<Arriving> {
        /// The minimum time for a rate, unless the window is shorter.
        const LEAST: Duration = Duration::from_secs(2);
        let newest = self.samples.back()?.received;
        let (mut first, mut frames) = (newest, 0);
        for sample in self.samples.iter().rev() {
            let gap = first.saturating_duration_since(sample.received);
            let past = now.saturating_duration_since(sample.received) > self.length;
            if past || gap > pause {
                break;
            }
            first = first.min(sample.received);
            frames += 1;
        }
        let span = newest.saturating_duration_since(first);
        let enough = span >= LEAST.min(self.length / 2);
        enough.then(|| Arriving {
            intervals: frames - 1,
            span,
        })
    }

    /// Returns the time since the last reception; `None` if there was none.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let last = self.last_received?;
        Some(now.saturating_duration_since(last))
    }

    fn late_in_a_row(&self, late: Duration) -> u64 {
        let late = micros(late);
        let newest_first = self.samples.iter().rev().filter(|s| s.is_published());
        let late_ones = newest_first.take_while(|s| s.latency_us().is_some_and(|us| us > late));
        late_ones.count() as u64
    }
}

fn push_bounded(instants: &mut VecDeque<Instant>, at: Instant) {
    if instants.len() == Window::MOST_SAMPLES {
        instants.pop_front();
    }
    instants.push_back(at);
}
