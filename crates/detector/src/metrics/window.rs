//! The frames of one camera in the last seconds, and since the start.
//!
//! Each frame adds one sample of a fixed size, up to [`Window::MOST_SAMPLES`]; with more frames the
//! window is shorter. Every instant comes from a frame's trace or from the caller.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::tally::count;
use crate::pipeline::Frame;
use shuffledet_core::{DropReason, Mark, Outcome, Stage, StampAnomaly};
use shuffledet_core::{FrameCounts, Quantiles};

const STAGES: usize = Stage::ALL.len();
const ODDITIES: usize = StampAnomaly::ALL.len();
/// Replaces the duration of a stage that the frame did not complete.
const NOT_REACHED: u32 = u32::MAX;

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
}

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Received frames are those with an outcome, without those still being processed.
    pub frames: FrameCounts,
    /// By position in [`StampAnomaly::ALL`].
    pub anomalies: [u64; ODDITIES],
    pub missed_deadlines: u64,
    /// Frames dropped as too old that were too old by their stamps on reception.
    pub came_old: u64,
}

/// The arrival of frames since the camera's last pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arriving {
    /// Intervals between frames.
    pub intervals: u64,
    /// The time from the first of these frames to the last.
    pub span: Duration,
}

/// A window at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowView {
    /// The time over which rates are taken: the window's length, or less if less is known.
    pub span: Duration,
    /// Received frames per second.
    pub rate_in_hz: f64,
    /// Published frames per second.
    pub rate_out_hz: f64,
    /// The counts of the frames that ended within the window.
    pub recent: Totals,
    /// In the order of [`Stage::ALL`], without stages that no frame completed within the window.
    pub stages_ms: Vec<(Stage, Quantiles)>,
    /// The number of last published frames in a row with a latency above the limit.
    pub late_in_a_row: u64,
    pub since_start: Totals,
    /// The median delay of the stamps behind the clock on reception, in milliseconds; negative:
    /// ahead of it.
    pub stamp_lag_ms: Option<f64>,
    /// The time since the last frame was received; `None` if there was none.
    pub silent_for: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    received: Instant,
    /// The trace's last mark.
    ended: Instant,
    /// Microseconds by position in [`Stage::ALL`].
    stages: [u32; STAGES],
    fate: Fate,
    anomaly: Option<StampAnomaly>,
    stamp_lag_ns: Option<i64>,
    came_old: bool,
}

/// An [`Outcome`] without its texts.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Published,
    Dropped(&'static str),
    Failed(&'static str),
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
        let sample = Sample {
            received,
            ended,
            stages: Stage::ALL.map(|stage| trace.duration(stage).map_or(NOT_REACHED, micros)),
            fate: match outcome {
                Outcome::Published => Fate::Published,
                Outcome::Dropped(reason) => Fate::Dropped(reason.name()),
                Outcome::Failed(failure) => Fate::Failed(failure.reason),
            },
            anomaly: frame.anomaly,
            stamp_lag_ns: frame.stamp_lag_ns,
            came_old: *outcome == Outcome::Dropped(DropReason::TooOld) && frame.came_old(),
        };
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
        let published = |sample: &&Sample| matches!(sample.fate, Fate::Published);
        let is_late = |sample: &&Sample| {
            let latency = sample.stages[Stage::Latency as usize];
            latency != NOT_REACHED && latency > late
        };
        let newest_first = self.samples.iter().rev().filter(published);
        newest_first.take_while(is_late).count() as u64
    }
}

impl Totals {
    fn count(&mut self, sample: &Sample) {
        self.frames.received += 1;
        match sample.fate {
            Fate::Published => self.frames.published += 1,
            Fate::Dropped(reason) => count(&mut self.frames.dropped, reason),
            Fate::Failed(reason) => count(&mut self.frames.failed, reason),
        }
        self.came_old += u64::from(sample.came_old);
        if let Some(anomaly) = sample.anomaly {
            self.anomalies[anomaly as usize] += 1;
        }
    }
}

fn push_bounded(instants: &mut VecDeque<Instant>, at: Instant) {
    if instants.len() == Window::MOST_SAMPLES {
        instants.pop_front();
    }
    instants.push_back(at);
}

fn median(values: &mut [i64]) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Saturates above 71 minutes.
fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros())
        .map_or(NOT_REACHED - 1, |micros| micros.min(NOT_REACHED - 1))
}

