//! The rate of a camera, estimated from its stamps, and the number of missing frames.
//!
//! The middleware does not report dropped messages. A steady camera stamps each image, so a gap of
//! n periods between two stamps means n - 1 missing frames.

use std::collections::VecDeque;

/// The stamps of one camera, in the order of reception.
#[derive(Debug, Clone, Default)]
pub struct Rhythm {
    last_ns: Option<i64>,
    /// The intervals between the last stamps, over at least [`SPAN_NS`].
    intervals_ns: VecDeque<i64>,
    span_ns: i64,
    period_ns: Option<i64>,
    /// The stamp since which the camera has been slower than `period_ns`.
    slower_since_ns: Option<i64>,
    /// Missing frames that may turn out to be a slower rate of the camera.
    suspected: f64,
    lost: u64,
}

/// The minimum span of stamps to estimate a rate from.
const SPAN_NS: i64 = 2_000_000_000;
const LEAST_INTERVALS: usize = 10;
/// The shortest period of a camera; closer images come from a file or a queue.
const SHORTEST_PERIOD_NS: i64 = 4_000_000;
/// After a gap of this length and this many periods, it is unknown whether the camera took images
/// in it.
const PAUSE_NS: i64 = 1_000_000_000;
const PAUSE_PERIODS: i64 = 5;
/// After an absence of this length, the camera may be another one.
const FORGET_NS: i64 = 10_000_000_000;
/// The time for which a camera must be slower before the slower rate is adopted.
const ADOPT_NS: i64 = 60_000_000_000;
/// The relative difference above which a period counts as a new one.
const OTHER: f64 = 0.2;
/// The minimum share of the time covered by single periods to estimate a rate.
const COVERED: f64 = 0.4;
/// The maximum distance of an interval from a whole number of periods, in periods.
const JITTER: f64 = 0.25;
/// The share of intervals that are whole periods for a steady camera.
const STEADY: f64 = 0.8;

impl Rhythm {
    /// Returns the number of frames missing between the received stamps since the start.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the camera's rate in frames per second, if its stamps tell it.
    pub fn rate_hz(&self) -> Option<f64> {
        self.period_ns.map(|period| 1e9 / period as f64)
    }

    /// Processes the next frame's stamp. `expected_hz`, if known, replaces the estimated rate.
    pub fn stamped(&mut self, stamp_ns: i64, expected_hz: Option<f64>) {
        let Some(last) = self.last_ns.replace(stamp_ns) else {
            return;
        };
        let interval = stamp_ns.saturating_sub(last);
        let given = expected_hz.map(|hz| (1e9 / hz) as i64);
        let longest = given.or(self.period_ns).map_or(FORGET_NS, |period| {
            let periods = period.saturating_mul(PAUSE_PERIODS);
            PAUSE_NS.max(periods).min(FORGET_NS)
        });
        if interval <= 0 || interval > longest {
            self.pause(interval);
            return;
        }
        self.intervals_ns.push_back(interval);
        self.span_ns += interval;
        while let Some(&first) = self.intervals_ns.front()
            && self.span_ns - first >= SPAN_NS
            && self.intervals_ns.len() > LEAST_INTERVALS
        {
            self.span_ns -= first;
            self.intervals_ns.pop_front();
        }
        self.learn(stamp_ns);
        let period = given.or(self.period_ns);
        if let Some(period) = period.filter(|&period| period >= SHORTEST_PERIOD_NS) {
            self.count(interval, period);
        }
    }

    /// Records a frame that was overtaken by an earlier one: it was counted as missing, and is not.
    pub fn overtaken(&mut self) {
        if self.suspected >= 1.0 {
            self.suspected -= 1.0;
        } else {
            self.lost = self.lost.saturating_sub(1);
        }
    }

