//! The node among others: names, namespaces, clocks, and what it publishes besides detections.

use serde_json::json;

use crate::peer::stamp_ns;
use crate::program::{Room, light_model};
use shuffledet_detector::model::Model;
use shuffledet_testing::asset;

const IMAGE: &str = "sensor_msgs/msg/Image";

#[test]
fn two_nodes_live_in_one_namespace_under_their_own_names() {
    let test = "two_nodes_live_in_one_namespace_under_their_own_names";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let named = |name: &'static str| ["-r", "__ns:=/car", "-r", name];
    let _nodes = ["__node:=one", "__node:=two"].map(|name| room.start(&named(name)));
    for node in ["one", "two"] {
        room.await_state(&format!("/car/{node}"), "active");
    }
    let peer = &mut room.peer;
    for node in ["one", "two"] {
        peer.listen(
            &format!("/car/{node}/detections"),
            "vision_msgs/msg/Detection2DArray",
        );
    }
    peer.ask(json!({"do": "advertise", "topic": "/car/image_raw", "type": IMAGE, "timeout": 20}));
    // the second may subscribe later than the first
    for node in ["two", "one"] {
        peer.ask(
            json!({"do": "play", "topic": "/car/image_raw", "made": {"width": 64, "height": 48},
            "count": 1000, "rate_hz": 20.0, "stamps": "now", "background": node}),
        );
        let message = peer.next(&format!("/car/{node}/detections"));
        assert_eq!(message["header"]["frame_id"], "made");
        peer.ask(json!({"do": "stop", "name": node}));
    }
}

#[test]
fn time_is_that_of_the_clock_topic() {
    let test = "time_is_that_of_the_clock_topic";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let start = 1_700_000_000_000_000_000_i64;
    room.peer
        .ask(json!({"do": "clock", "start_ns": start, "speed": 0.5}));
    let _node = room.start_active(&["-p", "use_sim_time:=true"]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.find("/diagnostics", |message| stamp_ns(message) >= start);
    let (age, detections) = (
        "/shuffledet/debug/pipeline_latency_ms",
        "/shuffledet/detections",
    );
    peer.listen(age, "std_msgs/msg/Float64");
    peer.ask(json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE, "timeout": 20}));
    peer.ask(json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 100, "stamps": "clock", "rate_hz": 40.0, "acknowledged_by": detections, "timeout": 20}));
    let status = peer.status("shuffledet: camera", |status| {
        status.number("received") > 90.0
    });
    assert_eq!(status.number("stamp_of_another_clock"), 0.0, "{status:?}");
    assert_eq!(status.number("stamp_in_future"), 0.0, "{status:?}");
    assert!(status.number("published") > 50.0, "{status:?}");
    let ages = peer.arrived(age);
    let plausible =
        |age: &serde_json::Value| (0.0..1000.0).contains(&age["data"].as_f64().unwrap());
    assert!(!ages.is_empty() && ages.iter().all(plausible), "{ages:?}");
}

#[test]
fn a_clock_that_is_set_back_is_followed() {
    let test = "a_clock_that_is_set_back_is_followed";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let start = 1_700_000_000_000_000_000_i64;
    room.peer.ask(json!({"do": "clock", "start_ns": start}));
    let _node = room.start_active(&["-p", "use_sim_time:=true"]);
    let peer = &mut room.peer;
    let (latency, detections) = ("/shuffledet/latency", "/shuffledet/detections");
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen(latency, "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE, "timeout": 20}));
    let play = json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 20, "stamps": "clock", "rate_hz": 20.0, "acknowledged_by": detections, "timeout": 20});
    peer.find("/diagnostics", |message| stamp_ns(message) >= start);
    peer.ask(play.clone());
    // as a simulation that is reset, or a bag that is played again
    let earlier = start - 3_600_000_000_000;
    peer.ask(json!({"do": "stop", "name": "clock"}));
    peer.ask(json!({"do": "clock", "start_ns": earlier}));
    peer.find("/diagnostics", |message| stamp_ns(message) < start);
    peer.ask(play);
    peer.find(latency, |message| {
        stamp_ns(message) < start && message["status"][0]["message"] == "published"
    });
    let status = peer.status("shuffledet: camera", |status| {
        status.number("received") >= 38.0 && status.adds_up()
    });
    assert_eq!(status.number("stamp_jump"), 1.0, "{status:?}");
    assert!(status.number("published") >= 36.0, "{status:?}");
}

