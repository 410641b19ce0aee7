//! More frames than can be worked on.

use serde_json::json;

use crate::peer::Peer;
use crate::program::Room;

const IMAGE: &str = "sensor_msgs/msg/Image";

#[test]
fn under_overload_frames_add_up_and_results_stay_fresh() {
    let test = "under_overload_frames_add_up_and_results_stay_fresh";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-p", "runtime.workers:=1", "-p", "input.max_age_ms:=300.0"]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let age = "/shuffledet/debug/pipeline_latency_ms";
    peer.listen(age, "std_msgs/msg/Float64");
    peer.ask(
        json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE,
        "qos": {"reliability": "best_effort"}, "timeout": 20}),
    );
    let (mut before, mut resident) = (0.0, Vec::new());
    // 2,000 frames
    for count in [200, 900, 900] {
        peer.ask(
            json!({"do": "play", "topic": "/image_raw", "made": {"width": 1280, "height": 720},
            "count": count, "rate_hz": 500.0, "stamps": "now"}),
        );
        // until nothing more comes
        let status = peer.status("shuffledet: camera", |status| {
            status.level == "STALE" && status.number("received") > before && status.adds_up()
        });
        before = status.number("received");
        let superseded = status.number("dropped: superseded");
        assert!(
            status.number("published") > 0.0 && superseded > 0.0,
            "{status:?}"
        );
        let detector = peer.status("shuffledet: detector", |_| true);
        resident.push(detector.number("resident memory (MB)"));
    }
    // max_age_ms, and generously one frame's work
    let ages = peer.arrived(age);
    let oldest = ages.iter().map(|age| age["data"].as_f64().unwrap());
    let oldest = oldest.fold(0.0, f64::max);
    assert!(!ages.is_empty() && oldest < 300.0 + 500.0, "{oldest} ms");
    // By the second round the session for the picture's shape is there. A later round may still fill buffers that the
    // rounds before did not need, up to ten frames of 2.8 MB. 900 kept frames would be 2,500 MB.
    assert!(resident[2] < resident[1] + 100.0, "{resident:?} MB");
}

#[test]
fn cameras_share_by_priority() {
    let test = "cameras_share_by_priority";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[
        "-p",
        "runtime.workers:=1",
        // so slow that each camera alone sends more than can be worked on
        "-p",
        "model.name:=road",
        "-p",
        "cameras:=[front, left]",
        "-p",
        "camera.left.priority:=3.0",
        "-p",
        "input.max_age_ms:=60000.0",
    ]);
    let peer = &mut room.peer;
    let cameras = ["front", "left"];
    let detections = cameras.map(|camera| format!("/shuffledet/{camera}/detections"));
    for (camera, detections) in cameras.iter().zip(&detections) {
        peer.listen(detections, "vision_msgs/msg/Detection2DArray");
        peer.ask(
            json!({"do": "advertise", "topic": format!("/{camera}/image_raw"), "type": IMAGE,
            "qos": {"reliability": "best_effort"}, "timeout": 20}),
        );
    }
    for camera in cameras {
        peer.ask(json!({"do": "play", "topic": format!("/{camera}/image_raw"), "count": 1_000_000,
            "made": {"width": 320, "height": 240}, "rate_hz": 300.0, "stamps": "now", "background": camera}));
    }
    // one in four is its due
    let share = front_share(peer, &detections);
    assert!((0.2..0.3).contains(&share), "{share}");
    let other = json!({"camera.front.priority": 3.0, "camera.left.priority": 1.0});
    let changed = peer.ask(json!({"do": "parameters", "call": "set", "values": other}));
    assert!(
        changed.to_string().matches("true").count() == 2,
        "{changed}"
    );
    let share = front_share(peer, &detections);
    assert!((0.7..0.8).contains(&share), "{share}");
    for camera in cameras {
        peer.ask(json!({"do": "stop", "name": camera}));
    }
}

/// Of the next 240 results, or a few more, those of the first camera.
fn front_share(peer: &mut Peer, detections: &[String; 2]) -> f64 {
    // once both are at it, by the settings of now
    for topic in detections {
        peer.arrived(topic);
        peer.next(topic);
    }
    let mut counted = detections.clone().map(|topic| peer.arrived(&topic).len());
    while counted.iter().sum::<usize>() < 240 {
        peer.next(&detections[1]);
        counted[1] += 1;
        for (counted, topic) in counted.iter_mut().zip(detections) {
            *counted += peer.arrived(topic).len();
        }
    }
    let [front, left] = counted.map(|count| count as f64);
    front / (front + left)
}
