//! How fast a run goes, and how long it takes yet.

use std::time::{Duration, Instant};

/// The times of the last steps.
pub struct Pace {
    begun: Instant,
    /// Seconds that earlier parts of a resumed run took.
    before: f64,
    steps: Vec<Duration>,
}

/// Steps whose times count.
const LATEST: usize = 40;

impl Pace {
    /// Starts the clock; `before` is the time of the parts before a resumption.
    pub fn start(before: f64) -> Self {
        Self {
            begun: Instant::now(),
            before,
            steps: Vec::new(),
        }
    }

    pub fn add(&mut self, step: Duration) {
        if self.steps.len() == LATEST {
            self.steps.remove(0);
        }
        self.steps.push(step);
    }

    /// Forgets the steps so far, which were slower than those to come.
    pub fn forget(&mut self) {
        self.steps.clear();
    }

    /// Returns the mean time of a step; zero before the first.
    pub fn step(&self) -> Duration {
        let count = self.steps.len().max(1) as u32;
        self.steps.iter().sum::<Duration>() / count
    }

    /// Returns how many pictures a second the steps had; 0 before the first.
    pub fn per_second(&self, batch_size: usize) -> f64 {
        match self.step().as_secs_f64() {
            0.0 => 0.0,
            step => batch_size as f64 / step,
        }
    }

    /// Returns the seconds of the whole run so far.
    pub fn elapsed(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }
}

/// Returns a time in words, such as `3 min 20 s`.
pub fn in_words(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_words() {
        assert_eq!(in_words(59.4), "59 s");
        assert_eq!(in_words(200.0), "3 min 20 s");
        assert_eq!(in_words(7260.0), "2 h 1 min");
        assert_eq!(in_words(-1.0), "0 s");
    }
}
