//! Tracks in space: the calibration of a live camera.

use serde_json::{Value, json};

use crate::peer::stamp_ns;
use crate::program::Room;
use shuffledet_msg::{
    BoundingBox2D, BoundingBox3D, Detection2D, Detection2DArray, Detection3D, Detection3DArray,
    Header, ObjectHypothesisWithPose, PoseWithCovariance, Stamp,
};
use shuffledet_testing::asset;
use shuffledet_testing::pinhole::assert_places;

const TOPIC: &str = "/camera/front/image_raw";
const INFO: &str = "/camera/front/camera_info";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers<const N: usize>(value: &Value, keys: [&str; N]) -> [f64; N] {
    keys.map(|key| number(&value[key]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn header(message: &Value) -> Header {
    Header {
        stamp: Stamp::from_ns(stamp_ns(message)).unwrap(),
        frame_id: text(&message["header"]["frame_id"]),
    }
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(read).collect()
}

fn hypothesis(value: &Value) -> ObjectHypothesisWithPose {
    let pose = &value["pose"];
    let covariance = list(&pose["covariance"], number);
    ObjectHypothesisWithPose {
        class_id: text(&value["hypothesis"]["class_id"]),
        score: number(&value["hypothesis"]["score"]),
        pose: PoseWithCovariance {
            position: numbers(&pose["pose"]["position"], ["x", "y", "z"]),
            orientation: numbers(&pose["pose"]["orientation"], ["x", "y", "z", "w"]),
            covariance: covariance.try_into().unwrap(),
        },
    }
}

/// `~/tracks`, as rclpy read it.
fn tracks(message: &Value) -> Detection2DArray {
    Detection2DArray {
        header: header(message),
        detections: list(&message["detections"], |track| {
            let [center_x, center_y] = numbers(&track["bbox"]["center"]["position"], ["x", "y"]);
            let [size_x, size_y] = numbers(&track["bbox"], ["size_x", "size_y"]);
            Detection2D {
                header: header(track),
                results: list(&track["results"], hypothesis),
                bbox: BoundingBox2D {
                    center_x,
                    center_y,
                    theta: 0.0,
                    size_x,
                    size_y,
                },
                id: text(&track["id"]),
            }
        }),
    }
}

/// `~/tracks_3d`, as rclpy read it.
fn in_space(message: &Value) -> Detection3DArray {
    Detection3DArray {
        header: header(message),
        detections: list(&message["detections"], |track| {
            let center = &track["bbox"]["center"];
            Detection3D {
                header: header(track),
                results: list(&track["results"], hypothesis),
                bbox: BoundingBox3D {
                    center: numbers(&center["position"], ["x", "y", "z"]),
                    orientation: numbers(&center["orientation"], ["x", "y", "z", "w"]),
                    size: numbers(&track["bbox"]["size"], ["x", "y", "z"]),
                },
                id: text(&track["id"]),
            }
        }),
    }
}

#[test]
fn camera_info_beside_the_images_places_tracks_in_space() {
    let test = "camera_info_beside_the_images_places_tracks_in_space";
    let Some(bag) = asset(test, "bags/dashcam_raw_sqlite3") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let remapped = format!("image_raw:={TOPIC}");
    let arguments = ["-r", &remapped, "-p", "ranging.camera_height_m:=1.3"];
    let node = room.start_active(&arguments);
    let peer = &mut room.peer;
    let (tracks_topic, space_topic) = ("/shuffledet/tracks", "/shuffledet/tracks_3d");
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen(tracks_topic, "vision_msgs/msg/Detection2DArray");
    peer.listen(space_topic, "vision_msgs/msg/Detection3DArray");
    let image = "sensor_msgs/msg/Image";
    peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": image, "timeout": 20}));
    // stamps that go back would be dropped
    let play = |start: u32, count: u32| {
        json!({"do": "play", "topic": TOPIC, "bag": bag, "bag_topic": TOPIC,
            "start": start, "count": count, "acknowledged_by": "/shuffledet/detections", "timeout": 20})
    };

    // without a calibration there are no distances, and the diagnostics say why
    peer.ask(play(0, 5));
    let camera = "shuffledet: camera";
    let status = peer.status(camera, |status| status.number("published") >= 5.0);
    assert_eq!(status.level, "WARN");
    let missing = format!("no CameraInfo has arrived on {INFO}");
    assert!(status.message.contains(&missing), "{}", status.message);
    assert_eq!(status.values["distance by"], "nothing");
    assert!(peer.arrived(space_topic).is_empty());
    peer.arrived(tracks_topic);

    let set = |name: &str, value: Value| json!({"do": "parameters", "call": "set", "values": {name: value}});
    let refused = peer.ask(set("tracking.class_delete_s.unicorn", json!(2.0)));
    let reason = text(&refused["results"][0]["reason"]);
    assert!(
        reason.contains("has no class \"unicorn\"; it has: person"),
        "{reason}"
    );
    peer.ask(set("ranging.camera_pitch_deg", json!(1.0)));

    let info = "sensor_msgs/msg/CameraInfo";
    peer.ask(json!({"do": "advertise", "topic": INFO, "type": info, "timeout": 20}));
    let calibration = json!({
        "header": {"frame_id": "camera_front"},
        "width": 480, "height": 270, "distortion_model": "plumb_bob", "d": [0.0, 0.0, 0.0, 0.0, 0.0],
        "k": [432.0, 0.0, 240.0, 0.0, 432.0, 135.0, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [432.0, 0.0, 240.0, 0.0, 0.0, 432.0, 135.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    });
    peer.ask(json!({"do": "publish", "topic": INFO, "message": calibration}));
    peer.status(camera, |status| {
        status
            .values
            .get("calibration")
            .is_some_and(|origin| origin == INFO)
    });
    peer.ask(play(5, 40));
    let status = peer.status(camera, |status| status.number("published") >= 45.0);
    assert_eq!(status.values["distance by"], "size and ground");
    assert!(status.number("nearest distance (m)") > 1.0);
    assert!(status.number("nearest distance sigma (m)") > 0.0);
    let placed = compare(
        test,
        room.peer.arrived(tracks_topic),
        room.peer.arrived(space_topic),
    );
    let Some(placed) = placed else { return };
    assert!(placed > 20, "{placed}\n{}", node.log());

    // predicted tracks have a later time than their images
    let peer = &mut room.peer;
    peer.ask(set("tracking.predict_to_publish", json!(true)));
    peer.ask(play(45, 20));
    let later = |message: &Value| {
        let image = list(&message["detections"], stamp_ns);
        let ahead = image.iter().map(|image| stamp_ns(message) - image);
        ahead
            .min()
            .is_some_and(|ahead_ns| (1..500_000_000).contains(&ahead_ns))
    };
    peer.find(tracks_topic, later);
    peer.find(space_topic, later);
    compare(
        test,
        room.peer.arrived(tracks_topic),
        room.peer.arrived(space_topic),
    );
}

/// Compares the messages with the same stamp. Returns how many tracks have a place.
#[track_caller]
fn compare(test: &str, tracks_sent: Vec<Value>, space_sent: Vec<Value>) -> Option<usize> {
    let in_space: Vec<_> = space_sent.iter().map(in_space).collect();
    let pairs = tracks_sent.iter().filter_map(|message| {
        let tracks = tracks(message);
        let mut same = in_space
            .iter()
            .filter(|placed| placed.header == tracks.header);
        let placed = same.next()?.clone();
        Some((tracks, placed))
    });
    let pairs: Vec<_> = pairs.collect();
    assert!(
        pairs.len() + 3 > space_sent.len(),
        "{} of {}",
        pairs.len(),
        space_sent.len()
    );
    let camera = json!({
        "focal": [432.0, 432.0],
        "centre": [240.0, 135.0],
        "size": [480, 270],
        "height_m": 1.3,
        "pitch_rad": 1_f64.to_radians(),
        "heights": {
            "person": [1.70, 0.07], "car": [1.53, 0.07], "truck": [3.0, 0.25], "bus": [3.1, 0.12],
            "train": [3.8, 0.15], "bicycle": [1.05, 0.12], "motorcycle": [1.15, 0.12], "stop sign": [0.75, 0.12],
        },
    });
    assert_places(test, &camera, &pairs)
}
