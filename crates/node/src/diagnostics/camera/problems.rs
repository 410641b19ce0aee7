//! The possible problems of a camera, one function each.

use std::time::Duration;

use super::super::Problems;
use super::CameraFacts;
use crate::doctor::Finding;
use shuffledet_core::{DropReason, Stage, StampAnomaly};
use shuffledet_detector::config::DiagnosticsConfig;
use shuffledet_detector::metrics::WindowView;
use shuffledet_msg::Level;
use shuffledet_sight::Fault;

/// Drops that the parameters request; they do not mean that the node cannot keep up.
const WANTED_DROPS: [&str; 2] = [DropReason::RateLimited.name(), DropReason::Disabled.name()];

pub(super) fn silence(
    facts: &CameraFacts<'_>,
    config: &DiagnosticsConfig,
    problems: &mut Problems,
) {
    let silence = match facts.window.silent_for {
        None => "no frame has arrived yet".to_owned(),
        Some(silent) if silent > config.stale_after => {
            format!("no frame for {:.1} s", silent.as_secs_f64())
        }
        Some(_) => return,
    };
    let why: Vec<_> = facts.findings.iter().map(Finding::to_string).collect();
    let why = if why.is_empty() {
        format!("check that the camera on {} runs", facts.topic)
    } else {
        why.join("; ")
    };
    problems.add(Level::Stale, format!("{silence}: {why}"));
}

pub(super) fn failures(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
    let frames = &window.recent.frames;
    let failed: u64 = frames.failed.values().sum();
    let most = frames.failed.iter().max_by_key(|(_, count)| **count);
    if let Some((reason, _)) = most {
        let level = if share(failed, frames.received) > config.error_failed {
            Level::Error
        } else {
            Level::Warn
        };
        let received = frames.received;
        problems.add(
            level,
            format!(
                "{failed} of {received} frames failed, most with {reason}: see the log for details"
            ),
        );
    }
}

pub(super) fn sight(window: &WindowView, problems: &mut Problems) {
    for fault in window.faults.iter().flat_map(|faults| faults.iter()) {
        problems.add(severity_of_fault(fault), fault.advice().to_owned());
    }
}

/// Returns the severity of a fault: an error if nothing can be detected in such pictures.
pub(super) fn severity_of_fault(fault: Fault) -> Level {
    if fault.is_blind() {
        Level::Error
    } else {
        Level::Warn
    }
}

pub(super) fn latency(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
    let latency = window
        .stages_ms
        .iter()
        .find(|(stage, _)| *stage == Stage::Latency);
    let Some((_, latency)) = latency else {
        return;
    };
    let above = |limit: Duration| latency.p99 > limit.as_secs_f64() * 1000.0;
    let (level, limit) = if above(config.error_latency) {
        (Level::Error, config.error_latency)
    } else if above(config.warn_latency) {
        (Level::Warn, config.warn_latency)
    } else {
        return;
    };
    // the queue for a worker is not a stage that can be made faster
    let slowest = window
        .stages_ms
        .iter()
        .filter(|(stage, _)| !matches!(stage, Stage::Read | Stage::Total | Stage::Latency))
        .max_by(|(_, a), (_, b)| a.p99.total_cmp(&b.p99));
    let advice = match slowest {
        Some((Stage::Queue, _)) => {
            "frames wait for a worker; lower max_rate_hz or raise runtime.workers".to_owned()
        }
        Some((stage, _)) => format!("the slowest stage is {}", stage.name()),
        None => "no stage times are available".to_owned(),
    };
    let (found, limit) = (latency.p99, limit.as_secs_f64() * 1000.0);
    let row = match window.late_in_a_row {
        0 | 1 => String::new(),
        row => format!(", {row} consecutive late frames"),
    };
    problems.add(
        level,
        format!("latency p99 {found:.0} ms is above {limit:.0} ms{row}: {advice}"),
    );
}

pub(super) fn drops(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
    let frames = &window.recent.frames;
    let (wanted, mut dropped, mut most) = (wanted_drops(window), 0, None);
    for (reason, &count) in &frames.dropped {
        if WANTED_DROPS.contains(&reason.as_str()) {
            continue;
        }
        // frames that arrived too old are reported with their cause
        let came_old = if *reason == DropReason::TooOld.name() {
            window.recent.came_old
        } else {
            0
        };
        let count = count - came_old;
        dropped += count;
        if most.is_none_or(|(_, most)| count > most) {
            most = Some((reason, count));
        }
    }
    let received = frames.received - wanted;
    let Some((reason, _)) = most.filter(|_| share(dropped, received) > config.warn_dropped) else {
        return;
    };
    let advice = if reason.starts_with("stamp_") {
        "check how the camera driver stamps its images"
    } else {
        "lower the camera's rate or use a faster model"
    };
    problems.add(
        severity_of_drops(window, dropped, received),
        format!("{dropped} of {received} frames were dropped, most with {reason}: {advice}"),
    );
}

/// Counts the drops that the parameters request.
pub(super) fn wanted_drops(window: &WindowView) -> u64 {
    let dropped = &window.recent.frames.dropped;
    WANTED_DROPS
        .iter()
        .filter_map(|&reason| dropped.get(reason))
        .sum()
}

/// Returns an error if no frame is published.
pub(super) fn severity_of_drops(window: &WindowView, dropped: u64, received: u64) -> Level {
    /// With fewer frames, all may be dropped by chance.
    const ENOUGH: u64 = 5;
    let none = window.recent.frames.published == 0 && dropped == received;
    if none && received >= ENOUGH {
        Level::Error
    } else {
        Level::Warn
    }
}

pub(super) fn stamps(window: &WindowView, problems: &mut Problems) {
    let counts = StampAnomaly::ALL.into_iter().zip(window.recent.anomalies);
    // a clock difference is reported separately, with its size
    let of_the_clock = [StampAnomaly::Future, StampAnomaly::Past];
    let odd: Vec<_> = counts
        .filter(|(anomaly, count)| *count > 0 && !of_the_clock.contains(anomaly))
        .map(|(anomaly, count)| format!("{} {count}", anomaly.name()))
        .collect();
    if !odd.is_empty() {
        problems.add(
            Level::Warn,
            format!(
                "invalid stamps ({}): check how the camera driver stamps its images",
                odd.join(", ")
            ),
        );
    }
}

pub(super) fn deadlines(facts: &CameraFacts<'_>, problems: &mut Problems) {
    let missed = facts.window.recent.missed_deadlines;
    if let Some(deadline) = facts.deadline.filter(|_| missed > 0) {
        problems.add(
            Level::Warn,
            format!("{missed} frames missed the deadline of {deadline:?}: check the camera's rate"),
        );
    }
}

/// Returns the share in [0, 1]; 0 if `of` is 0.
pub(super) fn share(count: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    }
}
