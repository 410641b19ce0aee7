//! What the log says, at which level, and where.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::peer::LIMIT;
use crate::program::{Node, Room};

const IMAGES: &str = "/image_raw/compressed";

/// Waits until the log has `wanted` lines, and gives it.
#[track_caller]
fn await_log(node: &Node, wanted: impl Fn(&str) -> bool) -> String {
    let limit = Instant::now() + LIMIT;
    loop {
        let log = node.log();
        if wanted(&log) {
            return log;
        }
        assert!(Instant::now() < limit, "{log}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn count(log: &str, part: &str) -> usize {
    log.lines().filter(|line| line.contains(part)).count()
}

#[test]
fn the_log_had_no_details_of_failed_frames() {
    let test = "the_log_had_no_details_of_failed_frames";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let node = room.start_active(&["-p", "input.max_age_ms:=60000.0"]);
    let peer = &mut room.peer;
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": IMAGES,
        "type": "sensor_msgs/msg/CompressedImage", "timeout": 20}));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let sec = now.unwrap().as_secs();
    for i in 0..20 {
        // a JPEG that ends after its first bytes
        peer.ask(json!({"do": "publish", "topic": IMAGES, "message": {
            "header": {"stamp": {"sec": sec, "nanosec": 1000 + i}, "frame_id": "front"},
            "format": "jpeg", "data": [255, 216, 255, 224, 0, 16]}}));
        peer.find("/shuffledet/latency", |message| {
            let told = message["status"][0]["message"].as_str().unwrap();
            told.starts_with("failed: ")
        });
    }
    let first = format!("{IMAGES}: frame with stamp {sec}.000001000 failed: ");
    let log = await_log(&node, |log| log.contains(&first));
    let told = log.lines().find(|line| line.contains(&first)).unwrap();
    assert!(told.contains("[WARN]"), "{told}");
    assert_eq!(count(&log, " failed"), 1, "{log}");
    let log = await_log(&node, |log| log.contains("19 more frames failed within 1"));
    assert!(
        log.contains(&format!("the last one has stamp {sec}.000001019: ")),
        "{log}"
    );
    assert_eq!(count(&log, " failed"), 2, "{log}");
}

#[test]
fn debugging_showed_the_waits_of_rcl_and_no_line_of_our_own() {
    let test = "debugging_showed_the_waits_of_rcl_and_no_line_of_our_own";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let play = json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 5, "stamps": "now", "acknowledged_by": "/shuffledet/detections", "timeout": 20});
    let advertise = json!({"do": "advertise", "topic": "/image_raw",
        "type": "sensor_msgs/msg/Image", "timeout": 20});
    for (arguments, ours, rcl) in [
        (&["--log-level", "debug"][..], true, false),
        (&["--log-level", "shuffledet:=debug"], true, false),
        (
            &["--log-level", "debug", "--log-level", "rcl:=debug"],
            true,
            true,
        ),
        (&["--log-level", "rcl:=debug"], false, true),
        (&["--log-level", "info"], false, false),
    ] {
        let node = room.start_active(arguments);
        room.peer.ask(advertise.clone());
        room.peer.ask(play.clone());
        room.peer
            .ask(json!({"do": "withdraw", "topic": "/image_raw"}));
        let log = await_log(&node, |log| !ours || log.contains("/image_raw: stamp "));
        let debug = |line: &&str| line.contains("[DEBUG]");
        let (own, others): (Vec<_>, Vec<_>) = log
            .lines()
            .filter(debug)
            .partition(|line| line.contains("[shuffledet]"));
        assert_eq!(!own.is_empty(), ours, "{arguments:?}: {log}");
        assert_eq!(!others.is_empty(), rcl, "{arguments:?}: {others:#?}");
        room.finish(node, "/shuffledet");
    }
}

#[test]
fn a_level_by_name_missed_a_node_in_a_namespace() {
    let test = "a_level_by_name_missed_a_node_in_a_namespace";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let arguments = [
        "-r",
        "__ns:=/car",
        "-r",
        "__node:=eye",
        "-p",
        "autostart:=false",
    ];
    for (level, expected) in [
        ("shuffledet:=error", "error"),
        ("eye:=warn", "warn"),
        ("car.eye:=debug", "debug"),
        ("car:=fatal", "fatal"),
        ("debug", "debug"),
        ("rcl:=debug", "info"),
    ] {
        let node = room.start(&[&arguments[..], &["--log-level", level]].concat());
        room.await_state("/car/eye", "unconfigured");
        let found = room.peer.ask(
            json!({"do": "parameters", "call": "get", "node": "/car/eye",
            "names": ["log_level"], "timeout": LIMIT.as_secs()}),
        );
        assert_eq!(found, json!({"log_level": expected}), "{level}");
        room.finish(node, "/car/eye");
    }
}

fn publishes_rosout(room: &mut Room) -> bool {
    let endpoints = room
        .peer
        .ask(json!({"do": "endpoints", "topic": "/rosout"}));
    let publishers = endpoints["publishers"].as_array().unwrap().iter();
    publishers
        .clone()
        .any(|end: &Value| end["node"] == "shuffledet")
}

#[test]
fn the_log_was_published_whether_wanted_or_not() {
    let test = "the_log_was_published_whether_wanted_or_not";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let node = room.start_active(&["--disable-rosout-logs", "--disable-stdout-logs"]);
    assert!(!publishes_rosout(&mut room));
    assert_eq!(node.log(), "");
    room.finish(node, "/shuffledet");
    let node = room.start_active(&["--enable-rosout-logs"]);
    assert!(publishes_rosout(&mut room));
    // transitions are told
    let log = node.log();
    for told in ["unconfigured to configuring", "activating to active"] {
        assert!(log.contains("[INFO] ") && log.contains(told), "{log}");
    }
}
