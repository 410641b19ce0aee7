//! A token bucket that limits a camera's mean rate.

use std::time::Instant;

/// Admits frames so that their mean rate meets the limit, at any rate and spacing of the camera.
///
/// A frame takes one token, and the bucket gains tokens at the limit's rate. A bucket of one token
/// would lose the tokens that accrue between two frames, so that 16 of 30 frames per second would
/// become 15. The bucket therefore holds one second's tokens plus [`SPARE`]. The mean since the
/// start exceeds the limit by at most one frame.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    rate_hz: f64,
    tokens: f64,
    filled: Instant,
}

/// The tokens beyond one second's, for the gaps of a camera with less than one frame per second.
const SPARE: f64 = 3.0;

impl RateLimit {
    /// Creates a limit of `rate_hz`, above 0, that admits a frame at `start`.
    pub fn new(rate_hz: f64, start: Instant) -> Self {
        Self {
            rate_hz,
            tokens: 1.0,
            filled: start,
        }
    }

    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Whether the frame received at `at` is admitted.
    pub fn admits(&mut self, at: Instant) -> bool {
        let passed = at.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(at);
        let room = self.rate_hz + SPARE;
        self.tokens = (self.tokens + passed * self.rate_hz).min(room);
        // sums of fractions of a token may miss a whole one by rounding
        let admitted = self.tokens >= 1.0 - 1e-9;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Returns how many of the frames at these seconds are admitted.
    fn admitted(rate_hz: f64, arrivals_s: &[f64]) -> usize {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut limit = RateLimit::new(rate_hz, at(arrivals_s[0]));
        let let_through = arrivals_s.iter().filter(|&&s| limit.admits(at(s)));
        let_through.count()
    }

    fn regular(camera_hz: f64, frames: usize) -> Vec<f64> {
        (0..frames).map(|i| i as f64 / camera_hz).collect()
    }

    #[test]
    fn sixteen_of_thirty_were_fifteen_and_thirty_of_thirty_were_sixteen() {
        for (camera_hz, rate_hz) in [
            (30.0, 16.0),
            (30.0, 20.0),
            (30.0, 29.0),
            (30.0, 30.0),
            (29.97, 30.0),
            (25.0, 24.0),
            (60.0, 7.0),
            (1000.0, 999.0),
            (30.0, 0.5),
            (30.0, 1000.0),
        ] {
            let frames = regular(camera_hz, (400.0 * camera_hz / rate_hz) as usize + 400);
            let passed = admitted(rate_hz, &frames) as f64;
            let due = rate_hz.min(camera_hz) * frames.len() as f64 / camera_hz;
            assert!(
                (passed / due - 1.0).abs() < 0.03,
                "{rate_hz} of {camera_hz}: {passed}, expected {due}"
            );
        }
    }

    #[test]
    fn next_to_nothing_lets_the_first_frame_through_and_no_other() {
        for rate_hz in [1e-300, f64::MIN_POSITIVE, 1e-9] {
            assert_eq!(admitted(rate_hz, &regular(30.0, 10_000)), 1);
        }
    }

    #[test]
    fn bursts_come_out_at_the_mean_rate() {
        // ten frames at once, five times per second: 50 frames per second
        let bursts: Vec<f64> = (0..3000).map(|i| f64::from(i / 10) * 0.2).collect();
        let passed = admitted(30.0, &bursts) as f64;
        assert!((passed / 1800.0 - 1.0).abs() < 0.03, "{passed}");
    }

    proptest! {
        #[test]
        fn the_mean_is_what_was_asked_for(
            camera_hz in 0.2f64..500.0,
            share in 0.01f64..1.5,
            jitter in prop::collection::vec(0.0f64..1.5, 50..200),
        ) {
            let rate_hz = (camera_hz * share).min(1000.0);
            let mean_hz = rate_hz.min(camera_hz);
            // 400 frames that are due, each late by up to one and a half periods
            let frames = (400.0 * camera_hz / mean_hz) as usize;
            let late = |i: usize| jitter[i % jitter.len()];
            let mut arrivals: Vec<f64> =
                (0..frames).map(|i| (i as f64 + late(i)) / camera_hz).collect();
            arrivals.sort_by(f64::total_cmp);
            let (first, last) = (arrivals[0], arrivals[frames - 1]);
            let passed = admitted(rate_hz, &arrivals) as f64;
            prop_assert!((passed / 400.0 - 1.0).abs() < 0.03, "{passed} of {frames}");
            // never more than the limit allows
            prop_assert!(passed <= 1.0 + rate_hz * (last - first) + 1e-6);
        }

        #[test]
        fn any_instants_do_no_harm(
            rate_hz in prop::num::f64::POSITIVE,
            offsets in prop::collection::vec(0u64..u64::MAX / 4, 1..50),
        ) {
            let start = Instant::now();
            let mut limit = RateLimit::new(rate_hz, start);
            for offset in offsets {
                limit.admits(start + Duration::from_nanos(offset));
            }
            prop_assert!(limit.tokens >= -1e-6 || limit.tokens.is_infinite());
        }
    }
}
