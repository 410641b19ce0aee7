//! The time until an object is reached, from how fast its box grows.
//!
//! An object that comes nearer at a steady speed has a box whose height is the inverse of its distance.
//! The slope of the logarithm of the height is the inverse of the time to collision, without any
//! calibration (D. N. Lee, "A theory of visual control of braking based on information about
//! time-to-collision", 1976). The slope over a window holds for its middle, so half of the window is
//! taken off.

/// The heights of one object's boxes over the last half second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeightHistory {
    /// A ring: seconds since some moment, and the logarithm of the height.
    samples: [(f64, f64); CAPACITY],
    /// Where the next sample goes.
    next: usize,
    count: usize,
    time_s: f64,
}

/// When an object is reached if speeds stay as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToCollision {
    pub seconds: f64,
    /// Standard deviation in seconds.
    pub deviation_s: f64,
}

/// The window of the slope.
const WINDOW_S: f64 = 0.5;
/// Below these a slope is noise.
const LEAST_SAMPLES: usize = 6;
const LEAST_SPAN_S: f64 = 0.3;
/// Samples kept; at more than 62 frames per second some are left out.
const CAPACITY: usize = 32;
const LEAST_STEP_S: f64 = WINDOW_S / (CAPACITY - 1) as f64;
/// The standard deviation of a height as a share of it, before anything is known of an object, and for
/// how many samples that counts.
const SHARE: f64 = 0.03;
const SHARE_SAMPLES: f64 = 4.0;
/// An object approaches if its growth is that many standard deviations above 0: noise alone would seem
/// to in 0.1 % of all frames.
const SIGMAS: f64 = 3.0;
/// Nothing is told beyond, because a speed does not stay so long.
const LONGEST_S: f64 = 30.0;

impl Default for HeightHistory {
    fn default() -> Self {
        Self {
            samples: [(0.0, 0.0); CAPACITY],
            next: 0,
            count: 0,
            time_s: 0.0,
        }
    }
}

impl HeightHistory {
    /// Takes in the height of a box in pixels, `dt` seconds after the one before. A box that the border
    /// of the image cuts off has no height: leave it out, and add its `dt` to the next one.
    pub fn push(&mut self, dt: f64, height_px: f64) {
        let usable = height_px.is_finite() && height_px > 0.0;
        if !usable || !(0.0..=WINDOW_S).contains(&dt) {
            // after a longer gap the object may have changed its speed
            *self = Self::default();
            if !usable {
                return;
            }
        }
        let since = self.time_s + dt.clamp(0.0, WINDOW_S);
        if self.count > 0 && since - self.newest().0 < LEAST_STEP_S {
            self.time_s = since;
            return;
        }
        self.time_s = since;
        self.samples[self.next] = (since, height_px.ln());
        self.next = (self.next + 1) % CAPACITY;
        self.count = (self.count + 1).min(CAPACITY);
    }

    fn newest(&self) -> (f64, f64) {
        self.samples[(self.next + CAPACITY - 1) % CAPACITY]
    }

