use std::collections::BTreeMap;
use std::num::NonZeroU64;

use super::*;
use shuffledet_core::Quantiles;
use shuffledet_detector::config::raw::RawDiagnostics;
use shuffledet_detector::detect::InputUse;
use shuffledet_detector::metrics::window::Totals;
use shuffledet_detector::metrics::{Nearest, NearestRange};

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
        stamp_lag_ms: Some(12.0),
        since_start: totals,
        silent_for: Some(Duration::from_millis(40)),
        inputs: vec![InputUse {
            used: (704, 224).into(),
            wanted: (704, 224).into(),
        }],
        faults: None,
        nearest: Nearest::default(),
    }
}

fn facts(window: &WindowView) -> CameraFacts<'_> {
    CameraFacts {
        node: "shuffledet",
        camera: Some("front"),
        topic: "/front/image_raw",
        idle: None,
        deadline: None,
        max_age: Some(Duration::from_millis(200)),
        use_sim_time: false,
        expected_hz: None,
        learnt_hz: None,
        lost: 7,
        arriving: None,
        window,
        ranging: None,
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
        ("10.0 frames per second", "/front/image_raw")
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
        ("lost before the node", "7"),
        ("stamp age on arrival p50 (ms)", "12.000"),
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
            "no frame for 3.2 s: check that the camera on /front/image_raw runs"
        )
    );
    window.silent_for = None;
    window.recent.frames.failed = counts("panic", 100);
    let findings = [Finding {
        problem: "nobody publishes it".to_owned(),
        fix: "start it".to_owned(),
    }];
    let status = status(&CameraFacts {
        findings: &findings,
        ..facts(&window)
    });
    assert_eq!(status.level, Level::Stale);
    let expected =
        "no frame has arrived yet: nobody publishes it: start it; 100 of 100 frames failed";
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
            "1 of 100 frames failed, most with unknown_encoding: see the log for details"
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
        "latency p99 500 ms is above 500 ms, 3 consecutive late frames: the slowest stage is infer"
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
            "21 of 100 frames were dropped, most with superseded: lower the camera's rate or use a faster model"
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
    window.since_start.anomalies = [5; 6];
    assert_eq!(judged(&window).0, Level::Ok);
    window.recent.anomalies = [0, 0, 0, 2, 0, 1];
    let expected = "invalid stamps (stamp_duplicate 2, stamp_jump 1): check how the camera driver stamps its images";
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
            "4 frames missed the deadline of 100ms: check the camera's rate"
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
    let expected = "idle: the node is inactive";
    assert_eq!((idle.level, &*idle.message), (Level::Ok, expected));
}

/// All of 100 frames dropped: as too old, those of `came_old` by their stamps.
fn dropped_as_too_old(came_old: u64, lag_ms: f64) -> WindowView {
    let mut window = healthy();
    window.recent.frames.published = 0;
    window.recent.frames.dropped = counts("too_old", 100);
    window.recent.came_old = came_old;
    window.stamp_lag_ms = Some(lag_ms);
    window
}

#[test]
fn stamps_behind_the_clock_were_blamed_on_the_cameras_rate() {
    for (lag_ms, told) in [(310.0, "310 ms behind"), (5000.0, "5000 ms behind")] {
        let (level, message) = judged(&dropped_as_too_old(100, lag_ms));
        assert_eq!(level, Level::Error);
        for part in [
            "100 of 100 frames",
            told,
            "allows 200 ms",
            "chrony",
            "use_sim_time",
            "input.max_age_ms",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!message.contains("camera's rate"), "{message}");
    }
    // some get through
    let mut window = dropped_as_too_old(60, 210.0);
    window.recent.frames.published = 40;
    window.recent.frames.dropped = counts("too_old", 60);
    assert_eq!(judged(&window).0, Level::Warn);
    // they became old here
    let (level, message) = judged(&dropped_as_too_old(0, 10.0));
    assert_eq!(level, Level::Error);
    assert!(message.contains("lower the camera's rate"), "{message}");
}

