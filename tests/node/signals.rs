//! Being told to end while there is work.

use std::time::Duration;

use serde_json::{Value, json};

use crate::peer::{LIMIT, stamp_ns};
use crate::program::Room;
use shuffledet_testing::asset;

const IMAGES: &str = "/image_raw/compressed";

fn ends_in_order(test: &str, signal: &str) {
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let mut node = room.start_active(&[]);
    let peer = &mut room.peer;
    let (detections, latency) = ("/shuffledet/detections", "/shuffledet/latency");
    peer.listen(detections, "vision_msgs/msg/Detection2DArray");
    peer.listen(latency, "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": IMAGES,
        "type": "sensor_msgs/msg/CompressedImage", "timeout": 20}));
    peer.ask(json!({"do": "play", "topic": IMAGES, "bag": bag, "count": 5000, "rate_hz": 100.0,
        "stamps": "now", "bag_topic": "/camera/front/image_raw/compressed", "background": "camera"}));
    let mut found: Vec<_> = (0..10).map(|_| stamp_ns(&peer.next(detections))).collect();
    node.signal(signal);
    let (status, after) = node.end(Duration::from_secs(10)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", node.log());
    // a frame takes half a second in an unoptimised build on a busy machine
    assert!(after < Duration::from_secs(3), "after {after:?}");
    peer.ask(json!({"do": "stop", "name": "camera"}));
    peer.ask(json!({"do": "await_node", "gone": true, "timeout": 28}));

    // what it was at work on has a result, and each result its latency message
    found.extend(peer.arrived(detections).iter().map(stamp_ns));
    let outcome = |message: &Value| {
        let outcome = message["status"][0]["message"].as_str().unwrap().to_owned();
        (stamp_ns(message), outcome)
    };
    let outcomes: Vec<_> = peer.arrived(latency).iter().map(outcome).collect();
    let published = outcomes
        .iter()
        .filter(|(_, outcome)| outcome == "published");
    let published: Vec<_> = published.map(|(stamp, _)| *stamp).collect();
    assert!(
        published.is_sorted() && found.ends_with(&published),
        "{found:?} {published:?}"
    );
    let other = outcomes
        .iter()
        .find(|(_, outcome)| outcome != "published" && !outcome.starts_with("dropped: "));
    assert_eq!(other, None);
}

#[test]
fn sigterm_under_load_finishes_the_frames_in_hand() {
    ends_in_order("sigterm_under_load_finishes_the_frames_in_hand", "TERM");
}

#[test]
fn sigint_under_load_finishes_the_frames_in_hand() {
    ends_in_order("sigint_under_load_finishes_the_frames_in_hand", "INT");
}

#[test]
fn sigterm_while_the_model_loads_ends_the_node_in_order() {
    let test = "sigterm_while_the_model_loads_ends_the_node_in_order";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    for wait_ms in [0, 20, 60] {
        let mut node = room.start(&["-p", "model.name:=road"]);
        room.peer
            .ask(json!({"do": "await_node", "timeout": LIMIT.as_secs()}));
        std::thread::sleep(Duration::from_millis(wait_ms));
        node.signal("TERM");
        let (status, after) = node.end(LIMIT).expect("it ends");
        assert_eq!(status.code(), Some(0), "{}", node.log());
        assert!(after < Duration::from_secs(5), "after {after:?}");
        room.peer
            .ask(json!({"do": "await_node", "gone": true, "timeout": 28}));
    }
}
