//! How one camera fares.

use std::time::Duration;

use super::{Problems, Status, Values};
use crate::config::DiagnosticsConfig;
use crate::metrics::WindowView;
use crate::msg::Level;
use crate::node::doctor::Finding;
use crate::pipeline::{DropReason, Oddity, Stage};

/// What is known of a camera.
#[derive(Debug, Clone, Copy)]
pub struct CameraFacts<'a> {
    /// The node's, without its namespace.
    pub node: &'a str,
    /// `None` of a node's only camera.
    pub camera: Option<&'a str>,
    /// In full: the one that its frames come on, or would.
    pub topic: &'a str,
    /// Why no frames are to be expected, if so: it is disabled, the node is not active.
    pub idle: Option<&'a str>,
    /// The longest time between two frames that its subscription asks for.
    pub deadline: Option<Duration>,
    pub window: &'a WindowView,
    /// Why no frames come; looked at where none do.
    pub findings: &'a [Finding],
}

/// Drops that the parameters ask for: no sign that the node cannot keep up.
const WANTED_DROPS: [&str; 2] = [DropReason::RateLimited.name(), DropReason::Disabled.name()];

/// The camera's state by the thresholds of `config`.
pub fn camera_status(facts: &CameraFacts<'_>, config: &DiagnosticsConfig) -> Status {
    let window = facts.window;
    let mut problems = Problems::default();
    if let Some(idle) = facts.idle {
        // whatever is left in the window is from before
        problems.add(Level::Ok, format!("no frames are taken: {idle}"));
    } else {
        silence(facts, config, &mut problems);
        failures(window, config, &mut problems);
        latency(window, config, &mut problems);
        drops(window, config, &mut problems);
        stamps(window, &mut problems);
        deadlines(facts, &mut problems);
    }
    let fine = format!("{:.1} frames a second", window.rate_out_hz);
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

fn silence(facts: &CameraFacts<'_>, config: &DiagnosticsConfig, problems: &mut Problems) {
    let silence = match facts.window.silent_for {
        None => "no frame has come yet".to_owned(),
        Some(silent) if silent > config.stale_after => {
            format!("no frame for {:.1} s", silent.as_secs_f64())
        }
        Some(_) => return,
    };
    let why: Vec<_> = facts.findings.iter().map(Finding::to_string).collect();
    let why = if why.is_empty() {
        format!("see that the camera on {} runs", facts.topic)
    } else {
        why.join("; ")
    };
    problems.add(Level::Stale, format!("{silence}: {why}"));
}

fn failures(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
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
                "{failed} of {received} frames failed, most with {reason}: the log has the details"
            ),
        );
    }
}

fn latency(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
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
    // queueing for a worker is no stage that can be made faster
    let slowest = window
        .stages_ms
        .iter()
        .filter(|(stage, _)| !matches!(stage, Stage::Read | Stage::Total | Stage::Latency))
        .max_by(|(_, a), (_, b)| a.p99.total_cmp(&b.p99));
    let advice = match slowest {
        Some((Stage::Queue, _)) => {
            "frames wait for a worker, lower max_rate_hz or raise runtime.workers".to_owned()
        }
        Some((stage, _)) => format!("the slowest stage is {}", stage.name()),
        None => "no stage was timed".to_owned(),
    };
    let (found, limit) = (latency.p99, limit.as_secs_f64() * 1000.0);
    let row = match window.late_in_a_row {
        0 | 1 => String::new(),
        row => format!(", {row} late frames in a row"),
    };
    problems.add(
        level,
        format!("latency p99 {found:.0} ms is above {limit:.0} ms{row}: {advice}"),
    );
}

fn drops(window: &WindowView, config: &DiagnosticsConfig, problems: &mut Problems) {
    let frames = &window.recent.frames;
    let (mut wanted, mut dropped, mut most) = (0, 0, None);
    for (reason, &count) in &frames.dropped {
        if WANTED_DROPS.contains(&reason.as_str()) {
            wanted += count;
            continue;
        }
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
        "see the camera's clock"
    } else {
        "lower the camera's rate or take a faster model"
    };
    problems.add(
        Level::Warn,
        format!("{dropped} of {received} frames were dropped, most as {reason}: {advice}"),
    );
}

fn stamps(window: &WindowView, problems: &mut Problems) {
    let counts = Oddity::ALL.into_iter().zip(window.recent.oddities);
    let odd: Vec<_> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(oddity, count)| format!("{} {count}", oddity.name()))
        .collect();
    if !odd.is_empty() {
        problems.add(
            Level::Warn,
            format!("odd stamps ({}): see the camera's clock", odd.join(", ")),
        );
    }
}

