//! What the node suggests when nobody publishes a camera's topic.

use serde_json::json;

use crate::program::Room;

const IMAGE: &str = "sensor_msgs/msg/Image";

#[test]
fn a_camera_was_pointed_at_the_other_camera_of_the_node() {
    let test = "a_camera_was_pointed_at_the_other_camera_of_the_node";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-p", "cameras:=[front, left]"]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": "/front/image_raw", "type": IMAGE, "timeout": 20}));
    peer.ask(
        json!({"do": "play", "topic": "/front/image_raw", "made": {"width": 64, "height": 48},
        "count": 100_000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
    );
    peer.status("shuffledet: camera front", |status| {
        status.number("published") > 5.0
    });
    let left = "shuffledet: camera left";
    let status = peer.status(left, |status| status.message.contains("nobody publishes"));
    assert!(!status.message.contains("/front/"), "{status:?}");
    // one that is nobody's is suggested
    peer.ask(json!({"do": "advertise", "topic": "/car/left/image_raw", "type": IMAGE}));
    peer.status(left, |status| {
        status
            .message
            .contains("-r left/image_raw:=/car/left/image_raw")
            && !status.message.contains("/front/")
    });
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn a_camera_was_pointed_at_another_detectors_picture() {
    let test = "a_camera_was_pointed_at_another_detectors_picture";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _other = room.start(&["-r", "__node:=other", "-r", "image_raw:=/elsewhere"]);
    room.await_state("/other", "active");
    let _node = room.start_active(&[]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    // of a detector that names its picture as a camera does not
    for (topic, message_type) in [
        ("/peer/picture", IMAGE),
        ("/peer/detections", "vision_msgs/msg/Detection2DArray"),
        (
            "/image_raw/compressedDepth",
            "sensor_msgs/msg/CompressedImage",
        ),
    ] {
        peer.ask(json!({"do": "advertise", "topic": topic, "type": message_type}));
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    peer.arrived("/diagnostics");
    let status = peer.status("shuffledet: camera", |status| {
        status.message.contains("nobody publishes")
    });
    for part in [
        "image_annotated",
        "/peer/picture",
        "compressedDepth",
        "set image_topic",
    ] {
        assert!(!status.message.contains(part), "{part}: {status:?}");
    }
}
