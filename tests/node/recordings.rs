//! What the node makes of recorded frames is what `replay` makes of them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::peer::{Peer, stamp_ns};
use crate::program::{Room, light_model, text};
use shuffledet_testing::asset;

/// A detection: label, score, and left, top, width and height in pixels.
type Box2d = (String, f64, [f64; 4]);

/// By frame, in order: stamp, frame_id and detections. `replay` knows no stamp of a frame without detections.
type Frames = Vec<(i64, String, Vec<Box2d>)>;

fn replayed(bag: &Path, frames: u32, config: Option<&Path>) -> Frames {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("detections.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    command.arg("replay").arg(bag).arg("--quiet");
    command.args(["--limit", &frames.to_string()]);
    command.arg("--detections").arg(&output);
    match config {
        Some(config) => command.arg("--config").arg(config),
        // as Room::start starts a node
        None => command.args(["--model", light_model(), "--set", "model.input_size=native"]),
    };
    assert!(command.status().unwrap().success());
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap();
    let mut replayed = Frames::new();
    for row in rows {
        let stamp = row["stamp_ns"].as_i64().unwrap();
        let string = |key: &str| row[key].as_str().unwrap().to_owned();
        let bbox = serde_json::from_value(row["bbox"].clone()).unwrap();
        let detection = (string("label"), row["score"].as_f64().unwrap(), bbox);
        match replayed.last_mut() {
            Some((last, _, detections)) if *last == stamp => detections.push(detection),
            _ => replayed.push((stamp, string("frame_id"), vec![detection])),
        }
    }
    replayed
}

fn detections(message: &Value) -> Vec<Box2d> {
    let read = |detection: &Value| {
        let results = detection["results"].as_array().unwrap();
        assert_eq!(results.len(), 1);
        let number = |value: &Value| value.as_f64().unwrap();
        let bbox = &detection["bbox"];
        let position = &bbox["center"]["position"];
        let (w, h) = (number(&bbox["size_x"]), number(&bbox["size_y"]));
        let (x, y) = (number(&position["x"]), number(&position["y"]));
        assert_eq!(number(&bbox["center"]["theta"]), 0.0);
        let hypothesis = &results[0]["hypothesis"];
        let label = hypothesis["class_id"].as_str().unwrap().to_owned();
        let bbox = [x - w / 2.0, y - h / 2.0, w, h];
        (label, number(&hypothesis["score"]), bbox)
    };
    let detections = message["detections"].as_array().unwrap();
    detections.iter().map(read).collect()
}

/// Plays the first `frames` of `bag`, each after the detections of the one before, to a node that is listening.
fn played(peer: &mut Peer, bag: &Path, topic: &str, message_type: &str, frames: u32) -> Frames {
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    peer.ask(json!({"do": "advertise", "topic": topic, "type": message_type, "timeout": 20}));
    let played = peer.ask(
        json!({"do": "play", "topic": topic, "bag": bag, "bag_topic": topic,
        "count": frames, "acknowledged_by": "/shuffledet/detections", "timeout": 20}),
    );
    let stamps: Vec<i64> = serde_json::from_value(played["stamps"].clone()).unwrap();
    assert_eq!(stamps.len(), frames as usize);
    let frames = stamps.into_iter().map(|stamp| {
        let message = peer.next("/shuffledet/detections");
        assert_eq!(stamp_ns(&message), stamp);
        let frame_id = message["header"]["frame_id"].as_str().unwrap().to_owned();
        (stamp, frame_id, detections(&message))
    });
    frames.collect()
}

/// Rows have f32 pixels, messages centres in f64: rounding may differ by less than a hundredth of a pixel.
fn assert_same(mut live: Frames, replayed: &Frames) {
    live.retain(|(_, _, detections)| !detections.is_empty());
    assert!(!replayed.is_empty());
    assert_eq!(live.len(), replayed.len());
    for (live, replayed) in live.iter().zip(replayed) {
        assert_eq!((live.0, &live.1), (replayed.0, &replayed.1));
        assert_eq!(live.2.len(), replayed.2.len(), "{live:?} {replayed:?}");
        for (a, b) in live.2.iter().zip(&replayed.2) {
            let near = a.2.iter().zip(b.2).all(|(a, b)| (a - b).abs() < 0.01);
            assert!(
                a.0 == b.0 && (a.1 - b.1).abs() < 1e-6 && near,
                "{a:?} {b:?}"
            );
        }
    }
}

fn compare(test: &str, bag: &str, suffix: &str, message_type: &str, frames: u32) {
    let Some(bag) = asset(test, bag) else { return };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-r", "image_raw:=/camera/front/image_raw"]);
    let topic = format!("/camera/front/image_raw{suffix}");
    let live = played(&mut room.peer, &bag, &topic, message_type, frames);
    assert_same(live, &replayed(&bag, frames, None));
}

#[test]
fn compressed_frames_give_what_replay_gives() {
    compare(
        "compressed_frames_give_what_replay_gives",
        "bags/dashcam_compressed_mcap",
        "/compressed",
        "sensor_msgs/msg/CompressedImage",
        60,
    );
}

#[test]
fn raw_frames_give_what_replay_gives() {
    compare(
        "raw_frames_give_what_replay_gives",
        "bags/dashcam_raw_sqlite3",
        "",
        "sensor_msgs/msg/Image",
        30,
    );
}

#[test]
fn one_file_drives_replay_and_the_node() {
    let test = "one_file_drives_replay_and_the_node";
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let file = room.file(
        "both.yaml",
        "/**:\n  ros__parameters:\n    model: {name: nanodet_m_416, input_size: native}\n    detector:\n      score_threshold: 0.3\n      \
         nms_iou_threshold: 0.3\n      max_detections: 5\n      classes: [car, truck, person]\n      \
         class_score_thresholds: {truck: 0.35}\n    input: {image_topic: /camera/front/image_raw}\n",
    );
    let _node = room.start_active(&["--params-file", text(&file)]);
    let live = played(
        &mut room.peer,
        &bag,
        "/camera/front/image_raw/compressed",
        "sensor_msgs/msg/CompressedImage",
        20,
    );
    assert_same(live, &replayed(&bag, 20, Some(&file)));
}