/// Returns quantiles in milliseconds from microseconds, and sorts these. `None` without durations.
/// A quantile is the smallest duration that at least that share of them does not exceed.
fn quantiles(durations: &mut [u32]) -> Option<Quantiles> {
    durations.sort_unstable();
    let ms = |micros: u32| f64::from(micros) / 1000.0;
    let (&min, &max) = (durations.first()?, durations.last()?);
    let at = |percent: usize| ms(durations[(durations.len() * percent).div_ceil(100).max(1) - 1]);
    Some(Quantiles {
        min: ms(min),
        p50: at(50),
        p90: at(90),
        p99: at(99),
        max: ms(max),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use shuffledet_core::{Failure, Trace};

    const MS: Duration = Duration::from_millis(1);
    const LATE: Duration = Duration::from_millis(100);

    fn failed() -> Outcome {
        Outcome::Failed(Failure {
            reason: "unknown_encoding",
            message: "".into(),
        })
    }

    /// Records a frame received at `at`: published `latency` later, or dropped or failed then.
    fn record(window: &mut Window, at: Instant, latency: Duration, outcome: &Outcome) {
        let mut frame = Frame::new();
        frame.trace = Trace::default();
        frame.trace.mark_at(Mark::Received, at);
        let end = match outcome {
            Outcome::Published => Mark::Published,
            _ => Mark::Ordered,
        };
        frame.trace.mark_at(end, at + latency);
        window.record(&frame, outcome);
    }

    fn window(start: Instant) -> Window {
        Window::new(Duration::from_secs(10), None, start)
    }

    #[test]
    fn counts_are_of_the_window_and_totals_of_all() {
        let start = Instant::now();
        let mut window = window(start);
        for i in 0..200 {
            let outcome = match i % 4 {
                0 => Outcome::Dropped(DropReason::Superseded),
                1 if i > 100 => failed(),
                _ => Outcome::Published,
            };
            record(&mut window, start + 100 * i * MS, MS, &outcome);
        }
        let view = window.view(start + 20_000 * MS, LATE);
        assert_eq!(view.span, Duration::from_secs(10));
        assert_eq!(view.recent.frames.received, 100);
        assert_eq!(view.recent.frames.dropped["superseded"], 25);
        assert_eq!(view.recent.frames.failed["unknown_encoding"], 25);
        assert_eq!((view.rate_in_hz, view.rate_out_hz), (10.0, 5.0));
        assert_eq!(view.since_start.frames.received, 200);
        assert_eq!(view.silent_for, Some(100 * MS));
    }

    #[test]
    fn a_young_window_takes_its_rate_over_its_age_and_a_full_one_over_what_it_holds() {
        let start = Instant::now();
        let mut young = window(start);
        assert_eq!(young.view(start, LATE).rate_in_hz, 0.0);
        assert_eq!(young.view(start, LATE).silent_for, None);
        for i in 0..20 {
            record(&mut young, start + 100 * i * MS, MS, &Outcome::Published);
        }
        let view = young.view(start + 2000 * MS, LATE);
        assert_eq!((view.span, view.rate_in_hz), (2000 * MS, 10.0));

        let mut full = window(start);
        let every = Duration::from_micros(100);
        for i in 0..30_000 {
            record(
                &mut full,
                start + every * i,
                Duration::ZERO,
                &Outcome::Published,
            );
        }
        let view = full.view(start + every * 30_000, LATE);
        assert_eq!(view.recent.frames.received, Window::MOST_SAMPLES as u64);
        assert!(
            (view.rate_in_hz / 10_000.0 - 1.0).abs() < 1e-3,
            "{}",
            view.rate_in_hz
        );
        assert_eq!(view.since_start.frames.received, 30_000);
    }

    #[test]
    fn late_frames_count_from_the_last_one_in_time() {
        let start = Instant::now();
        let mut window = window(start);
        for (i, latency) in [150, 90, 150, 200].into_iter().enumerate() {
            let at = start + i as u32 * 500 * MS;
            record(&mut window, at, latency * MS, &Outcome::Published);
            record(
                &mut window,
                at,
                MS,
                &Outcome::Dropped(DropReason::Superseded),
            );
        }
        let now = start + 3000 * MS;
        assert_eq!(window.view(now, LATE).late_in_a_row, 2);
        assert_eq!(window.view(now, 180 * MS).late_in_a_row, 1);
        assert_eq!(window.view(now, 200 * MS).late_in_a_row, 0);
    }

    #[test]
    fn deadlines_and_silence_count_from_reception() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(10), Some(100 * MS), start);
        for at in [0, 50, 150, 251, 300, 9000] {
            window.received(start + at * MS);
        }
        // slow frames end long after later frames were received
        record(&mut window, start + 50 * MS, 9000 * MS, &Outcome::Published);
        let view = window.view(start + 10_200 * MS, LATE);
        assert_eq!(view.silent_for, Some(1200 * MS));
        assert_eq!(view.recent.missed_deadlines, 2);
        let view = window.view(start + 15_000 * MS, LATE);
        assert_eq!(view.recent.missed_deadlines, 1);
        assert_eq!(view.since_start.missed_deadlines, 2);
    }

    #[test]
    fn odd_stamps_count_by_position() {
        for (i, anomaly) in StampAnomaly::ALL.into_iter().enumerate() {
            assert_eq!(anomaly as usize, i);
        }
        let start = Instant::now();
        let mut window = window(start);
        let mut frame = Frame::new();
        frame.trace.mark_at(Mark::Received, start);
        frame.anomaly = Some(StampAnomaly::Duplicate);
        window.record(
            &frame,
            &Outcome::Dropped(DropReason::Stamp(StampAnomaly::Duplicate)),
        );
        let recent = window.view(start, LATE).recent;
        assert_eq!(recent.anomalies, [0, 0, 0, 1, 0, 0]);
        assert_eq!(recent.frames.dropped["stamp_duplicate"], 1);
    }

    #[test]
    fn a_stamp_that_was_old_on_receipt_is_told_from_a_wait() {
        let start = Instant::now();
        let mut window = window(start);
        for (age, lag_ms, waited) in [(300, 300, 10), (0, -5000, 500), (100, 100, 150)] {
            let mut frame = Frame::new();
            frame.age_on_receipt = age * MS;
            frame.stamp_lag_ns = Some(lag_ms * 1_000_000);
            frame.trace.mark_at(Mark::Received, start);
            frame.trace.mark_at(Mark::Ordered, start + waited * MS);
            window.record(&frame, &Outcome::Dropped(DropReason::TooOld));
        }
        let view = window.view(start + 1000 * MS, LATE);
        assert_eq!(view.recent.frames.dropped["too_old"], 3);
        assert_eq!(view.recent.came_old, 1);
        assert_eq!(view.stamp_lag_ms, Some(100.0));
    }

    #[test]
    fn how_frames_arrive_is_told_from_the_last_pause_on() {
        let (start, pause) = (Instant::now(), Duration::from_secs(2));
        let mut window = window(start);
        assert_eq!(window.arriving(start, pause), None);
        for i in 0..30 {
            record(&mut window, start + 100 * i * MS, MS, &Outcome::Published);
        }
        let found = window.arriving(start + 3000 * MS, pause).unwrap();
        assert_eq!((found.intervals, found.span), (29, 2900 * MS));
        // the camera comes back after five seconds, faster
        let back = start + 8000 * MS;
        record(&mut window, back, MS, &Outcome::Published);
        assert_eq!(window.arriving(back, pause), None);
        for i in 1..200 {
            record(&mut window, back + 50 * i * MS, MS, &Outcome::Published);
        }
        let now = back + 9950 * MS;
        let found = window.arriving(now, pause).unwrap();
        assert_eq!((found.intervals, found.span), (199, 9950 * MS));
        let found = window.arriving(now + 5000 * MS, pause).unwrap();
        assert_eq!(found.span, 5000 * MS);
    }

    #[test]
    fn a_frame_that_was_never_received_and_one_that_took_hours_do_no_harm() {
        let start = Instant::now();
        let mut window = window(start);
        window.record(&Frame::new(), &Outcome::Published);
        assert_eq!(window.view(start, LATE).since_start, Totals::default());
        let hours = Duration::from_secs(36_000);
        record(&mut window, start, hours, &Outcome::Published);
        let view = window.view(start + hours, LATE);
        assert_eq!(view.stages_ms[0].1.max, 4_294_967.294);
    }

    proptest! {
        #[test]
        fn totals_add_up_and_quantiles_are_those_of_a_sorted_list(
            frames in prop::collection::vec((0u64..3000, 0u64..5_000_000, 0usize..3), 1..300),
            length_ms in 1000u64..20_000,
        ) {
            let start = Instant::now();
            let length = Duration::from_millis(length_ms);
            let mut window = Window::new(length, None, start);
            let (mut now, mut ends) = (start, Vec::new());
            for &(wait_ms, latency_us, outcome) in &frames {
                now += Duration::from_millis(wait_ms);
                let received = now.checked_sub(Duration::from_micros(latency_us)).unwrap_or(now);
                let outcome = match outcome {
                    0 => Outcome::Published,
                    1 => Outcome::Dropped(DropReason::TooOld),
                    _ => failed(),
                };
                if outcome == Outcome::Published {
                    ends.push((now, now - received));
                }
                record(&mut window, received, now - received, &outcome);
            }
            let view = window.view(now, LATE);
            for totals in [&view.recent, &view.since_start] {
                let counts = &totals.frames;
                let ended = counts.published + counts.dropped.values().sum::<u64>()
                    + counts.failed.values().sum::<u64>();
                prop_assert_eq!(counts.received, ended);
            }
            prop_assert_eq!(view.since_start.frames.received, frames.len() as u64);

            let mut expected: Vec<f64> = ends.iter()
                .filter(|(end, _)| now - *end <= length && *end >= start)
                .map(|(_, latency)| latency.as_micros() as f64 / 1000.0)
                .collect();
            expected.sort_by(f64::total_cmp);
            let latency = view.stages_ms.iter().find(|(stage, _)| *stage == Stage::Latency);
            prop_assert_eq!(latency.is_some(), !expected.is_empty());
            if let Some((_, q)) = latency {
                // the smallest value that at least that share of the values does not exceed
                let reference = |share: f64| expected.iter().copied().find(|&value| {
                    let below = expected.iter().filter(|&&other| other <= value).count();
                    below as f64 >= share * expected.len() as f64 - 1e-9
                });
                for (share, found) in [(0.5, q.p50), (0.9, q.p90), (0.99, q.p99), (1.0, q.max)] {
                    prop_assert_eq!(reference(share), Some(found));
                }
                prop_assert_eq!(q.min, expected[0]);
            }
        }
    }
}
