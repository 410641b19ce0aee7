//! The watchdog's own time.

use std::time::{Duration, Instant};

use super::PERIOD;

/// Adds up the time between looks, of which a gap counts [`WatchClock::MOST`] at most.
#[derive(Debug, Default)]
pub(super) struct WatchClock {
    last: Option<Instant>,
    now: Duration,
}

impl WatchClock {
    /// The most that one gap counts.
    pub const MOST: Duration = PERIOD.saturating_mul(2);

    /// Goes on to `at`, and returns the watchdog's time.
    pub fn advance(&mut self, at: Instant) -> Duration {
        let gap = self.last.map(|last| at.saturating_duration_since(last));
        self.last = Some(at);
        self.now += gap.unwrap_or_default().min(Self::MOST);
        self.now
    }

    pub fn now(&self) -> Duration {
        self.now
    }
}
