//! The second stage of the live node.

use serde_json::{Value, json};

use crate::program::{Room, text};
use shuffledet_testing::{asset, colours};

const TOPIC: &str = "/camera/front/image_raw";

#[test]
fn a_live_detection_carries_the_classifiers_answer() {
    let test = "a_live_detection_carries_the_classifiers_answer";
    let Some(bag) = asset(test, "bags/dashcam_raw_sqlite3") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let model = colours::write(room.folder.path());
    let model = format!("classifier.model:={}", text(&model));
    let remapped = format!("image_raw:={TOPIC}");
    let arguments = [
        "-r",
        &remapped,
        "-p",
        &model,
        "-p",
        "classifier.classes:=[car]",
    ];
    let _node = room.start_active(&arguments);
    let peer = &mut room.peer;
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    let image = "sensor_msgs/msg/Image";
    peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": image, "timeout": 20}));
    peer.ask(
        json!({"do": "play", "topic": TOPIC, "bag": bag, "bag_topic": TOPIC,
        "count": 12, "acknowledged_by": "/shuffledet/detections", "timeout": 20}),
    );
    let classes = |found: &Value| -> Vec<String> {
        let results = found["results"].as_array().unwrap().iter();
        let class = |result: &Value| {
            result["hypothesis"]["class_id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        results.map(class).collect()
    };
    let answered = |found: &Value| match classes(found).as_slice() {
        [car, answer] => car == "car" && answer.starts_with("car:"),
        _ => false,
    };
    let message = peer.find("/shuffledet/detections", |message| {
        message["detections"]
            .as_array()
            .unwrap()
            .iter()
            .any(answered)
    });
    for found in message["detections"].as_array().unwrap() {
        let classes = classes(found);
        assert_eq!(
            classes.len(),
            1 + usize::from(classes[0] == "car"),
            "{classes:?}"
        );
    }
    peer.find("/shuffledet/latency", |message| {
        let mut values = message["status"][0]["values"].as_array().unwrap().iter();
        values.any(|value| value["key"] == "classify_ms")
    });
}