#[test]
fn an_enclave_is_taken_as_by_any_node() {
    let test = "an_enclave_is_taken_as_by_any_node";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let grace = "diagnostics.grace_ms:=0.0";
    let _node = room.start_active(&["--enclave", "/perception/front", "-p", grace]);
    // nobody publishes images: a second context looks for some, in the same enclave
    for name in ["shuffledet", "_shuffledet_graph"] {
        let node = format!("/{name}");
        room.peer
            .ask(json!({"do": "await_node", "node": node, "timeout": 20}));
        let nodes = room.peer.ask(json!({"do": "nodes"}));
        assert!(
            nodes
                .as_array()
                .unwrap()
                .contains(&json!([name, "/", "/perception/front"])),
            "{nodes}"
        );
    }
}

#[test]
fn labels_and_model_are_latched_and_the_log_is_on_rosout() {
    let test = "labels_and_model_are_latched_and_the_log_is_on_rosout";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&["-p", "input.transport:=raw"]);
    let peer = &mut room.peer;
    let mut latched = |topic: &str, message_type: &str| {
        peer.ask(
            json!({"do": "subscribe", "topic": topic, "type": message_type,
            "qos": {"durability": "transient_local"}}),
        );
        peer.next(topic)
    };
    let labels = latched("/shuffledet/label_info", "vision_msgs/msg/LabelInfo");
    let count = Model::load(light_model())
        .unwrap()
        .description
        .labels
        .count();
    assert_eq!(labels["class_map"].as_array().unwrap().len(), count);
    assert_eq!(labels["class_map"][0]["class_name"], "person");
    let vision = latched("/shuffledet/vision_info", "vision_msgs/msg/VisionInfo");
    assert_eq!(vision["method"], light_model());
    latched("/rosout", "rcl_interfaces/msg/Log");
    // a camera that nobody has started is told of
    peer.find("/rosout", |log| {
        let message = log["msg"].as_str().unwrap();
        log["name"] == "shuffledet" && log["level"] == 30 && message.contains("/image_raw")
    });
}