#[test]
fn under_use_sim_time_the_advice_is_of_the_clock_topic() {
    let window = dropped_as_too_old(100, 900.0);
    let status = status(&CameraFacts {
        use_sim_time: true,
        ..facts(&window)
    });
    assert!(status.message.contains("/clock runs"), "{}", status.message);
    assert!(!status.message.contains("chrony"), "{}", status.message);
}

#[test]
fn stamps_far_from_the_clock_are_told_with_the_distance() {
    for (anomaly, lag_ms, parts) in [
        (
            StampAnomaly::Future,
            -5000.0,
            ["ahead of the node's clock", "5000 ms ahead"],
        ),
        (
            StampAnomaly::Past,
            3.6e6,
            ["behind the node's clock", "60 minutes behind"],
        ),
        (
            StampAnomaly::Past,
            1.7e12,
            ["behind the node's clock", "19676 days behind"],
        ),
    ] {
        let mut window = healthy();
        window.recent.anomalies[anomaly as usize] = 90;
        window.stamp_lag_ms = Some(lag_ms);
        let (level, message) = judged(&window);
        assert_eq!(level, Level::Warn);
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn few_frames_were_ok() {
    let window = healthy();
    let judge = |intervals, given, learnt| {
        let status = status(&CameraFacts {
            expected_hz: given,
            learnt_hz: learnt,
            arriving: Some(Arriving {
                intervals,
                span: Duration::from_secs(10),
            }),
            ..facts(&window)
        });
        (status.level, status.message)
    };
    for (intervals, level) in [
        (300, Level::Ok),
        (241, Level::Ok),
        (239, Level::Warn),
        (151, Level::Warn),
        (149, Level::Error),
    ] {
        assert_eq!(judge(intervals, Some(30.0), None).0, level, "{intervals}");
        assert_eq!(judge(intervals, None, Some(30.0)).0, level, "{intervals}");
    }
    let (_, message) = judge(100, Some(30.0), Some(10.0));
    assert!(
        message.starts_with(
            "10.0 frames per second arrive, 30.0 are expected (set by expected_rate_hz)"
        ),
        "{message}"
    );
    assert_eq!(judge(100, None, None).0, Level::Ok);
    // too few to tell
    assert_eq!(judge(0, Some(0.9), None).0, Level::Ok);
}

#[test]
fn the_nearest_object_and_what_its_distance_comes_from_are_values() {
    let mut window = healthy();
    let [near, fast] = [7, 9].map(|id| NonZeroU64::new(id).unwrap());
    window.nearest = Nearest {
        range: Some(NearestRange {
            track: near,
            distance_m: 12.5,
            deviation_m: 0.75,
        }),
        collision_s: Some((2.25, fast)),
    };
    let ranging = RangingFacts {
        origin: "/front/camera_info",
        is_calibrated: true,
        problem: None,
        has_height: true,
    };
    let told = status(&CameraFacts {
        ranging: Some(ranging),
        ..facts(&window)
    });
    let value = |key: &str| {
        let mut values = told.values.iter();
        values
            .find(|(own, _)| own == key)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(told.level, Level::Ok);
    for (key, expected) in [
        ("calibration", "/front/camera_info"),
        ("distance by", "size and ground"),
        ("nearest track", "7"),
        ("nearest distance (m)", "12.500"),
        ("nearest distance sigma (m)", "0.750"),
        ("first collision track", "9"),
        ("time to collision (s)", "2.250"),
    ] {
        assert_eq!(value(key), Some(expected), "{key}");
    }
}

#[test]
fn a_missing_calibration_is_a_problem_where_the_height_is_given() {
    let window = healthy();
    let missing = |has_height, problem| {
        let ranging = RangingFacts {
            origin: "/front/camera_info",
            is_calibrated: false,
            problem,
            has_height,
        };
        let ranging = Some(ranging);
        status(&CameraFacts {
            ranging,
            ..facts(&window)
        })
    };
    assert_eq!(missing(false, None).level, Level::Ok);
    let silent = missing(true, None);
    assert_eq!(silent.level, Level::Warn);
    assert!(
        silent
            .message
            .contains("no CameraInfo has arrived on /front/camera_info"),
        "{}",
        silent.message
    );
    let wrong = missing(true, Some("calibrate the camera"));
    assert!(
        wrong.message.contains("calibrate the camera"),
        "{}",
        wrong.message
    );
}