    fn pause(&mut self, interval_ns: i64) {
        self.intervals_ns.clear();
        self.span_ns = 0;
        self.suspected = 0.0;
        if interval_ns <= 0 || interval_ns > FORGET_NS {
            self.period_ns = None;
            self.slower_since_ns = None;
        }
    }

    fn learn(&mut self, now_ns: i64) {
        if self.span_ns < SPAN_NS || self.intervals_ns.len() < LEAST_INTERVALS {
            return;
        }
        let mut sorted: Vec<i64> = self.intervals_ns.iter().copied().collect();
        sorted.sort_unstable();
        // missing frames only make intervals longer: the short ones tell the period
        let short = sorted[sorted.len() / 5];
        let singles: Vec<i64> = sorted
            .iter()
            .take_while(|&&interval| interval <= short + short / 2 + short / 4)
            .copied()
            .collect();
        let period = singles[singles.len() / 2];
        let covered: i64 = singles.iter().sum();
        if period < SHORTEST_PERIOD_NS || (covered as f64) < COVERED * self.span_ns as f64 {
            return;
        }
        let known = self.period_ns.unwrap_or(period) as f64;
        let slower = period as f64 > known * (1.0 + OTHER);
        let since = *self.slower_since_ns.get_or_insert(now_ns);
        if slower && now_ns.saturating_sub(since) < ADOPT_NS {
            return;
        }
        if slower {
            // the camera was slower and lost nothing
            self.suspected = 0.0;
        }
        self.period_ns = Some(period);
        self.slower_since_ns = None;
    }

