//! How frames arrive: with stamps that do not fit the clock, too fast, too few, in bursts.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::peer::{Peer, Status};
use crate::program::{Node, Room};

const IMAGE: &str = "sensor_msgs/msg/Image";
const TOPIC: &str = "/image_raw";
const CAMERA: &str = "shuffledet: camera";

/// A node whose camera is advertised, and not slow.
fn open(test: &str, arguments: &[&str]) -> Option<(Room, Node)> {
    let mut room = Room::open(test)?;
    let quiet = ["-p", "diagnostics.warn_latency_ms:=50000.0"];
    let node = room.start_active(&[&quiet, arguments].concat());
    room.peer
        .listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    room.peer
        .ask(json!({"do": "advertise", "topic": TOPIC, "type": IMAGE, "timeout": 20}));
    Some((room, node))
}

fn play(peer: &mut Peer, rate_hz: f64, count: usize, stamps: Value) -> Value {
    peer.ask(
        json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
        "count": count, "rate_hz": rate_hz, "stamps": stamps}),
    )
}

fn play_on(peer: &mut Peer, rate_hz: f64, stamps: Value) {
    peer.ask(
        json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
        "count": 1_000_000, "rate_hz": rate_hz, "stamps": stamps, "background": "camera"}),
    );
}

fn stop(peer: &mut Peer) {
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[track_caller]
fn told(peer: &mut Peer, level: &str, parts: &[&str]) -> Status {
    peer.status(CAMERA, |status| {
        status.level == level && parts.iter().all(|part| status.message.contains(part))
    })
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

#[test]
fn stamps_behind_the_clock_dropped_every_frame_without_their_cause() {
    let test = "stamps_behind_the_clock_dropped_every_frame_without_their_cause";
    let Some((mut room, node)) = open(test, &["-p", "diagnostics.window_s:=3.0"]) else {
        return;
    };
    let peer = &mut room.peer;
    for (offset_s, lag) in [(-0.3, "30"), (-5.0, "500")] {
        play_on(peer, 20.0, json!(offset_s));
        let parts = [
            "behind the node's clock",
            "chrony",
            "use_sim_time",
            "input.max_age_ms",
        ];
        let status = told(peer, "ERROR", &parts);
        assert!(
            status.message.contains(&format!("stamps are {lag}")),
            "{status:?}"
        );
        assert!(!status.message.contains("camera's rate"), "{status:?}");
        assert!(
            status.adds_up() && status.number("rate out (Hz)") == 0.0,
            "{status:?}"
        );
        stop(peer);
    }
    // once in the log, for all of its frames
    let log = node.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("behind the node's clock"))
        .collect();
    assert!(lines.iter().any(|line| line.contains("ERROR")), "{log}");
    assert!(lines.len() <= 2, "{log}");
}

#[test]
fn stamps_ahead_of_the_clock_are_told_with_the_distance() {
    let test = "stamps_ahead_of_the_clock_are_told_with_the_distance";
    let Some((mut room, _node)) = open(test, &[]) else {
        return;
    };
    let peer = &mut room.peer;
    play_on(peer, 20.0, json!(5.0));
    let status = told(peer, "WARN", &["ahead of the node's clock", "chrony"]);
    assert!(status.number("published") > 0.0, "{status:?}");
    let lag = status.number("stamp age on arrival p50 (ms)");
    assert!((-5000.0..-4900.0).contains(&lag), "{status:?}");
    stop(peer);
}

#[test]
fn under_use_sim_time_a_camera_of_the_system_clock_is_told_so() {
    let test = "under_use_sim_time_a_camera_of_the_system_clock_is_told_so";
    let Some((mut room, _node)) = open(test, &["-p", "use_sim_time:=true"]) else {
        return;
    };
    let peer = &mut room.peer;
    peer.ask(json!({"do": "clock", "start_ns": 1_700_000_000_000_000_000_i64}));
    play_on(peer, 20.0, json!("now"));
    told(
        peer,
        "WARN",
        &[
            "ahead of the node's clock",
            "use_sim_time is true",
            "/clock",
        ],
    );
    stop(peer);
    peer.ask(json!({"do": "stop", "name": "clock"}));
}

#[test]
fn sixteen_of_thirty_frames_a_second_were_fifteen() {
    let test = "sixteen_of_thirty_frames_a_second_were_fifteen";
    let patient = ["-p", "input.max_age_ms:=60000.0"];
    let Some((mut room, _node)) = open(test, &patient) else {
        return;
    };
    let peer = &mut room.peer;
    let let_through =
        |status: &Status| status.number("received") - status.number("dropped: rate_limited");
    for (rate_hz, camera_hz, frames) in [(20.0, 30.0, 300), (16.0, 30.0, 300), (3.0, 90.0, 900)] {
        let set =
            json!({"do": "parameters", "call": "set", "values": {"input.max_rate_hz": rate_hz}});
        peer.ask(set);
        peer.arrived("/diagnostics");
        let before = peer.status(CAMERA, Status::adds_up);
        let played = play(peer, camera_hz, frames, json!("now"));
        let stamps = played["stamps"].as_array().unwrap();
        let [first, last] = [&stamps[0], &stamps[frames - 1]].map(|stamp| stamp.as_i64().unwrap());
        let after = peer.status(CAMERA, |status| {
            let came = status.number("received") - before.number("received");
            came > 0.9 * frames as f64
                && status.adds_up()
                && status.number("since last frame (s)") > 0.5
        });
        let due = rate_hz * (last - first) as f64 / 1e9;
        let passed = let_through(&after) - let_through(&before);
        // the first of all is let through at once
        assert!(
            (passed - 1.0 - due).abs() <= 0.03 * due + 1.0,
            "{rate_hz}: {passed}, expected {due}"
        );
    }
}

#[test]
fn few_frames_were_ok() {
    let test = "few_frames_were_ok";
    let arguments = [
        "-p",
        "diagnostics.window_s:=4.0",
        "-p",
        "input.expected_rate_hz:=30.0",
    ];
    let Some((mut room, _node)) = open(test, &arguments) else {
        return;
    };
    let peer = &mut room.peer;
    for (rate_hz, level) in [(30.0, "OK"), (20.0, "WARN"), (8.0, "ERROR"), (30.0, "OK")] {
        play_on(peer, rate_hz, json!("now"));
        let parts: &[&str] = if level == "OK" {
            &[]
        } else {
            &["30.0 are expected (set by expected_rate_hz)"]
        };
        told(peer, level, parts);
        stop(peer);
    }
}

#[test]
fn the_rate_is_learnt_from_the_stamps() {
    let test = "the_rate_is_learnt_from_the_stamps";
    let Some((mut room, node)) = open(test, &["-p", "diagnostics.window_s:=4.0"]) else {
        return;
    };
    let peer = &mut room.peer;
    play_on(peer, 25.0, json!("now"));
    peer.status(CAMERA, |status| {
        status.level == "OK" && (24.0..26.0).contains(&status.number("expected rate (Hz)"))
    });
    stop(peer);
    play_on(peer, 5.0, json!("now"));
    told(
        peer,
        "ERROR",
        &["are expected (estimated from the camera's stamps)"],
    );
    assert!(
        node.log()
            .contains("are expected (estimated from the camera's stamps)")
    );
    stop(peer);
}

#[test]
fn frames_that_never_came_were_in_no_counter() {
    let test = "frames_that_never_came_were_in_no_counter";
    let Some((mut room, _node)) = open(test, &["-p", "input.max_age_ms:=60000.0"]) else {
        return;
    };
    let peer = &mut room.peer;
    let now = now_ns();
    // a camera of 25 Hz, of whose frames one in three is lost after a while
    let kept = |&picture: &i64| picture < 100 || picture % 3 > 0;
    let stamps: Vec<i64> = (0..252)
        .filter(kept)
        .map(|picture| now + picture * 40_000_000)
        .collect();
    play(peer, 25.0, stamps.len(), json!(stamps));
    let status = peer.status(CAMERA, |status| {
        status.level == "STALE" && status.number("received") > 0.0 && status.adds_up()
    });
    // some more may be lost where the machine has much to do, and are counted, too
    let lost = status.number("lost before the node");
    assert!(lost >= 50.0, "{status:?}");
    let counted = status.number("received") + lost;
    assert!((249.0..=252.0).contains(&counted), "{status:?}");
}

#[test]
fn of_bursts_most_frames_were_in_no_counter() {
    let test = "of_bursts_most_frames_were_in_no_counter";
    let Some((mut room, _node)) = open(test, &["-p", "input.max_age_ms:=60000.0"]) else {
        return;
    };
    let peer = &mut room.peer;
    for _ in 0..4 {
        peer.ask(
            json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
            "count": 50, "stamps": "now"}),
        );
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let status = peer.status(CAMERA, |status| {
        status.level == "STALE" && status.number("received") > 0.0 && status.adds_up()
    });
    let counted = status.number("received") + status.number("lost before the node");
    assert!((180.0..=200.0).contains(&counted), "{status:?}");
}
