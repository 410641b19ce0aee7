//! Identities of tracks.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The identity of a track. No other track of the process has it.
pub type TrackId = NonZeroU64;

/// Gives every track of a process an identity of its own. All trackers of a process share it.
#[derive(Debug)]
pub struct TrackIds(AtomicU64);

impl TrackIds {
    /// The first identity is 1.
    pub const fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    /// Returns an identity that was never returned before.
    pub fn next(&self) -> TrackId {
        // 2^64 tracks do not come, and 0 after them would only make one identity appear twice
        NonZeroU64::new(self.0.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MAX)
    }
}

impl Default for TrackIds {
    fn default() -> Self {
        Self::new()
    }
}
