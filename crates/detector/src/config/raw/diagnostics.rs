//! The limits at which `/diagnostics` warns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits at which /diagnostics warns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDiagnostics {
    /// The time window for rates and quantiles, in seconds.
    #[schemars(range(min = 1.0, max = 600.0))]
    pub window_s: f64,
    /// The time without a frame after which a camera is stale, in milliseconds.
    #[schemars(range(min = 10.0, max = 600_000.0))]
    pub stale_after_ms: f64,
    /// The time after activation to wait for the first frame of a camera, in milliseconds. After
    /// it, the log and /diagnostics report why the camera is silent. A launch file may start the
    /// camera later than the node.
    #[schemars(range(min = 0.0, max = 600_000.0))]
    pub grace_ms: f64,
    /// WARN if the p99 latency from reception to publication exceeds this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub warn_latency_ms: f64,
    /// ERROR if the p99 latency from reception to publication exceeds this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub error_latency_ms: f64,
    /// WARN if more than this share of the received frames is dropped, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_dropped_percent: f64,
    /// WARN if more than this share of the expected frames (input.expected_rate_hz) is missing, in
    /// percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_missing_percent: f64,
    /// ERROR if more than this share of the expected frames is missing, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_missing_percent: f64,
    /// ERROR if more than this share of the received frames fails, in percent. WARN if any frame
    /// fails.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_failed_percent: f64,
    /// The time after which a part of the node that does not move is stuck, in milliseconds; ten
    /// times the p99 of the frame's stage if that is more. A frame in it fails as stuck, and
    /// /diagnostics and the log report an ERROR.
    #[schemars(range(min = 100.0, max = 3_600_000.0))]
    pub stuck_after_ms: f64,
}

impl Default for RawDiagnostics {
    fn default() -> Self {
        Self {
            window_s: 10.0,
            stale_after_ms: 1000.0,
            grace_ms: 5000.0,
            warn_latency_ms: 100.0,
            error_latency_ms: 500.0,
            warn_dropped_percent: 20.0,
            warn_missing_percent: 20.0,
            error_missing_percent: 50.0,
            error_failed_percent: 50.0,
            stuck_after_ms: 2000.0,
        }
    }
}
