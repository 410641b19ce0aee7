//! The diagnostic status of one camera.

mod arrival;
mod problems;
mod ranging;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use arrival::notices;
use arrival::{clock, rate};
use problems::{deadlines, drops, failures, latency, sight, silence, stamps};
pub use ranging::RangingFacts;

use super::{Problems, Status, Values};
use crate::doctor::Finding;
use shuffledet_core::{Stage, StampAnomaly};
use shuffledet_detector::config::DiagnosticsConfig;
use shuffledet_detector::detect::InputUse;
use shuffledet_detector::metrics::{Arriving, WindowView};
use shuffledet_msg::Level;

/// The facts about a camera.
#[derive(Debug, Clone, Copy)]
pub struct CameraFacts<'a> {
    /// The node's name without its namespace.
    pub node: &'a str,
    /// The camera's name; `None` for a node's only camera.
    pub camera: Option<&'a str>,
    /// Full name of the topic on which its frames arrive or should arrive.
    pub topic: &'a str,
    /// Why no frames are expected: the camera is disabled or the node is not active.
    pub idle: Option<&'a str>,
    /// The deadline that its subscription requests: the maximum time between two frames.
    pub deadline: Option<Duration>,
    /// The maximum age of a frame when its processing starts.
    pub max_age: Option<Duration>,
    /// Whether the node takes its time from `/clock`.
    pub use_sim_time: bool,
    /// Expected frames per second, if configured.
    pub expected_hz: Option<f64>,
    /// Frames per second according to the camera's stamps, if they allow an estimate.
    pub learnt_hz: Option<f64>,
    /// Frames that are missing between the stamps of received frames.
    pub lost: u64,
    /// The arrival of frames since the last pause, if known.
    pub arriving: Option<Arriving>,
    pub window: &'a WindowView,
    /// `None` if distances are not measured.
    pub ranging: Option<RangingFacts<'a>>,
    /// Why no frames arrive; used only if none do.
    pub findings: &'a [Finding],
}

/// Returns the camera's status by the thresholds of `config`.
pub fn camera_status(facts: &CameraFacts<'_>, config: &DiagnosticsConfig) -> Status {
    let window = facts.window;
    let mut problems = Problems::default();
    if let Some(idle) = facts.idle {
        // the window holds older frames only
        problems.add(Level::Ok, format!("idle: {idle}"));
    } else {
        silence(facts, config, &mut problems);
        failures(window, config, &mut problems);
        sight(window, &mut problems);
        latency(window, config, &mut problems);
        problems.extend(clock(facts, config));
        problems.extend(rate(facts, config));
        drops(window, config, &mut problems);
        stamps(window, &mut problems);
        deadlines(facts, &mut problems);
        problems.extend(ranging::problem(facts));
    }
    let fine = format!("{:.1} frames per second", window.rate_out_hz);
    let (level, message) = problems.conclude(&fine);
    let task = facts
        .camera
        .map_or("camera".to_owned(), |name| format!("camera {name}"));
    Status {
        level,
        name: format!("{}: {task}", facts.node),
        message,
        hardware_id: facts.topic.to_owned(),
        values: values(facts),
    }
}

fn values(facts: &CameraFacts<'_>) -> Vec<(String, String)> {
    let window = facts.window;
    let mut values = Values::default();
    values.add("topic", facts.topic);
    values.number("rate in (Hz)", window.rate_in_hz);
    values.number("rate out (Hz)", window.rate_out_hz);
    values.number("window (s)", window.span.as_secs_f64());
    if let Some(expected) = facts.expected_hz.or(facts.learnt_hz) {
        values.number("expected rate (Hz)", expected);
    }
    if let Some(silent) = window.silent_for {
        values.number("since last frame (s)", silent.as_secs_f64());
    }
    if !window.inputs.is_empty() {
        values.add("input size", inputs(&window.inputs));
    }
    if let Some(faults) = window.faults {
        values.add("sight", faults);
    }
    // in a live node the read stage is the wait for the next message
    for (stage, ms) in window
        .stages_ms
        .iter()
        .filter(|(stage, _)| *stage != Stage::Read)
    {
        let quantiles = [
            ("p50", ms.p50),
            ("p90", ms.p90),
            ("p99", ms.p99),
            ("max", ms.max),
        ];
        for (quantile, ms) in quantiles {
            values.number(format!("{} {quantile} (ms)", stage.name()), ms);
        }
    }
    values.add("late in a row", window.late_in_a_row);
    let frames = &window.since_start.frames;
    values.add("received", frames.received);
    values.add("published", frames.published);
    values.add("dropped", frames.dropped.values().sum::<u64>());
    values.add("failed", frames.failed.values().sum::<u64>());
    values.add("lost before the node", facts.lost);
    for (reason, count) in &frames.dropped {
        values.add(format!("dropped: {reason}"), count);
    }
    for (reason, count) in &frames.failed {
        values.add(format!("failed: {reason}"), count);
    }
    if let Some(lag) = window.stamp_lag_ms {
        values.number("stamp age on arrival p50 (ms)", lag);
    }
    for (anomaly, count) in StampAnomaly::ALL
        .into_iter()
        .zip(window.since_start.anomalies)
    {
        values.add(anomaly.name(), count);
    }
    if let Some(deadline) = facts.deadline {
        values.number("deadline (ms)", deadline.as_secs_f64() * 1000.0);
        values.add("deadlines missed", window.since_start.missed_deadlines);
    }
    ranging::add_values(facts, &mut values);
    values.0
}

/// Returns the size of the network's input in each run of the model, and which one is meant if its
/// session is not there.
fn inputs(inputs: &[InputUse]) -> String {
    let texts: Vec<_> = inputs
        .iter()
        .map(|input| {
            let InputUse { used, wanted } = input;
            if used == wanted {
                used.to_string()
            } else {
                format!("{used} in place of {wanted}")
            }
        })
        .collect();
    texts.join(", ")
}
