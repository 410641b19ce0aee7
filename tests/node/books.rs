//! Every frame that reaches the process has one outcome.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::peer::{Status, stamp_ns};
use crate::program::Room;

const IMAGE: &str = "sensor_msgs/msg/Image";

#[test]
fn a_stopped_node_accounts_for_every_frame_and_nothing_is_stuck() {
    let test = "a_stopped_node_accounts_for_every_frame_and_nothing_is_stuck";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let node = room.start_active(&["-p", "input.transport:=raw"]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(
        json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE,
        "qos": {"reliability": "best_effort"}, "timeout": 20}),
    );
    peer.ask(json!({"do": "play", "topic": "/image_raw", "count": 1_000_000,
        "made": {"width": 320, "height": 240}, "rate_hz": 100.0, "stamps": "now", "background": "camera"}));
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(700));
        node.signal("STOP");
        // longer than diagnostics.stuck_after_ms
        thread::sleep(Duration::from_millis(3000));
        node.signal("CONT");
    }
    thread::sleep(Duration::from_millis(700));
    peer.ask(json!({"do": "stop", "name": "camera"}));
    // a burst
    peer.ask(json!({"do": "play", "topic": "/image_raw", "count": 500,
        "made": {"width": 64, "height": 48}, "rate_hz": 5000.0, "stamps": "now"}));
    // those of before are of a camera that has paused
    peer.arrived("/diagnostics");
    let camera = peer.status("shuffledet: camera", |status| {
        status.level == "STALE" && status.adds_up()
    });
    assert_eq!(camera.number("failed"), 0.0, "{camera:?}");
    let stamps = latency_stamps(&peer.arrived("/shuffledet/latency"));
    // those that the arrivals' queue superseded have no latency message
    assert!(
        stamps.len() as f64 <= camera.number("received"),
        "{camera:?}"
    );
    assert!(stamps.len() > 100, "{}", stamps.len());
    assert!(stamps.values().all(|&count| count == 1));
    let log = node.log();
    assert!(
        !log.contains("has been at") && !log.contains("has not moved"),
        "{log}"
    );
}

/// How many messages there are of each frame.
fn latency_stamps(messages: &[serde_json::Value]) -> BTreeMap<i64, u32> {
    let mut stamps = BTreeMap::new();
    for message in messages {
        *stamps.entry(stamp_ns(message)).or_default() += 1;
    }
    stamps
}

#[test]
fn the_frames_of_twenty_cameras_add_up() {
    let test = "the_frames_of_twenty_cameras_add_up";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let names: Vec<_> = (0..20).map(|index| format!("c{index}")).collect();
    let cameras = format!("cameras:=[{}]", names.join(", "));
    let _node = room.start_active(&[
        "-p",
        &cameras,
        "-p",
        "input.transport:=raw",
        "-p",
        "input.max_age_ms:=60000.0",
    ]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    for name in &names {
        let (latency, images) = (
            format!("/shuffledet/{name}/latency"),
            format!("/{name}/image_raw"),
        );
        peer.listen(&latency, "diagnostic_msgs/msg/DiagnosticArray");
        peer.ask(json!({"do": "advertise", "topic": images, "type": IMAGE,
            "qos": {"reliability": "reliable"}, "timeout": 20}));
    }
    for name in &names {
        peer.ask(json!({"do": "play", "topic": format!("/{name}/image_raw"), "count": 60,
            "made": {"width": 64, "height": 48}, "rate_hz": 60.0, "stamps": "now", "background": name}));
    }
    for name in &names {
        peer.ask(json!({"do": "stop", "name": name, "finish": true}));
    }
    peer.arrived("/diagnostics");
    let is_of_camera = |status: &&Status| status.name.contains("camera");
    let statuses = peer.statuses(|statuses| {
        let mut cameras = statuses.iter().filter(is_of_camera);
        statuses.len() == 21 && cameras.all(|status| status.level == "STALE" && status.adds_up())
    });
    for status in statuses.iter().filter(is_of_camera) {
        let received = status.number("received");
        assert!(received > 0.0 && received <= 60.0, "{status:?}");
        assert!(
            status.number("published") > 0.0 && status.number("failed") == 0.0,
            "{status:?}"
        );
        let name = status.name.rsplit(' ').next().unwrap();
        let stamps = latency_stamps(&peer.arrived(&format!("/shuffledet/{name}/latency")));
        assert!(stamps.values().all(|&count| count == 1), "{name}");
        assert!(stamps.len() as f64 <= received, "{name}: {status:?}");
    }
}
