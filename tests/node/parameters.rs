//! Parameters while the node runs: the services, the events, and what changes with them.

use serde_json::{Value, json};

use crate::peer::Peer;
use crate::program::Room;
use crate::support::asset;

const IMAGES: &str = "/image_raw/compressed";

fn call(peer: &mut Peer, call: &str, more: Value) -> Value {
    let mut command = json!({"do": "parameters", "call": call});
    command
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    peer.ask(command)
}

/// Whether each was set, and why not.
fn set(peer: &mut Peer, values: Value) -> Vec<(bool, String)> {
    let answer = call(peer, "set", json!({"values": values}));
    let results = answer["results"].as_array().unwrap().iter();
    results.map(result).collect()
}

fn result(result: &Value) -> (bool, String) {
    let reason = result["reason"].as_str().unwrap().to_owned();
    (result["successful"].as_bool().unwrap(), reason)
}

fn get(peer: &mut Peer, names: &[&str]) -> Value {
    call(peer, "get", json!({"names": names}))
}

fn names(parameters: &Value) -> Vec<&str> {
    let parameters = parameters.as_array().unwrap().iter();
    parameters
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect()
}

#[test]
fn parameters_are_listed_described_and_set() {
    let test = "parameters_are_listed_described_and_set";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[]);
    let peer = &mut room.peer;

    let listed = call(peer, "list", json!({}));
    let listed: Vec<String> = serde_json::from_value(listed["result"]["names"].clone()).unwrap();
    for name in [
        "detector.score_threshold",
        "model.name",
        "runtime.providers",
        "use_sim_time",
    ] {
        assert!(listed.iter().any(|listed| listed == name), "{name}");
    }
    let described = call(peer, "describe", json!({"names": listed}));
    for descriptor in described["descriptors"].as_array().unwrap() {
        let described = descriptor["description"] != "" && descriptor["type"] != 0;
        assert!(described, "{descriptor}");
    }
    let described = call(
        peer,
        "describe",
        json!({"names": ["detector.score_threshold", "model.name"]}),
    );
    let [threshold, model] = [0, 1].map(|index| &described["descriptors"][index]);
    let range = &threshold["floating_point_range"][0];
    let bounds = ["from_value", "to_value"].map(|key| range[key].as_f64());
    assert_eq!(
        (&threshold["type"], &threshold["read_only"], bounds),
        (&json!(3), &json!(false), [Some(0.0), Some(1.0)])
    );
    assert_eq!(
        (&model["type"], &model["read_only"]),
        (&json!(4), &json!(true))
    );

    peer.ask(json!({"do": "subscribe", "topic": "/parameter_events",
        "type": "rcl_interfaces/msg/ParameterEvent", "timeout": 10}));
    let before = get(
        peer,
        &["detector.nms_iou_threshold", "detector.max_detections"],
    );
    for (values, complaint) in [
        (json!({"detector.score_threshold": 1.5}), "1.5"),
        (json!({"detector.score_threshold": "high"}), "type"),
        (json!({"detector.classes": ["cra"]}), "cra"),
        (json!({"model.name": "nanodet_m_416"}), "read-only"),
        (json!({"detector.threshold": 0.5}), "not declared"),
    ] {
        let results = set(peer, values);
        let refused = results.len() == 1 && !results[0].0 && results[0].1.contains(complaint);
        assert!(refused, "{complaint}: {results:?}");
    }
    let both =
        json!({"values": {"detector.max_detections": 7, "detector.nms_iou_threshold": -1.0}});
    let refused = call(peer, "set_atomically", both);
    assert!(!result(&refused["result"]).0, "{refused}");
    let unchanged = get(
        peer,
        &["detector.nms_iou_threshold", "detector.max_detections"],
    );
    assert_eq!(unchanged, before);

    let both = json!({"values": {"detector.max_detections": 7, "detector.nms_iou_threshold": 0.5}});
    let done = call(peer, "set_atomically", both);
    assert_eq!(result(&done["result"]), (true, String::new()));
    // nothing that was refused made an event: this is the first about these
    let event = peer.find("/parameter_events", |event| {
        event["node"] == "/shuffledet"
            && names(&event["changed_parameters"])
                .iter()
                .any(|name| name.starts_with("detector."))
    });
    let mut changed = names(&event["changed_parameters"]);
    changed.sort_unstable();
    assert_eq!(
        changed,
        ["detector.max_detections", "detector.nms_iou_threshold"]
    );
    let set = get(
        peer,
        &["detector.nms_iou_threshold", "detector.max_detections"],
    );
    assert_eq!(
        set,
        json!({"detector.nms_iou_threshold": 0.5, "detector.max_detections": 7})
    );
}

#[test]
fn a_threshold_holds_from_the_next_frame_on() {
    let test = "a_threshold_holds_from_the_next_frame_on";
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-p", "input.max_age_ms:=60000.0"]);
    let peer = &mut room.peer;
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    peer.ask(json!({"do": "advertise", "topic": IMAGES,
        "type": "sensor_msgs/msg/CompressedImage", "timeout": 20}));
    let detected = |peer: &mut Peer| {
        peer.ask(
            json!({"do": "play", "topic": IMAGES, "bag": bag, "count": 1, "stamps": "now",
            "bag_topic": "/camera/front/image_raw/compressed",
            "acknowledged_by": "/shuffledet/detections", "timeout": 20}),
        );
        let message = peer.next("/shuffledet/detections");
        message["detections"].as_array().unwrap().len()
    };
    let usual = detected(peer);
    assert!(usual > 0);
    for (values, expected) in [
        (json!({"detector.score_threshold": 0.99}), 0),
        (json!({"detector.score_threshold": 1.01}), 0),
        (json!({"detector.score_threshold": null}), usual),
        (json!({"detector.max_detections": 1}), 1),
    ] {
        set(peer, values.clone());
        assert_eq!(detected(peer), expected, "{values}");
    }
}
