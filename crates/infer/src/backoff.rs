//! The waiting time before the next attempt after failures.

use std::time::Duration;

/// Waiting times that double from `first` up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(300),
        }
    }
}

impl Backoff {
    /// Returns the waiting time after `failures` failures in a row, at least one.
    pub fn wait(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff::default();
        let seconds = |failures| backoff.wait(failures).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [2, 4, 8, 16]);
        assert_eq!([8, 9, u32::MAX].map(seconds), [256, 300, 300]);
    }
}