    /// The samples of the window.
    fn window(&self) -> impl Iterator<Item = (f64, f64)> + Clone + '_ {
        let kept = if self.count < CAPACITY {
            &self.samples[..self.count]
        } else {
            &self.samples
        };
        let (newest, _) = self.newest();
        kept.iter()
            .copied()
            .filter(move |(time, _)| newest - time <= WINDOW_S + 1e-9)
    }

    /// Returns the time to collision `elapsed_s` seconds after the latest box; `None` where
    /// [`Self::time_to_collision`] has none, and after more than half a second.
    pub fn time_to_collision_after(&self, elapsed_s: f64) -> Option<TimeToCollision> {
        let found = self.time_to_collision().filter(|_| elapsed_s <= WINDOW_S)?;
        Some(TimeToCollision {
            seconds: (found.seconds - elapsed_s).max(0.0),
            ..found
        })
    }

    /// Returns the time to collision; `None` if the object does not approach for sure, after less than
    /// 6 boxes or 0.3 seconds, or beyond 30 seconds.
    pub fn time_to_collision(&self) -> Option<TimeToCollision> {
        if self.count < LEAST_SAMPLES {
            return None;
        }
        let window = self.window();
        let count = window.clone().count() as f64;
        let newest = self.newest().0;
        let oldest = window.clone().map(|(time, _)| time).fold(newest, f64::min);
        if count < LEAST_SAMPLES as f64 || newest - oldest < LEAST_SPAN_S - 1e-9 {
            return None;
        }
        let sums = window
            .clone()
            .fold((0.0, 0.0), |(t, h), (time, height)| (t + time, h + height));
        let (mean_time, mean_height) = (sums.0 / count, sums.1 / count);
        let (mut times, mut both) = (0.0, 0.0);
        for (time, height) in window.clone() {
            times += (time - mean_time).powi(2);
            both += (time - mean_time) * (height - mean_height);
        }
        let growth = both / times;
        let residuals = window
            .map(|(time, height)| (height - mean_height - growth * (time - mean_time)).powi(2));
        let noise = (residuals.sum::<f64>() + SHARE_SAMPLES * SHARE * SHARE)
            / (count - 2.0 + SHARE_SAMPLES);
        let deviation = (noise / times).sqrt();
        let seconds = 1.0 / growth - (newest - mean_time);
        let approaches = growth > SIGMAS * deviation && seconds <= LONGEST_S;
        approaches.then(|| TimeToCollision {
            // an object that is reached within half of the window
            seconds: seconds.max(0.0),
            deviation_s: deviation / (growth * growth),
        })
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;

    const FOCAL: f64 = 721.5;

    fn normal(rng: &mut Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    /// Heights of a car that starts `distance_m` away and comes nearer with `speed`, until it is reached.
    fn approach(distance_m: f64, speed: f64, fps: f64) -> impl Iterator<Item = (f64, f64)> {
        let distances = (0..).map(move |frame| distance_m - speed * f64::from(frame) / fps);
        let distances = distances.take_while(|&distance| distance > 1.0);
        distances
            .take(400)
            .map(move |distance| (distance, FOCAL * 1.53 / distance))
    }

    #[test]
    fn a_steady_approach_is_told_exactly() {
        for fps in [12.0, 25.0, 60.0, 120.0] {
            let mut history = HeightHistory::default();
            for (distance, height) in approach(40.0, 10.0, fps) {
                history.push(1.0 / fps, height);
                let left = distance / 10.0;
                // half a second before the end the slope is none of its middle
                if let Some(found) = history.time_to_collision()
                    && left > 0.5
                {
                    assert!(
                        (found.seconds - left).abs() < 0.03 * left + 0.02,
                        "{fps} {found:?} {left}"
                    );
                }
            }
            assert!(history.time_to_collision().is_some(), "{fps}");
        }
    }

    #[test]
    fn nothing_is_told_too_early() {
        let mut history = HeightHistory::default();
        for (at, (_, height)) in approach(12.0, 10.0, 30.0).enumerate() {
            history.push(1.0 / 30.0, height);
            // 0.3 seconds are 9 steps of 1/30 s
            assert!(at >= 9 || history.time_to_collision().is_none(), "{at}");
        }
        let mut history = HeightHistory::default();
        for (at, (_, height)) in approach(12.0, 10.0, 10.0).enumerate() {
            history.push(0.1, height);
            assert!(at >= 5 || history.time_to_collision().is_none(), "{at}");
        }
        assert!(history.time_to_collision().is_some());
    }

    #[test]
    fn a_gap_begins_again() {
        let mut history = HeightHistory::default();
        approach(20.0, 10.0, 25.0)
            .take(20)
            .for_each(|(_, height)| history.push(0.04, height));
        assert!(history.time_to_collision().is_some());
        history.push(0.6, 80.0);
        assert_eq!(history.time_to_collision(), None);
        history.push(0.04, f64::NAN);
        assert_eq!(history, HeightHistory::default());
    }

    /// Cars seen with the noise of small networks: 1 px and 1.5 % of the height, newly drawn
    /// for each frame.
    #[test]
    fn the_goals_are_reached_with_noisy_boxes() {
        let rng = &mut Rng::with_seed(3);
        let noisy =
            |height: f64, rng: &mut Rng| height + normal(rng) * 1.0_f64.hypot(0.015 * height);
        let mut errors = Vec::new();
        let mut inside = 0;
        for _ in 0..400 {
            let fps = [10.0, 15.0, 25.0, 30.0][rng.usize(0..4)];
            let (distance, speed) = (15.0 + 25.0 * rng.f64(), 4.0 + 16.0 * rng.f64());
            let mut history = HeightHistory::default();
            for (distance, height) in approach(distance, speed, fps) {
                history.push(1.0 / fps, noisy(height, rng));
                let left = distance / speed;
                if left <= 2.0
                    && let Some(found) = history.time_to_collision()
                {
                    errors.push((found.seconds - left).abs() / left);
                    inside +=
                        usize::from((found.seconds - left).abs() < 2.0 * found.deviation_s + 0.02);
                }
            }
        }
        errors.sort_by(f64::total_cmp);
        let quantile = |share: f64| errors[(share * (errors.len() - 1) as f64) as usize];
        let (median, p90) = (quantile(0.5), quantile(0.9));
        let inside = inside as f64 / errors.len() as f64;
        println!(
            "0 to 2 s: median {median:.3}, p90 {p90:.3}, within 2 sigma {inside:.3}, {}",
            errors.len()
        );
        assert!(median < 0.07 && p90 < 0.19, "{median} {p90}");
        assert!(inside > 0.9, "{inside}");

        let (mut frames, mut false_alarms) = (0, 0);
        for _ in 0..400 {
            let fps = [10.0, 15.0, 25.0, 30.0][rng.usize(0..4)];
            let distance = 8.0 + 50.0 * rng.f64();
            let recedes = 3.0 * rng.f64();
            let mut history = HeightHistory::default();
            for frame in 0..100 {
                let away = distance + recedes * f64::from(frame) / fps;
                history.push(1.0 / fps, noisy(FOCAL * 1.53 / away, rng));
                frames += 1;
                let found = history.time_to_collision();
                false_alarms += i32::from(found.is_some_and(|found| found.seconds < 4.0));
            }
        }
        let share = f64::from(false_alarms) / f64::from(frames);
        println!("false below 4 s: {share:.5}");
        assert!(share <= 0.002, "{share}");
    }

    proptest! {
        #[test]
        fn any_history_has_a_finite_time_or_none(steps in prop::collection::vec((-0.1..0.7_f64, -10.0..1e4_f64), 0..80)) {
            let mut history = HeightHistory::default();
            for (dt, height) in steps {
                history.push(dt, height);
                if let Some(found) = history.time_to_collision() {
                    prop_assert!((0.0..=LONGEST_S).contains(&found.seconds), "{:?}", found);
                    prop_assert!(found.deviation_s.is_finite() && found.deviation_s > 0.0);
                }
            }
        }
    }
}