fn deadlines(facts: &CameraFacts<'_>, problems: &mut Problems) {
    let missed = facts.window.recent.missed_deadlines;
    if let Some(deadline) = facts.deadline.filter(|_| missed > 0) {
        problems.add(
            Level::Warn,
            format!("{missed} frames came later than the deadline of {deadline:?}: see the camera's rate"),
        );
    }
}

/// In [0, 1]; 0 of nothing.
fn share(count: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    }
}

fn values(facts: &CameraFacts<'_>) -> Vec<(String, String)> {
    let window = facts.window;
    let mut values = Values::default();
    values.add("topic", facts.topic);
    values.number("rate in (Hz)", window.rate_in_hz);
    values.number("rate out (Hz)", window.rate_out_hz);
    values.number("window (s)", window.span.as_secs_f64());
    if let Some(silent) = window.silent_for {
        values.number("since last frame (s)", silent.as_secs_f64());
    }
    // a live node reads nothing: that stage is the wait for the next message
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
    for (reason, count) in &frames.dropped {
        values.add(format!("dropped: {reason}"), count);
    }
    for (reason, count) in &frames.failed {
        values.add(format!("failed: {reason}"), count);
    }
    for (oddity, count) in Oddity::ALL.into_iter().zip(window.since_start.oddities) {
        values.add(oddity.name(), count);
    }
    if let Some(deadline) = facts.deadline {
        values.number("deadline (ms)", deadline.as_secs_f64() * 1000.0);
        values.add("deadlines missed", window.since_start.missed_deadlines);
    }
    values.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::raw::RawDiagnostics;
    use crate::metrics::Quantiles;
    use crate::metrics::window::Totals;

    fn all(ms: f64) -> Quantiles {
        Quantiles {
            min: ms,
            p50: ms,
            p90: ms,
            p99: ms,
            max: ms,
        }
    }

    /// 100 frames, all published within 20 ms.
    fn healthy() -> WindowView {
        let mut totals = Totals::default();
        totals.frames.received = 100;
        totals.frames.published = 100;
        WindowView {
            span: Duration::from_secs(10),
            rate_in_hz: 10.0,
            rate_out_hz: 10.0,
            recent: totals.clone(),
            stages_ms: vec![
                (Stage::Read, all(100.0)),
                (Stage::Queue, all(1.0)),
                (Stage::Infer, all(9.0)),
                (Stage::Latency, all(20.0)),
            ],
            late_in_a_row: 0,
            since_start: totals,
            silent_for: Some(Duration::from_millis(40)),
        }
    }

    fn facts(window: &WindowView) -> CameraFacts<'_> {
        CameraFacts {
            node: "shuffledet",
            camera: Some("front"),
            topic: "/front/image_raw",
            idle: None,
            deadline: None,
            window,
            findings: &[],
        }
    }

    fn status(facts: &CameraFacts<'_>) -> Status {
        camera_status(facts, &DiagnosticsConfig::from(&RawDiagnostics::default()))
    }

    fn judged(window: &WindowView) -> (Level, String) {
        let status = status(&facts(window));
        (status.level, status.message)
    }

    fn counts(reason: &str, count: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([(reason.to_owned(), count)])
    }

    #[test]
    fn ok_with_stable_names_and_keys_with_units() {
        let window = healthy();
        let front = status(&facts(&window));
        assert_eq!(
            (front.level, &*front.name),
            (Level::Ok, "shuffledet: camera front")
        );
        assert_eq!(
            (&*front.message, &*front.hardware_id),
            ("10.0 frames a second", "/front/image_raw")
        );
        let only = status(&CameraFacts {
            camera: None,
            ..facts(&window)
        });
        assert_eq!(only.name, "shuffledet: camera");
        for (key, value) in [
            ("rate in (Hz)", "10.000"),
            ("infer p99 (ms)", "9.000"),
            ("latency max (ms)", "20.000"),
            ("received", "100"),
            ("dropped", "0"),
            ("stamp_duplicate", "0"),
            ("since last frame (s)", "0.040"),
        ] {
            let pair = (key.to_owned(), value.to_owned());
            assert!(front.values.contains(&pair), "{key}: {:?}", front.values);
        }
        let keys = front.values.iter().map(|(key, _)| key);
        assert!(!keys.clone().any(|key| key.starts_with("read ")));
        assert!(!keys.clone().any(|key| key.starts_with("deadline")));
        let mut unique: Vec<_> = keys.collect();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), front.values.len());
    }

    #[test]
    fn stale_when_silent_or_never_heard_with_the_findings() {
        let mut window = healthy();
        window.silent_for = Some(Duration::from_millis(1000));
        assert_eq!(judged(&window).0, Level::Ok);
        window.silent_for = Some(Duration::from_millis(3210));
        let (level, message) = judged(&window);
        assert_eq!(
            (level, &*message),
            (
                Level::Stale,
                "no frame for 3.2 s: see that the camera on /front/image_raw runs"
            )
        );
        window.silent_for = None;
        window.recent.frames.failed = counts("panic", 100);
        let findings = [Finding {
            problem: "nobody publishes it".to_owned(),
            mend: "start it".to_owned(),
        }];
        let status = status(&CameraFacts {
            findings: &findings,
            ..facts(&window)
        });
        assert_eq!(status.level, Level::Stale);
        let expected =
            "no frame has come yet: nobody publishes it: start it; 100 of 100 frames failed";
        assert!(status.message.starts_with(expected), "{}", status.message);
    }

    #[test]
    fn any_failure_warns_and_many_are_an_error() {
        let mut window = healthy();
        window.recent.frames.failed = counts("unknown_encoding", 1);
        window.since_start.frames.failed = counts("unknown_encoding", 7);
        assert_eq!(
            judged(&window),
            (
                Level::Warn,
                "1 of 100 frames failed, most with unknown_encoding: the log has the details"
                    .to_owned()
            )
        );
        let values = status(&facts(&window)).values;
        let key = "failed: unknown_encoding".to_owned();
        assert!(values.contains(&(key, "7".to_owned())));
        window.recent.frames.failed = counts("unknown_encoding", 50);
        assert_eq!(judged(&window).0, Level::Warn);
        window.recent.frames.failed = counts("unknown_encoding", 51);
        assert_eq!(judged(&window).0, Level::Error);
    }

    #[test]
    fn latency_warns_and_then_is_an_error() {
        let mut window = healthy();
        window.late_in_a_row = 3;
        for (ms, level) in [
            (100.0, Level::Ok),
            (100.1, Level::Warn),
            (500.0, Level::Warn),
            (500.1, Level::Error),
        ] {
            window.stages_ms[3].1 = all(ms);
            assert_eq!(judged(&window).0, level, "{ms}");
        }
        assert_eq!(
            judged(&window).1,
            "latency p99 500 ms is above 500 ms, 3 late frames in a row: the slowest stage is infer"
        );
        window.stages_ms[1].1 = all(480.0);
        assert!(judged(&window).1.contains("frames wait for a worker"));
        window.stages_ms.clear();
        assert_eq!(judged(&window).0, Level::Ok);
    }

    #[test]
    fn drops_warn_unless_they_were_asked_for() {
        let mut window = healthy();
        window.recent.frames.dropped = counts("superseded", 20);
        assert_eq!(judged(&window).0, Level::Ok);
        window.recent.frames.dropped = counts("superseded", 21);
        assert_eq!(
            judged(&window),
            (
                Level::Warn,
                "21 of 100 frames were dropped, most as superseded: lower the camera's rate or take a faster model"
                    .to_owned()
            )
        );
        for wanted in ["rate_limited", "camera_disabled"] {
            window.recent.frames.dropped = counts(wanted, 100);
            assert_eq!(judged(&window).0, Level::Ok);
        }
        // of the ten that were to be worked on, three
        window.recent.frames.dropped = counts("rate_limited", 90);
        window.recent.frames.dropped.extend(counts("too_old", 3));
        let (level, message) = judged(&window);
        assert!(
            level == Level::Warn && message.starts_with("3 of 10 frames"),
            "{message}"
        );
    }

    #[test]
    fn odd_stamps_and_missed_deadlines_warn() {
        let mut window = healthy();
        window.since_start.oddities = [5; 6];
        assert_eq!(judged(&window).0, Level::Ok);
        window.recent.oddities = [0, 0, 0, 2, 0, 1];
        let expected = "odd stamps (stamp_duplicate 2, stamp_jump 1): see the camera's clock";
        assert_eq!(judged(&window), (Level::Warn, expected.to_owned()));

        let mut window = healthy();
        window.recent.missed_deadlines = 4;
        window.since_start.missed_deadlines = 9;
        let status = status(&CameraFacts {
            deadline: Some(Duration::from_millis(100)),
            ..facts(&window)
        });
        assert_eq!(
            (status.level, &*status.message),
            (
                Level::Warn,
                "4 frames came later than the deadline of 100ms: see the camera's rate"
            )
        );
        let key = "deadlines missed".to_owned();
        assert!(status.values.contains(&(key, "9".to_owned())));
    }

    #[test]
    fn a_camera_that_is_not_to_bring_frames_is_ok() {
        let mut window = healthy();
        window.silent_for = None;
        let idle = status(&CameraFacts {
            idle: Some("the node is inactive"),
            ..facts(&window)
        });
        let expected = "no frames are taken: the node is inactive";
        assert_eq!((idle.level, &*idle.message), (Level::Ok, expected));
    }
}
