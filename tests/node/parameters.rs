//! Parameters while the node runs: the services, the events, and what changes with them.

use serde_json::{Value, json};

use crate::peer::Peer;
use crate::program::Room;
use shuffledet_testing::asset;

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
        "log_level",
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
        json!({"names": ["detector.score_threshold", "detector.class_id"]}),
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
        (json!({"classifier.model": "nanodet_m_416"}), "read-only"),
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
fn who_listens_already_hears_what_a_starting_node_declares() {
    let test = "who_listens_already_hears_what_a_starting_node_declares";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    room.peer
        .listen("/parameter_events", "rcl_interfaces/msg/ParameterEvent");
    let _node = room.start(&["-p", "detector.score_threshold:=0.4"]);
    let event = room
        .peer
        .find("/parameter_events", |event| event["node"] == "/shuffledet");
    let new = event["new_parameters"].as_array().unwrap();
    let threshold = new
        .iter()
        .find(|parameter| parameter["name"] == "detector.score_threshold");
    assert_eq!(threshold.unwrap()["value"]["double_value"], 0.4);
    let listed = call(&mut room.peer, "list", json!({}));
    assert_eq!(
        new.len(),
        listed["result"]["names"].as_array().unwrap().len()
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

#[test]
fn a_cameras_settings_hold_from_the_next_frame_on() {
    let test = "a_cameras_settings_hold_from_the_next_frame_on";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[
        "-p",
        "cameras:=[front]",
        "-p",
        "camera.front.image_topic:=/image_raw",
        "-p",
        "camera.front.transport:=raw",
        "-p",
        "input.max_age_ms:=60000.0",
    ]);
    let peer = &mut room.peer;
    let latency = "/shuffledet/front/latency";
    peer.listen(latency, "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(
        json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image",
        "timeout": 20}),
    );
    peer.ask(
        json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 100_000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
    );
    let outcome = |message: &Value| message["status"][0]["message"].as_str().unwrap().to_owned();
    peer.find(latency, |message| outcome(message) == "published");
    for (values, expected) in [
        (
            json!({"camera.front.enabled": false}),
            "dropped: camera_disabled",
        ),
        (json!({"camera.front.enabled": true}), "published"),
        (
            json!({"camera.front.max_rate_hz": 2.0}),
            "dropped: rate_limited",
        ),
        (json!({"camera.front.max_rate_hz": 0.0}), "published"),
    ] {
        assert_eq!(set(peer, values.clone()), [(true, String::new())]);
        peer.find(latency, |message| outcome(message) == expected);
    }
    // without a limit none is left out any more
    for _ in 0..5 {
        peer.find(latency, |message| outcome(message) == "published");
    }
    assert_eq!(
        set(peer, json!({"camera.front.priority": 3.0})),
        [(true, String::new())]
    );
    assert_eq!(
        get(peer, &["camera.front.priority"]),
        json!({"camera.front.priority": 3.0})
    );
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn the_threshold_of_the_class_table_was_the_models_own() {
    let test = "the_threshold_of_the_class_table_was_the_models_own";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-p", "detector.score_threshold:=0.45"]);
    let peer = &mut room.peer;
    let info = "/shuffledet/label_info";
    peer.ask(
        json!({"do": "subscribe", "topic": info, "type": "vision_msgs/msg/LabelInfo",
        "qos": {"durability": "transient_local"}}),
    );
    let near = |message: &Value, expected: f64| {
        (message["threshold"].as_f64().unwrap() - expected).abs() < 1e-6
    };
    assert!(near(&peer.next(info), 0.45));
    for (values, expected) in [
        (json!({"detector.score_threshold": 0.6}), 0.6),
        // the least of those of the classes that are detected
        (json!({"detector.class_score_thresholds.car": 0.2}), 0.2),
        (json!({"detector.classes": ["person"]}), 0.6),
    ] {
        assert_eq!(set(peer, values.clone()), [(true, String::new())]);
        let told = peer.next(info);
        assert!(near(&told, expected), "{values}: {told:#}");
    }
    // who comes later gets the last, and nothing is told twice
    assert_eq!(
        set(peer, json!({"detector.max_detections": 7})),
        [(true, String::new())]
    );
    peer.ask(json!({"do": "unsubscribe", "topic": info}));
    peer.ask(
        json!({"do": "subscribe", "topic": info, "type": "vision_msgs/msg/LabelInfo",
        "qos": {"durability": "transient_local"}}),
    );
    assert!(near(&peer.next(info), 0.6));
    assert_eq!(peer.arrived(info), [Value::Null; 0]);
}

#[test]
fn the_only_camera_could_not_be_turned_off() {
    let test = "the_only_camera_could_not_be_turned_off";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[
        "-p",
        "input.enabled:=false",
        "-p",
        "input.max_age_ms:=60000.0",
    ]);
    let peer = &mut room.peer;
    let latency = "/shuffledet/latency";
    peer.listen(latency, "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let status = peer.status("shuffledet: camera", |status| {
        status.message.contains("disabled")
    });
    assert_eq!(status.level, "OK", "{status:?}");
    peer.ask(
        json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image",
        "timeout": 20}),
    );
    peer.ask(
        json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 100_000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
    );
    let outcome = |message: &Value| message["status"][0]["message"].as_str().unwrap().to_owned();
    for (enabled, expected) in [
        (None, "dropped: camera_disabled"),
        (Some(true), "published"),
        (Some(false), "dropped: camera_disabled"),
    ] {
        if let Some(enabled) = enabled {
            let done = set(peer, json!({"input.enabled": enabled}));
            assert_eq!(done, [(true, String::new())]);
        }
        peer.find(latency, |message| outcome(message) == expected);
    }
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn the_log_level_changes_while_the_node_runs() {
    let test = "the_log_level_changes_while_the_node_runs";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    // that nobody publishes the topic is a warning; each new state of the camera is told again
    let _node = room.start_active(&[
        "--log-level",
        "shuffledet:=error",
        "-p",
        "input.transport:=raw",
    ]);
    let peer = &mut room.peer;
    assert_eq!(get(peer, &["log_level"]), json!({"log_level": "error"}));
    peer.ask(
        json!({"do": "subscribe", "topic": "/rosout", "type": "rcl_interfaces/msg/Log",
        "qos": {"durability": "transient_local", "depth": 1000}, "timeout": 10}),
    );
    let warnings = |peer: &mut Peer| {
        let log = peer.arrived("/rosout").into_iter();
        log.filter(|log| log["name"] == "shuffledet" && log["level"] == 30)
            .count()
    };
    let stale_and_back = |peer: &mut Peer| {
        peer.ask(
            json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image",
            "timeout": 20}),
        );
        peer.ask(
            json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
            "count": 40, "rate_hz": 20.0, "stamps": "now"}),
        );
        peer.ask(json!({"do": "withdraw", "topic": "/image_raw"}));
        peer.status("shuffledet: camera", |status| status.level == "STALE");
    };
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    stale_and_back(peer);
    assert_eq!(warnings(peer), 0);
    assert_eq!(
        set(peer, json!({"log_level": "warn"})),
        [(true, String::new())]
    );
    stale_and_back(peer);
    peer.find("/rosout", |log| {
        log["name"] == "shuffledet" && log["level"] == 30
    });
    // taken back, it is the command line's again
    assert_eq!(
        set(peer, json!({"log_level": null})),
        [(true, String::new())]
    );
    assert_eq!(get(peer, &["log_level"]), json!({"log_level": "error"}));
}
