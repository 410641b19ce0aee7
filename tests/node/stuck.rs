//! Parts of the node that hang.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::freeze::{Frozen, threads};
use crate::peer::{LIMIT, Peer};
use crate::program::{Node, Room};

const IMAGE: &str = "sensor_msgs/msg/Image";
const LATENCY: &str = "/shuffledet/latency";
const DETECTIONS: &str = "/shuffledet/detections";
const DETECTOR: &str = "shuffledet: detector";
/// One worker, which is always at work, and a second until it is stuck.
const BUSY: [&str; 10] = [
    "-p",
    "runtime.workers:=1",
    "-p",
    "model.name:=road",
    "-p",
    "input.transport:=raw",
    "-p",
    "input.max_age_ms:=60000.0",
    "-p",
    "diagnostics.stuck_after_ms:=1000.0",
];

/// Starts a node with a camera that sends more than can be worked on.
fn busy_node(test: &str) -> Option<(Room, Node)> {
    let mut room = Room::open(test)?;
    let node = room.start_active(&BUSY);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen(LATENCY, "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen(DETECTIONS, "vision_msgs/msg/Detection2DArray");
    peer.ask(
        json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE,
        "qos": {"reliability": "best_effort"}, "timeout": 20}),
    );
    send(peer);
    for _ in 0..20 {
        peer.next(DETECTIONS);
    }
    Some((room, node))
}

fn send(peer: &mut Peer) {
    peer.ask(json!({"do": "play", "topic": "/image_raw", "count": 1_000_000,
        "made": {"width": 320, "height": 240}, "rate_hz": 120.0, "stamps": "now", "background": "camera"}));
}

/// Ends the images, so that no thread is in the middleware with its locks.
fn rest(peer: &mut Peer) {
    peer.ask(json!({"do": "stop", "name": "camera"}));
    thread::sleep(Duration::from_millis(300));
}

fn outcome(message: &Value) -> &str {
    message["status"][0]["message"].as_str().unwrap()
}

fn stamp(message: &Value) -> String {
    let stamp = &message["header"]["stamp"];
    let (sec, nanosec) = (
        stamp["sec"].as_i64().unwrap(),
        stamp["nanosec"].as_i64().unwrap(),
    );
    format!("stamp {sec}.{nanosec:09}")
}

