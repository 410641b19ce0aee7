//! Detects stamps that differ from the node's clock, and missing frames.

use std::time::Duration;

use super::CameraFacts;
use super::problems::{severity_of_drops, severity_of_fault, share, wanted_drops};
use shuffledet_core::StampAnomaly;
use shuffledet_detector::config::DiagnosticsConfig;
use shuffledet_msg::Level;
use shuffledet_sight::Faults;

/// Returns the problems that are logged when they start, each with a fixed name: those that occur
/// before frames are processed, and faults of the pictures.
pub fn notices(
    facts: &CameraFacts<'_>,
    config: &DiagnosticsConfig,
) -> Vec<(&'static str, Level, String)> {
    if facts.idle.is_some() {
        return Vec::new();
    }
    let clock = clock(facts, config).map(|(level, text)| ("clock", level, text));
    let rate = rate(facts, config).map(|(level, text)| ("rate", level, text));
    let faults = facts.window.faults.into_iter();
    let faults = faults.flat_map(Faults::iter).map(|fault| {
        let level = severity_of_fault(fault);
        (fault.name(), level, fault.advice().to_owned())
    });
    clock.into_iter().chain(rate).chain(faults).collect()
}

/// Detects stamps so far from the node's clock that frames are dropped or their age is unknown.
pub(super) fn clock(
    facts: &CameraFacts<'_>,
    config: &DiagnosticsConfig,
) -> Option<(Level, String)> {
    let window = facts.window;
    let lag_ms = window.stamp_lag_ms?;
    let received = window.recent.frames.received - wanted_drops(window);
    let came_old = window.recent.came_old;
    let count = |anomaly: StampAnomaly| window.recent.anomalies[anomaly as usize];
    let (past, future) = (count(StampAnomaly::Past), count(StampAnomaly::Future));
    if share(came_old, received) > config.warn_dropped {
        let limit = match facts.max_age {
            Some(max_age) => format!("max_age_ms allows {:.0} ms", ms(max_age)),
            None => "max_age_ms allows less".to_owned(),
        };
        let level = severity_of_drops(window, came_old, received);
        return Some((
            level,
            format!(
                "{came_old} of {received} frames were too old and dropped: on arrival their stamps are {} behind the node's \
                 clock, and {limit}: {}; or raise input.max_age_ms if the driver needs that long",
                length(lag_ms),
                advice(facts),
            ),
        ));
    }
    let (count, direction) = if past >= future {
        (past, "behind")
    } else {
        (future, "ahead of")
    };
    (count > 0).then(|| {
        (
            Level::Warn,
            format!(
                "the stamps of {count} of {received} frames are far {direction} the node's clock (most are {} {}); their age \
                 is counted from arrival: {}",
                length(lag_ms.abs()),
                if lag_ms < 0.0 { "ahead" } else { "behind" },
                advice(facts),
            ),
        )
    })
}

fn advice(facts: &CameraFacts<'_>) -> &'static str {
    if facts.use_sim_time {
        "use_sim_time is true: check that /clock runs and that the camera uses it for its stamps, or set use_sim_time to \
         false"
    } else {
        "synchronise the clocks of the computers (chrony), or set use_sim_time to true if the images come from a \
         simulation or from a recording that is played with /clock"
    }
}

/// Detects a rate far below the expected one.
pub(super) fn rate(facts: &CameraFacts<'_>, config: &DiagnosticsConfig) -> Option<(Level, String)> {
    /// The minimum number of expected frames for a judgement.
    const LEAST_EXPECTED: f64 = 10.0;
    let (expected_hz, origin) = match (facts.expected_hz, facts.learnt_hz) {
        (Some(given), _) => (given, "set by expected_rate_hz"),
        (None, Some(learnt)) => (learnt, "estimated from the camera's stamps"),
        (None, None) => return None,
    };
    let arriving = facts.arriving?;
    let expected = expected_hz * arriving.span.as_secs_f64();
    if expected < LEAST_EXPECTED {
        return None;
    }
    let missing = 1.0 - arriving.intervals as f64 / expected;
    let level = if missing > config.error_missing {
        Level::Error
    } else if missing > config.warn_missing {
        Level::Warn
    } else {
        return None;
    };
    let found_hz = arriving.intervals as f64 / arriving.span.as_secs_f64();
    Some((
        level,
        format!(
            "{found_hz:.1} frames per second arrive, {expected_hz:.1} are expected ({origin}): check the camera's rate and the \
             network; large images need more shared memory (Fast DDS: segment_size) or larger socket buffers (sysctl \
             net.core.rmem_max); set input.expected_rate_hz if the camera's rate is lower on purpose"
        ),
    ))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Formats milliseconds in a suitable unit.
fn length(ms: f64) -> String {
    match ms {
        ..10_000.0 => format!("{ms:.0} ms"),
        ..600_000.0 => format!("{:.1} s", ms / 1000.0),
        ..172_800_000.0 => format!("{:.0} minutes", ms / 60_000.0),
        _ => format!("{:.0} days", ms / 86_400_000.0),
    }
}