#[test]
fn pictures_are_drawn_while_somebody_looks() {
    let test = "pictures_are_drawn_while_somebody_looks";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[]);
    let peer = &mut room.peer;
    let (latency, raw) = ("/shuffledet/latency", "/shuffledet/image_annotated");
    // as image_transport names it
    let pictures = "/shuffledet/image_annotated/compressed";
    peer.listen(latency, "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE, "timeout": 20}));
    peer.ask(
        json!({"do": "play", "topic": "/image_raw", "made": {"width": 64, "height": 48},
        "count": 100_000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
    );
    let drawn = |message: &serde_json::Value| {
        let stages = message["status"][0]["values"].as_array().unwrap();
        stages.iter().any(|stage| stage["key"] == "draw_ms")
    };
    assert!(!drawn(&peer.next(latency)));
    peer.listen(pictures, "sensor_msgs/msg/CompressedImage");
    let picture = peer.next(pictures);
    assert_eq!(
        (&picture["format"], &picture["header"]["frame_id"]),
        (&json!("bgr8; jpeg compressed bgr8"), &json!("made"))
    );
    peer.find(latency, drawn);
    peer.ask(json!({"do": "unsubscribe", "topic": pictures}));
    peer.find(latency, |message| !drawn(message));
    peer.listen(raw, IMAGE);
    let picture = peer.next(raw);
    for (field, expected) in [
        ("width", json!(64)),
        ("height", json!(48)),
        ("step", json!(3 * 64)),
        ("encoding", json!("bgr8")),
    ] {
        assert_eq!(picture[field], expected, "{field}");
    }
    assert_eq!(picture["data"]["size"], 3 * 64 * 48);
    peer.find(latency, drawn);
    peer.ask(json!({"do": "unsubscribe", "topic": raw}));
    peer.find(latency, |message| !drawn(message));
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn the_mode_says_what_the_cores_are_used_for() {
    let test = "the_mode_says_what_the_cores_are_used_for";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    room.peer
        .listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let throughput = [cores, 1.0];
    let latency = [1.0, cores];
    for (name, parameter, expected) in [
        ("throughput", "runtime.mode:=throughput", &[throughput][..]),
        ("latency", "runtime.mode:=latency", &[latency]),
        ("auto", "runtime.mode:=auto", &[throughput, latency]),
        ("given", "runtime.intra_op_threads:=1", &[throughput]),
    ] {
        let renamed = format!("__node:={name}");
        let _node = room.start(&["-r", &renamed, "-p", parameter]);
        room.await_state(&format!("/{name}"), "active");
        let status = room
            .peer
            .status(&format!("{name}: detector"), |status| status.level == "OK");
        let found = ["workers", "threads of a worker"].map(|key| status.number(key));
        assert!(expected.contains(&found), "{parameter}: {found:?}");
    }
}

#[test]
fn a_camera_that_a_launch_delays_was_warned_of_at_once() {
    let test = "a_camera_that_a_launch_delays_was_warned_of_at_once";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let status = "shuffledet: camera";
    room.peer
        .listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let active = |status: &crate::peer::Status| !status.message.contains("not active");
    let node = room.start_active(&[
        "-p",
        "diagnostics.grace_ms:=3000.0",
        "-p",
        "input.transport:=raw",
    ]);
    let first = room.peer.status(status, active);
    assert_eq!(first.level, "STALE", "{first:?}");
    assert!(!first.message.contains("nobody publishes"), "{first:?}");
    assert_eq!(node.log().matches("[WARN]").count(), 0, "{}", node.log());
    // what is not there in time is told
    room.peer
        .status(status, |status| status.message.contains("nobody publishes"));
    assert!(node.log().contains("nobody publishes"), "{}", node.log());
    room.finish(node, "/shuffledet");
    let _node = room.start_active(&[
        "-p",
        "diagnostics.grace_ms:=0.0",
        "-p",
        "input.transport:=raw",
    ]);
    room.peer.arrived("/diagnostics");
    let first = room.peer.status(status, active);
    assert!(first.message.contains("nobody publishes"), "{first:?}");
}

#[test]
fn classes_are_told_as_the_latched_map_has_them() {
    let test = "classes_are_told_as_the_latched_map_has_them";
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let images = "/image_raw/compressed";
    let (info, detections) = ("/shuffledet/label_info", "/shuffledet/detections");
    for (form, car) in [("name", "car"), ("index", "2"), ("coco", "3")] {
        let chosen = format!("detector.class_id:={form}");
        let age = "input.max_age_ms:=60000.0";
        let node = room.start_active(&["-p", &chosen, "-p", age]);
        let peer = &mut room.peer;
        peer.ask(
            json!({"do": "subscribe", "topic": info, "type": "vision_msgs/msg/LabelInfo",
            "qos": {"durability": "transient_local"}}),
        );
        let map = peer.next(info)["class_map"].clone();
        peer.listen(detections, "vision_msgs/msg/Detection2DArray");
        peer.ask(json!({"do": "advertise", "topic": images,
            "type": "sensor_msgs/msg/CompressedImage", "timeout": 20}));
        peer.ask(
            json!({"do": "play", "topic": images, "bag": bag, "count": 1, "stamps": "now",
            "bag_topic": "/camera/front/image_raw/compressed",
            "acknowledged_by": detections, "timeout": 20}),
        );
        let found = peer.next(detections);
        let mut told = found["detections"].as_array().unwrap().iter();
        assert!(
            told.any(|one| one["results"][0]["hypothesis"]["class_id"] == car),
            "{form}: {found:#}"
        );
        let classes = map.as_array().unwrap();
        let of_car = classes.iter().find(|class| class["class_name"] == "car");
        let number = &of_car.unwrap()["class_id"];
        assert!(classes.len() >= 9, "{classes:?}");
        assert_eq!(number, if form == "coco" { 3 } else { 2 }, "{form}");
        for topic in [info, detections] {
            peer.ask(json!({"do": "unsubscribe", "topic": topic}));
            peer.arrived(topic);
        }
        peer.ask(json!({"do": "withdraw", "topic": images}));
        room.finish(node, "/shuffledet");
    }
}

#[test]
fn lists_and_reliability_are_taken_from_the_command_line() {
    let test = "lists_and_reliability_are_taken_from_the_command_line";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&[
        "-p",
        "runtime.providers:=openvino, cpu",
        "-p",
        "cameras:=front, left",
        "-p",
        "input.transport:=raw",
        "-p",
        "input.reliability:=reliable",
        "-p",
        "camera.left.reliability:=best_effort",
    ]);
    let peer = &mut room.peer;
    let found = peer.ask(json!({"do": "parameters", "call": "get",
        "names": ["runtime.providers", "cameras", "camera.front.reliability"]}));
    assert_eq!(
        found,
        json!({"runtime.providers": ["openvino", "cpu"], "cameras": ["front", "left"],
            "camera.front.reliability": "reliable"})
    );
    for (topic, expected) in [
        ("/front/image_raw", "reliable"),
        ("/left/image_raw", "best_effort"),
    ] {
        peer.ask(json!({"do": "advertise", "topic": topic, "type": IMAGE, "timeout": 20}));
        let endpoints =
            peer.ask(json!({"do": "endpoints", "topic": topic, "subscriptions": 1}));
        let qos = &endpoints["subscriptions"][0]["qos"];
        let found = qos["reliability"].as_str().unwrap().to_lowercase();
        assert_eq!(found, expected, "{topic}: {qos}");
    }
}

/// The boxes of `~/annotations`, from the corners of each four lines, are those of `~/detections`.
#[test]
fn viewers_get_every_box_as_lines() {
    let test = "viewers_get_every_box_as_lines";
    let bag = shuffledet_testing::asset(test, "bags/dashcam_compressed_mcap");
    let (Some(mut room), Some(bag)) = (Room::open(test), bag) else {
        return;
    };
    let _node = room.start_active(&[]);
    let peer = &mut room.peer;
    let (detections, markers) = ("/shuffledet/detections", "/shuffledet/annotations");
    peer.listen(detections, "vision_msgs/msg/Detection2DArray");
    peer.listen(markers, "visualization_msgs/msg/ImageMarker");
    let (topic, kind) = ("/image_raw/compressed", "sensor_msgs/msg/CompressedImage");
    peer.ask(json!({"do": "advertise", "topic": topic, "type": kind, "timeout": 20}));
    peer.ask(json!({"do": "play", "topic": topic, "bag": bag,
        "bag_topic": "/camera/front/image_raw/compressed", "count": 100_000, "rate_hz": 5.0, "stamps": "now", "background": "camera"}));
    let marker = peer.next(markers);
    let found = peer.find(detections, |message| message["header"] == marker["header"]);
    peer.ask(json!({"do": "stop", "name": "camera"}));
    assert_eq!((&marker["type"], &marker["action"]), (&json!(2), &json!(0)));
    let found = found["detections"].as_array().unwrap();
    assert!(!found.is_empty());
    let points = marker["points"].as_array().unwrap();
    assert_eq!(points.len(), 8 * found.len());
    assert_eq!(
        marker["outline_colors"].as_array().unwrap().len(),
        4 * found.len()
    );
    for (detection, lines) in found.iter().zip(points.chunks(8)) {
        let bbox = &detection["bbox"];
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let (w, h) = (number(&bbox["size_x"]), number(&bbox["size_y"]));
        let centre = &bbox["center"]["position"];
        let (x, y) = (
            number(&centre["x"]) - w / 2.0,
            number(&centre["y"]) - h / 2.0,
        );
        for (corner, expected) in [
            (0, [x, y]),
            (1, [x + w, y]),
            (3, [x + w, y + h]),
            (5, [x, y + h]),
        ] {
            let at = [number(&lines[corner]["x"]), number(&lines[corner]["y"])];
            let close = at.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(close, "{at:?} {expected:?}");
        }
    }
}
