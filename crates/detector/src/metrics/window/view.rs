//! What a window shows at one instant.

use std::time::Duration;

use super::{Nearest, Totals};
use crate::detect::InputUse;
use shuffledet_core::{Quantiles, Stage};
use shuffledet_sight::Faults;

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
    /// The input of each run of the model on the last published frame.
    pub inputs: Vec<InputUse>,
    /// The faults of the camera's pictures at the last published frame; `None` if they are not judged.
    pub faults: Option<Faults>,
    /// The nearest object of the last published frame.
    pub nearest: Nearest,
}

pub(super) fn median(values: &mut [i64]) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Returns quantiles in milliseconds from microseconds, and sorts these. `None` without durations.
/// A quantile is the smallest duration that at least that share of them does not exceed.
pub(super) fn quantiles(durations: &mut [u32]) -> Option<Quantiles> {
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