#[test]
fn a_stuck_worker_is_named_and_replaced_and_its_frame_counts_once() {
    let test = "a_stuck_worker_is_named_and_replaced_and_its_frame_counts_once";
    let Some((mut room, mut node)) = busy_node(test) else {
        return;
    };
    let peer = &mut room.peer;
    let Some(frozen) = Frozen::freeze(test, &node, "worker", &[]) else {
        return;
    };
    let began = Instant::now();
    let status = peer.status(DETECTOR, |status| status.level == "ERROR");
    // the limit, a look, and a busy machine
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let failed = peer.find(LATENCY, |message| outcome(message).starts_with("failed"));
    assert!(outcome(&failed).starts_with("failed: stuck: "), "{failed}");
    for part in [
        "worker 0 has been at ",
        "camera image_raw",
        &stamp(&failed),
        "1 of at most 3",
    ] {
        assert!(status.message.contains(part), "no {part} in {status:?}");
        assert!(node.log().contains(part), "no {part} in the log");
    }
    // another worker goes on
    peer.arrived(DETECTIONS);
    for _ in 0..20 {
        peer.next(DETECTIONS);
    }
    // the late result of the first one is not published, and it takes no other frame
    let workers = threads(&node, "worker").len();
    drop(frozen);
    let limit = Instant::now() + Duration::from_secs(20);
    while threads(&node, "worker").len() == workers {
        assert!(Instant::now() < limit, "the stuck worker goes on");
        thread::sleep(Duration::from_millis(10));
    }
    peer.ask(json!({"do": "stop", "name": "camera"}));
    let camera = peer.status("shuffledet: camera", |status| {
        status.level == "STALE" && status.adds_up()
    });
    assert_eq!(camera.number("failed: stuck"), 1.0, "{camera:?}");
    let late = peer.arrived(DETECTIONS);
    let late = late.iter().find(|message| stamp(message) == stamp(&failed));
    assert_eq!(late, None);
    // the report ends
    peer.status(DETECTOR, |status| status.level == "OK");
    node.signal("TERM");
    let (status, _) = node.end(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_fourth_stuck_worker_ends_the_node_with_its_own_code() {
    let test = "the_fourth_stuck_worker_ends_the_node_with_its_own_code";
    let Some((mut room, mut node)) = busy_node(test) else {
        return;
    };
    let mut frozen = Vec::new();
    for nth in 1..=4 {
        let Some(worker) = Frozen::freeze(test, &node, "worker", &frozen) else {
            return;
        };
        frozen.push(worker);
        if nth == 4 {
            break;
        }
        let part = format!("{nth} of at most 3");
        room.peer
            .status(DETECTOR, |status| status.message.contains(&part));
        // at work, not waiting for its session
        room.peer.arrived(DETECTIONS);
        for _ in 0..10 {
            room.peer.next(DETECTIONS);
        }
    }
    let (status, _) = node.end(LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(75), "{}", node.log());
    assert!(node.log().contains("exit code 75"));
}

#[test]
fn a_stuck_part_that_is_no_worker_is_named_and_ends_the_node() {
    let test = "a_stuck_part_that_is_no_worker_is_named_and_ends_the_node";
    for (thread, name) in [
        ("executor", "the executor"),
        ("pipeline", "the publisher"),
        ("health", "the health thread"),
        ("reader", "the reader"),
    ] {
        let Some((mut room, mut node)) = busy_node(test) else {
            return;
        };
        rest(&mut room.peer);
        let Some(_frozen) = Frozen::freeze(test, &node, thread, &[]) else {
            return;
        };
        let status = room
            .peer
            .status(DETECTOR, |status| status.message.contains(name));
        assert_eq!(status.level, "ERROR");
        let (status, after) = node.end(Duration::from_secs(20)).expect("it ends");
        assert_eq!(status.code(), Some(75), "{thread}: {}", node.log());
        assert!(after < Duration::from_secs(9), "{thread}: {after:?}");
    }
}

#[test]
fn sigterm_ended_no_node_with_a_hung_thread() {
    let test = "sigterm_ended_no_node_with_a_hung_thread";
    for thread in [
        "executor",
        "health",
        "pipeline",
        "reader",
        "intake",
        "worker",
        "shuffledet_node",
    ] {
        let Some((_room, mut node)) = busy_node(test) else {
            return;
        };
        let Some(_frozen) = Frozen::freeze(test, &node, thread, &[]) else {
            return;
        };
        node.signal(if thread == "health" { "INT" } else { "TERM" });
        let (status, after) = node
            .end(Duration::from_secs(20))
            .unwrap_or_else(|| panic!("{thread}: it does not end"));
        eprintln!("{thread}: after {after:?}");
        assert_eq!(status.code(), Some(0), "{thread}: {}", node.log());
        // a second without progress, a word in the log, and a busy machine
        assert!(
            after < Duration::from_millis(2500),
            "{thread}: after {after:?}"
        );
    }
}

#[test]
fn deactivate_is_answered_whatever_hangs() {
    let test = "deactivate_is_answered_whatever_hangs";
    for (thread, success) in [("worker", true), ("pipeline", false)] {
        let Some((mut room, node)) = busy_node(test) else {
            return;
        };
        if thread != "worker" {
            rest(&mut room.peer);
        }
        let Some(_frozen) = Frozen::freeze(test, &node, thread, &[]) else {
            return;
        };
        let began = Instant::now();
        let answer = room
            .peer
            .ask(json!({"do": "lifecycle", "call": "change_state",
            "transition": "deactivate", "timeout": 20}));
        assert_eq!(
            answer["success"],
            json!(success),
            "{thread}: {}",
            node.log()
        );
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{thread}: {:?}",
            began.elapsed()
        );
        let ask = json!({"do": "lifecycle", "call": "get_state"});
        let state = room.peer.ask(ask)["current_state"]["label"].clone();
        assert_eq!(state, if success { "inactive" } else { "unconfigured" });
        if success {
            // it works again
            let activate = json!({"do": "lifecycle", "call": "change_state", "transition": "activate", "timeout": 20});
            assert_eq!(room.peer.ask(activate)["success"], true);
            room.peer.arrived(DETECTIONS);
            room.peer.next(DETECTIONS);
        }
    }
}
