//! Frames whose stamps do not fit the node's clock, and frames that do not arrive.

use std::time::Duration;

use super::CameraFacts;
use super::problems::{severity_of_drops, share, wanted_drops};
use shuffledet_core::Oddity;
use shuffledet_detector::config::DiagnosticsConfig;
use shuffledet_msg::Level;

/// What the log tells of when it begins, each under a name that stays: the problems that stand before frames are worked on.
pub fn notices(
    facts: &CameraFacts<'_>,
    config: &DiagnosticsConfig,
) -> Vec<(&'static str, Level, String)> {
    if facts.idle.is_some() {
        return Vec::new();
    }
    let clock = clock(facts, config).map(|(level, text)| ("clock", level, text));
    let rate = rate(facts, config).map(|(level, text)| ("rate", level, text));
    clock.into_iter().chain(rate).collect()
}

/// Stamps that are so far from the node's clock that frames are dropped, or that their age is not known.
pub(super) fn clock(
    facts: &CameraFacts<'_>,
    config: &DiagnosticsConfig,
) -> Option<(Level, String)> {
    let window = facts.window;
    let lag_ms = window.stamp_lag_ms?;
    let received = window.recent.frames.received - wanted_drops(window);
    let came_old = window.recent.came_old;
    let of = |oddity: Oddity| window.recent.oddities[oddity as usize];
    let (past, future) = (of(Oddity::Past), of(Oddity::Future));
    if share(came_old, received) > config.warn_dropped {
        let limit = match facts.max_age {
            Some(max_age) => format!("max_age_ms allows {:.0} ms", ms(max_age)),
            None => "max_age_ms allows less".to_owned(),
        };
        let level = severity_of_drops(window, came_old, received);
        return Some((
            level,
            format!(
                "{came_old} of {received} frames were dropped as too old: their stamps are {} behind the node's clock when \
                 they arrive, and {limit}: {}, or raise input.max_age_ms if the driver takes that long",
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
                "the stamps of {count} of {received} frames are far {direction} the node's clock (most are {} {}), so that \
                 age is counted from arrival: {}",
                length(lag_ms.abs()),
                if lag_ms < 0.0 { "ahead" } else { "behind" },
                advice(facts),
            ),
        )
    })
}

fn advice(facts: &CameraFacts<'_>) -> &'static str {
    if facts.use_sim_time {
        "use_sim_time is true, so see that /clock runs and that the camera stamps by it, or set use_sim_time to false"
    } else {
        "synchronise the clocks of the computers (chrony), set use_sim_time if the images are of a simulation or of a \
         recording that is played with /clock"
    }
}

/// Far fewer frames than should.
pub(super) fn rate(facts: &CameraFacts<'_>, config: &DiagnosticsConfig) -> Option<(Level, String)> {
    /// What is judged by.
    const LEAST_EXPECTED: f64 = 10.0;
    let (expected_hz, origin) = match (facts.expected_hz, facts.learnt_hz) {
        (Some(given), _) => (given, "as expected_rate_hz says"),
        (None, Some(learnt)) => (learnt, "as the camera's stamps told"),
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
            "{found_hz:.1} frames a second arrive, and {expected_hz:.1} should, {origin}: see the camera's rate and the network; \
             big images need more shared memory (Fast DDS: segment_size) or larger socket buffers (sysctl \
             net.core.rmem_max); set input.expected_rate_hz if the camera is meant to be slower"
        ),
    ))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Of milliseconds, in the unit that suits them.
fn length(ms: f64) -> String {
    match ms {
        ..10_000.0 => format!("{ms:.0} ms"),
        ..600_000.0 => format!("{:.1} s", ms / 1000.0),
        ..172_800_000.0 => format!("{:.0} minutes", ms / 60_000.0),
        _ => format!("{:.0} days", ms / 86_400_000.0),
    }
}