    /// Counts periods and frames: a late image and an early one after it are two in two periods.
    fn count(&mut self, interval_ns: i64, period_ns: i64) {
        let periods = |interval: i64| interval as f64 / period_ns as f64;
        let whole = self
            .intervals_ns
            .iter()
            .filter(|&&interval| {
                let periods = periods(interval);
                periods > 0.5 && (periods - periods.round()).abs() <= JITTER
            })
            .count();
        let enough = self.intervals_ns.len() >= LEAST_INTERVALS;
        let steady = enough && whole as f64 >= STEADY * self.intervals_ns.len() as f64;
        let missing = periods(interval_ns) - 1.0;
        if missing.abs() > JITTER {
            self.suspected += missing;
            return;
        }
        // two images in a row: the camera still takes as many
        if steady {
            self.lost += self.suspected.round().max(0.0) as u64;
        }
        self.suspected = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Plays the stamps of a camera of `hz` from image `first` to before `end`, without those that
    /// are not `kept`.
    fn play(rhythm: &mut Rhythm, hz: f64, first: u32, end: u32, kept: impl Fn(u32) -> bool) {
        for picture in (first..end).filter(|&picture| kept(picture)) {
            let jitter = i64::from(picture * 7919 % 13) * MS / 10;
            let at_s = f64::from(picture) / hz;
            rhythm.stamped(1_700_000_000_000 * MS + (at_s * 1e9) as i64 + jitter, None);
        }
    }

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found / expected - 1.0).abs() < 0.03)
    }

    #[test]
    fn a_camera_without_losses_has_its_rate_and_lost_nothing() {
        for hz in [0.5, 1.5, 5.0, 25.0, 30.0, 60.0, 120.0] {
            let mut rhythm = Rhythm::default();
            play(&mut rhythm, hz, 0, 400, |_| true);
            assert!(near(rhythm.rate_hz(), hz), "{hz}: {:?}", rhythm.rate_hz());
            assert_eq!(rhythm.lost(), 0);
        }
    }

    #[test]
    fn frames_that_are_missing_are_counted_once_the_rhythm_is_known() {
        let mut rhythm = Rhythm::default();
        play(&mut rhythm, 30.0, 0, 100, |_| true);
        // one in three, then eighteen of twenty
        play(&mut rhythm, 30.0, 100, 400, |picture| picture % 3 > 0);
        play(&mut rhythm, 30.0, 400, 800, |picture| picture % 20 < 2);
        play(&mut rhythm, 30.0, 800, 810, |_| true);
        assert!(near(rhythm.rate_hz(), 30.0), "{:?}", rhythm.rate_hz());
        assert_eq!(rhythm.lost(), 100 + 360);
    }

    #[test]
    fn a_slower_camera_lost_nothing_and_is_known_as_slower_after_a_minute() {
        let mut rhythm = Rhythm::default();
        play(&mut rhythm, 30.0, 0, 100, |_| true);
        // in the dark the camera takes every third image
        let dark = |picture| picture % 3 == 0;
        play(&mut rhythm, 30.0, 100, 1000, dark);
        assert!(near(rhythm.rate_hz(), 30.0), "{:?}", rhythm.rate_hz());
        play(&mut rhythm, 30.0, 1000, 2500, dark);
        assert!(near(rhythm.rate_hz(), 10.0), "{:?}", rhythm.rate_hz());
        assert_eq!(rhythm.lost(), 0);
        // and all of them again
        play(&mut rhythm, 30.0, 2500, 2700, |_| true);
        assert!(near(rhythm.rate_hz(), 30.0), "{:?}", rhythm.rate_hz());
        assert_eq!(rhythm.lost(), 0);
    }

    #[test]
    fn a_rate_that_is_given_counts_where_too_few_come_to_learn_it() {
        let (mut learns, mut told) = (Rhythm::default(), Rhythm::default());
        for picture in (0..600).filter(|picture| picture % 50 < 5) {
            let stamp = picture * 20 * MS;
            learns.stamped(stamp, None);
            told.stamped(stamp, Some(50.0));
        }
        assert_eq!((learns.rate_hz(), learns.lost()), (None, 0));
        // of eleven gaps the first came before there were ten intervals
        assert_eq!(told.lost(), 10 * 45);
    }

    #[test]
    fn pauses_bursts_and_chance_are_no_losses() {
        let mut pauses = Rhythm::default();
        play(&mut pauses, 30.0, 0, 900, |picture| picture % 300 < 150);
        assert!(near(pauses.rate_hz(), 30.0));
        assert_eq!(pauses.lost(), 0);

        let (mut bursts, mut chance) = (Rhythm::default(), Rhythm::default());
        let (mut at, mut state) = (0, 1u64);
        for frame in 0..2000_i64 {
            bursts.stamped((frame / 50 * 900 + frame % 50 * 5) * MS, None);
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // exponential intervals, 20 ms in the mean
            let uniform = ((state >> 33) as f64 + 1.0) / (1u64 << 31) as f64;
            at += (-uniform.ln() * 20e6) as i64;
            chance.stamped(at, None);
        }
        assert_eq!((bursts.rate_hz(), bursts.lost()), (None, 0));
        assert_eq!(chance.lost(), 0);
    }

    #[test]
    fn a_picture_that_is_late_is_not_lost() {
        let mut rhythm = Rhythm::default();
        for picture in 0..600_i64 {
            // every fifth waits for the next one
            let late = if picture % 5 == 4 { 38 } else { 0 };
            rhythm.stamped((picture * 40 + late) * MS, None);
        }
        assert!(near(rhythm.rate_hz(), 25.0), "{:?}", rhythm.rate_hz());
        assert_eq!(rhythm.lost(), 0);
    }

    #[test]
    fn a_clock_that_is_set_begins_anew_and_strange_stamps_do_no_harm() {
        let mut rhythm = Rhythm::default();
        play(&mut rhythm, 30.0, 1000, 1100, |_| true);
        play(&mut rhythm, 30.0, 0, 30, |_| true);
        assert_eq!((rhythm.rate_hz(), rhythm.lost()), (None, 0));
        for stamp in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN, 1] {
            rhythm.stamped(stamp, Some(1e-300));
            rhythm.stamped(stamp, Some(1e300));
        }
        rhythm.overtaken();
        assert_eq!(rhythm.lost(), 0);
    }
}
