//! Another model while the node runs: by parameters and by `~/reload`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::peer::{Peer, Status, stamp_ns};
use crate::program::{Node, Room, text};
use shuffledet_testing::process::{resident_bytes, threads};
use shuffledet_testing::variants::{write_cut, write_failing_on_bright};
use shuffledet_testing::{asset, colours, fetched};

const IMAGES: &str = "/image_raw";
const NODE: &str = "/shuffledet";
const DETECTOR: &str = "shuffledet: detector";

/// Starts a node with `model` and listens to what it tells about models and frames.
fn start(room: &mut Room, model: &str, more: &[&str]) -> Node {
    let model = format!("model.name:={model}");
    let folder = format!("model.folder:={}", text(room.folder.path()));
    let arguments = [
        "-p",
        &model,
        "-p",
        &folder,
        "-p",
        "input.transport:=raw",
        "-p",
        "input.max_age_ms:=60000.0",
        // a camera that stands still is none of these tests' faults
        "-p",
        "sight.enabled:=false",
    ];
    let node = room.start_active(&[&arguments[..], more].concat());
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    for (topic, message) in [
        ("/shuffledet/vision_info", "vision_msgs/msg/VisionInfo"),
        ("/shuffledet/label_info", "vision_msgs/msg/LabelInfo"),
    ] {
        let qos = json!({"depth": 10, "durability": "transient_local"});
        peer.ask(json!({"do": "subscribe", "topic": topic, "type": message, "qos": qos}));
    }
    peer.ask(
        json!({"do": "advertise", "topic": IMAGES, "type": "sensor_msgs/msg/Image", "timeout": 20}),
    );
    node
}

/// Plays pictures in the background, until `stop`.
fn play(peer: &mut Peer, more: Value) {
    let mut command = json!({"do": "play", "topic": IMAGES, "made": {"width": 320, "height": 240},
        "count": 1_000_000, "stamps": "now", "background": "camera"});
    let command_object = command.as_object_mut().unwrap();
    command_object.extend(more.as_object().unwrap().clone());
    peer.ask(command);
}

/// Sets parameters together; the error is the reason of the refusal.
fn set(peer: &mut Peer, values: Value) -> Result<(), String> {
    let answer = peer.ask(
        json!({"do": "parameters", "call": "set_atomically", "values": values, "timeout": 60}),
    );
    let result = &answer["result"];
    match result["successful"].as_bool().unwrap() {
        true => Ok(()),
        false => Err(result["reason"].as_str().unwrap().to_owned()),
    }
}

fn set_model(peer: &mut Peer, model: &str) -> Result<(), String> {
    set(peer, json!({"model.name": model}))
}

fn get(peer: &mut Peer, name: &str) -> Value {
    let answer = peer.ask(json!({"do": "parameters", "call": "get", "names": [name]}));
    answer[name].clone()
}

/// Calls `~/reload`.
fn reload(peer: &mut Peer) -> (bool, String) {
    let answer = peer.ask(json!({"do": "service", "name": format!("{NODE}/reload"),
        "type": "std_srvs/srv/Trigger", "timeout": 60}));
    let message = answer["message"].as_str().unwrap().to_owned();
    (answer["success"].as_bool().unwrap(), message)
}

/// Returns the status of the detector as soon as it names `model`.
fn detector_with(peer: &mut Peer, model: &str) -> Status {
    peer.arrived("/diagnostics");
    peer.status(DETECTOR, |status| {
        status.values.get("model").map(String::as_str) == Some(model)
    })
}

/// Returns the names of the classes in the latest class table.
fn classes(peer: &mut Peer) -> Vec<String> {
    let tables = peer.arrived("/shuffledet/label_info");
    let table = tables.last().unwrap()["class_map"].as_array().unwrap();
    let name = |class: &Value| class["class_name"].as_str().unwrap().to_owned();
    table.iter().map(name).collect()
}

/// Returns the message and the model of each frame, by stamp.
fn outcomes(peer: &mut Peer) -> BTreeMap<i64, (String, String)> {
    let mut outcomes = BTreeMap::new();
    for message in peer.arrived("/shuffledet/latency") {
        let status = &message["status"][0];
        let values = status["values"].as_array().unwrap();
        let model = values.iter().find(|value| value["key"] == "model");
        let model = model.map_or("", |value| value["value"].as_str().unwrap());
        let outcome = status["message"].as_str().unwrap().to_owned();
        let before = outcomes.insert(stamp_ns(&message), (outcome, model.to_owned()));
        assert_eq!(before, None, "a frame has two outcomes");
    }
    outcomes
}

fn cut(room: &Room, name: &str, classes: usize) -> PathBuf {
    let path = room.folder.path().join(name);
    write_cut(&path, classes);
    path
}

/// Swaps between `first` and `second` while a camera sends, and checks that each frame is of one
/// model and none is lost.
fn swap_under_load(room: &mut Room, first: (&str, &str), second: (&str, &str)) {
    let _node = start(room, first.0, &[]);
    let peer = &mut room.peer;

    // 20 Hz: every frame has one outcome, and none fails
    play(peer, json!({"rate_hz": 20.0}));
    for (model, _) in [second, first, second] {
        thread::sleep(Duration::from_millis(500));
        assert_eq!(set_model(peer, model), Ok(()));
    }
    let sent = peer.ask(json!({"do": "stop", "name": "camera"}));
    let sent = sent["stamps"].as_array().unwrap().len() as f64;
    let camera = peer.status("shuffledet: camera", |status| {
        status.number("received") == sent && status.adds_up()
    });
    assert_eq!(camera.number("failed"), 0.0, "{camera:?}");
    let outcomes_of_20_hz = outcomes(peer);
    assert!(outcomes_of_20_hz.len() as f64 >= 0.9 * sent);
    let mut models: Vec<_> = outcomes_of_20_hz
        .into_values()
        .map(|(_, model)| model)
        .collect();
    models.retain(|model| !model.is_empty());
    models.dedup();
    assert_eq!(models, [first.1, second.1, first.1, second.1]);

    // each picture waits for the detections of the one before: nothing is superseded
    play(peer, json!({"acknowledged_by": "/shuffledet/detections"}));
    for (model, name) in [first, second, first] {
        thread::sleep(Duration::from_millis(300));
        assert_eq!(set_model(peer, model), Ok(()));
        let status = detector_with(peer, name);
        assert_eq!(
            status.values["model change"],
            format!("model.name = {:?}: done", model)
        );
    }
    thread::sleep(Duration::from_millis(300));
    let played = peer.ask(json!({"do": "stop", "name": "camera"}));
    let lost = played["latency_ms"].as_array().unwrap().iter();
    let lost: Vec<_> = lost.filter(|latency| latency.is_null()).collect();
    // the last picture may be on its way
    assert!(lost.len() <= 1, "{lost:?}");
    let mut models = Vec::new();
    for (stamp, (outcome, model)) in outcomes(peer) {
        assert_eq!(outcome, "published", "{stamp}");
        models.push(model);
    }
    models.dedup();
    assert_eq!(models, [second.1, first.1, second.1, first.1]);

    // what is announced is what runs
    let announced = peer.arrived("/shuffledet/vision_info");
    let methods: Vec<_> = announced
        .iter()
        .map(|info| info["method"].as_str().unwrap())
        .collect();
    let alternating = [first.1, second.1].into_iter().cycle();
    assert_eq!(methods, alternating.take(7).collect::<Vec<_>>());
    let versions = announced
        .iter()
        .map(|info| info["database_version"].as_i64());
    assert!(versions.eq((0..7).map(Some)), "{announced:?}");
    assert_eq!(get(peer, "model.name"), first.0);
}

#[test]
fn models_swap_under_load_and_no_frame_is_lost() {
    let test = "models_swap_under_load_and_no_frame_is_lost";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let cut = cut(&room, "cut.onnx", 3);
    swap_under_load(&mut room, ("road", "road"), (text(&cut), "cut"));
    assert_eq!(classes(&mut room.peer).len(), 9);
}

#[test]
fn families_swap_under_load_and_no_frame_is_lost() {
    let test = "families_swap_under_load_and_no_frame_is_lost";
    let models = ["fastestdet_352", "nanodet_m_416"];
    if models.iter().any(|model| fetched(test, model).is_none()) {
        return;
    }
    let Some(mut room) = Room::open(test) else {
        return;
    };
    swap_under_load(&mut room, (models[0], models[0]), (models[1], models[1]));
}

#[test]
fn a_model_that_cannot_run_is_refused_and_the_other_stays() {
    let test = "a_model_that_cannot_run_is_refused_and_the_other_stays";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let broken = cut(&room, "broken.onnx", 5);
    let onnx = fs::read(&broken).unwrap();
    fs::write(&broken, &onnx[..onnx.len() / 2]).unwrap();
    let misfit = cut(&room, "misfit.onnx", 5);
    let fitting = fs::read_to_string(misfit.with_extension("yaml")).unwrap();
    let labels = fitting.replacen("labels:\n", "labels:\n- name: tram\n  category_id: 99\n", 1);
    assert_ne!(labels, fitting);
    fs::write(misfit.with_extension("yaml"), labels).unwrap();
    let few = cut(&room, "few.onnx", 1);
    let bare = cut(&room, "bare.onnx", 5);
    fs::remove_file(bare.with_extension("yaml")).unwrap();
    let bus = ["-p", "detector.class_score_thresholds.bus:=0.4"];
    let node = start(&mut room, "road", &bus);
    let peer = &mut room.peer;
    play(peer, json!({"rate_hz": 20.0}));
    for (values, expected) in [
        (json!({"model.name": text(&broken)}), "not an ONNX model"),
        (json!({"model.name": text(&misfit)}), "misfit.onnx"),
        (
            json!({"model.name": text(&bare)}),
            "no description found beside it",
        ),
        (json!({"model.name": "no_such_model"}), "no_such_model"),
        (
            json!({"model.name": "/etc/hostname"}),
            "expected a name of the manifest or a file in",
        ),
        (json!({"model.name": text(&few)}), "no class \"bus\""),
        (
            json!({"model.name": text(&few), "detector.score_threshold": 1.5}),
            "1.5",
        ),
        (json!({"model.input_size": "33x33"}), "a multiple of 32"),
        (
            json!({"runtime.providers": ["cuda"], "runtime.strict": true}),
            "cuda",
        ),
    ] {
        let reason = set(peer, values.clone()).unwrap_err();
        assert!(reason.contains(expected), "{values}: {reason}");
    }
    let detector = detector_with(peer, "road");
    assert_eq!(detector.level, "OK", "{detector:?}");
    let change = &detector.values["model change"];
    assert!(
        change.contains(": refused: ") && change.contains("cuda"),
        "{change}"
    );
    assert!(node.log().contains("broken.onnx"), "{}", node.log());
    assert_eq!(get(peer, "model.name"), "road");
    assert_eq!(get(peer, "detector.class_score_thresholds.bus"), 0.4);
    peer.ask(json!({"do": "stop", "name": "camera"}));
    let outcomes = outcomes(peer);
    assert!(outcomes.len() > 10);
    for (outcome, model) in outcomes.values() {
        assert_eq!((&**outcome, &**model), ("published", "road"));
    }
    // the threshold goes with the class, in one step
    peer.arrived("/diagnostics");
    let together = json!({"model.name": text(&few), "detector.score_threshold": 0.5});
    assert!(set(peer, together).unwrap_err().contains("bus"));
}

#[test]
fn a_model_whose_first_frames_fail_is_rolled_back() {
    let test = "a_model_whose_first_frames_fail_is_rolled_back";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let failing = room.folder.path().join("failing.onnx");
    write_failing_on_bright(&failing, 9);
    let node = start(&mut room, "road", &[]);
    let peer = &mut room.peer;
    play(peer, json!({"rate_hz": 20.0}));
    thread::sleep(Duration::from_millis(300));
    let reason = set_model(peer, text(&failing)).unwrap_err();
    assert!(
        reason.starts_with("rolled back: frame 1 of it failed: "),
        "{reason}"
    );
    assert!(node.log().contains("road runs again"), "{}", node.log());
    thread::sleep(Duration::from_millis(300));
    let detector = detector_with(peer, "road");
    assert_eq!(detector.level, "WARN", "{detector:?}");
    assert!(detector.values["model change"].contains("rolled back: frame 1"));
    assert_eq!(get(peer, "model.name"), "road");
    // another change succeeds, and the warning goes
    assert_eq!(set(peer, json!({"model.input_size": "320x320"})), Ok(()));
    peer.arrived("/diagnostics");
    peer.status(DETECTOR, |status| status.level == "OK");
    peer.ask(json!({"do": "stop", "name": "camera"}));
    let outcomes = outcomes(peer);
    let mut models: Vec<_> = outcomes.values().map(|(_, model)| model.as_str()).collect();
    models.retain(|model| !model.is_empty());
    models.dedup();
    assert_eq!(models, ["road", "failing", "road"]);
    let failed = outcomes
        .values()
        .filter(|(outcome, _)| outcome.starts_with("failed"));
    for (outcome, model) in failed {
        assert_eq!(model, "failing", "{outcome}");
    }
    let announced = peer.arrived("/shuffledet/vision_info");
    let methods: Vec<_> = announced
        .iter()
        .map(|info| info["method"].as_str().unwrap())
        .collect();
    // frames under way announce the failing model again
    assert_eq!(
        (methods[0], methods[1], methods.last()),
        ("road", "failing", Some(&"road"))
    );
}

#[test]
fn reload_takes_the_file_that_was_replaced() {
    let test = "reload_takes_the_file_that_was_replaced";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let path = cut(&room, "street.onnx", 3);
    let node = start(&mut room, text(&path), &[]);
    let peer = &mut room.peer;
    let before = detector_with(peer, "street").values["model sha256"].clone();
    assert_eq!(classes(peer), ["person", "bicycle", "car"]);
    let unknown = set(peer, json!({"detector.class_score_thresholds.bus": 0.4}));
    assert!(unknown.unwrap_err().contains("no class \"bus\""));
    set(peer, json!({"detector.score_threshold": 0.45})).unwrap();

    write_cut(&path, 5);
    let (success, message) = reload(peer);
    assert!(
        success && message.starts_with("street (nanodet_plus, trained at 416x416"),
        "{message}"
    );
    let after = detector_with(peer, "street").values["model sha256"].clone();
    assert_ne!(before, after);
    assert!(message.contains(&after[..12]), "{message}");
    assert_eq!(
        classes(peer),
        ["person", "bicycle", "car", "motorcycle", "bus"]
    );
    set(peer, json!({"detector.class_score_thresholds.bus": 0.4})).unwrap();
    assert_eq!(get(peer, "detector.score_threshold"), 0.45);

    fs::write(&path, "no model").unwrap();
    let (success, message) = reload(peer);
    assert!(
        !success && message.contains("not an ONNX model"),
        "{message}"
    );
    assert_eq!(detector_with(peer, "street").values["model sha256"], after);
    assert!(node.log().contains("reload of "), "{}", node.log());
}

#[test]
fn a_second_change_while_one_is_under_way_is_refused() {
    let test = "a_second_change_while_one_is_under_way_is_refused";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let cut = cut(&room, "cut.onnx", 3);
    // without frames the first ones of the new model are waited for
    let _node = start(&mut room, "road", &[]);
    let peer = &mut room.peer;
    let command = json!({"do": "parameters", "call": "set_atomically",
        "values": {"model.name": text(&cut)}, "timeout": 60});
    peer.ask(json!({"do": "beside", "name": "first", "command": command}));
    thread::sleep(Duration::from_millis(100));
    let reason = set(peer, json!({"model.input_size": "320x320"})).unwrap_err();
    assert!(
        reason.starts_with("another change of the model is under way"),
        "{reason}"
    );
    assert!(!reload(peer).0);
    // other requests are answered meanwhile
    assert_eq!(get(peer, "detector.max_detections"), 100);
    peer.status(DETECTOR, |status| {
        let change = status.values.get("model change");
        change.is_some_and(|change| change.ends_with("first frames are watched"))
    });
    let reason = set(peer, json!({"detector.max_detections": 7})).unwrap_err();
    assert!(reason.contains("try again"), "{reason}");
    let first = peer.ask(json!({"do": "stop", "name": "first", "finish": true}));
    assert_eq!(first["result"]["successful"], true, "{first}");
    set(peer, json!({"detector.max_detections": 7})).unwrap();
    assert_eq!(get(peer, "model.name"), text(&cut));
    assert_eq!(classes(peer).len(), 3);
}

#[test]
fn a_model_can_change_in_every_state() {
    let test = "a_model_can_change_in_every_state";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let [one, two] = [1, 2].map(|count| cut(&room, &format!("cut{count}.onnx"), count));
    let folder = format!("model.folder:={}", text(room.folder.path()));
    let _node = room.start(&[
        "-p",
        "autostart:=false",
        "-p",
        "model.name:=road",
        "-p",
        &folder,
    ]);
    room.await_state(NODE, "unconfigured");
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let change = |peer: &mut Peer, transition: &str| {
        let command = json!({"do": "lifecycle", "call": "change_state", "transition": transition, "timeout": 30});
        assert_eq!(peer.ask(command)["success"], true, "{transition}");
    };
    set_model(peer, text(&one)).unwrap();
    change(peer, "configure");
    detector_with(peer, "cut1");
    set_model(peer, text(&two)).unwrap();
    detector_with(peer, "cut2");
    change(peer, "activate");
    let qos = json!({"depth": 10, "durability": "transient_local"});
    peer.ask(json!({"do": "subscribe", "topic": "/shuffledet/label_info",
        "type": "vision_msgs/msg/LabelInfo", "qos": qos}));
    peer.find("/shuffledet/label_info", |table| {
        table["class_map"].as_array().unwrap().len() == 2
    });
    change(peer, "deactivate");
    change(peer, "cleanup");
    // the same model again, from its file
    change(peer, "configure");
    detector_with(peer, "cut2");
    change(peer, "cleanup");
    write_cut(&two, 3);
    assert!(reload(peer).0);
    change(peer, "configure");
    change(peer, "activate");
    assert_eq!(set_model(peer, "road"), Ok(()));
    assert_eq!(detector_with(peer, "road").level, "OK");
}

#[test]
fn ten_swaps_leave_memory_and_threads_level() {
    let test = "ten_swaps_leave_memory_and_threads_level";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let cut = cut(&room, "cut.onnx", 3);
    let node = start(&mut room, "road", &[]);
    let peer = &mut room.peer;
    play(peer, json!({"rate_hz": 20.0}));
    let mut swap = |times: usize| {
        for model in [text(&cut), "road"].into_iter().cycle().take(times) {
            assert_eq!(set_model(peer, model), Ok(()));
        }
        // the last session is freed after the answer
        thread::sleep(Duration::from_millis(300));
        (resident_bytes(node.id()), threads(node.id()))
    };
    let (memory, count) = swap(4);
    let (memory_after, count_after) = swap(10);
    eprintln!(
        "resident after 4 swaps {memory}, after 14 {memory_after} bytes; {count} and {count_after} threads"
    );
    assert!(count_after <= count, "{count} threads, then {count_after}");
    let grown = memory_after as f64 - memory as f64;
    assert!(grown < 10e6, "{memory} bytes, then {memory_after}");
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn the_second_stage_goes_on_with_another_model() {
    let test = "the_second_stage_goes_on_with_another_model";
    let topic = "/camera/front/image_raw";
    let Some(bag) = asset(test, "bags/dashcam_raw_sqlite3") else {
        return;
    };
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let cut = cut(&room, "cut.onnx", 3);
    let classifier = colours::write(room.folder.path());
    let classifier = format!("classifier.model:={}", text(&classifier));
    let remapped = format!("image_raw:={topic}");
    let more = [
        "-r",
        &remapped,
        "-p",
        &classifier,
        "-p",
        "classifier.classes:=[car]",
    ];
    let folder = format!("model.folder:={}", text(room.folder.path()));
    let model = ["-p", "model.name:=road", "-p", &folder];
    let _node = room.start_active(&[&model[..], &more].concat());
    let peer = &mut room.peer;
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    peer.ask(
        json!({"do": "advertise", "topic": topic, "type": "sensor_msgs/msg/Image", "timeout": 20}),
    );
    let mut play = json!({"do": "play", "topic": topic, "bag": bag, "bag_topic": topic, "count": 12,
        "acknowledged_by": "/shuffledet/detections", "timeout": 20});
    let answered = |message: &Value| {
        let detections = message["detections"].as_array().unwrap().iter();
        let mut results = detections.flat_map(|found| found["results"].as_array().unwrap());
        results.any(|result| {
            let class = result["hypothesis"]["class_id"].as_str().unwrap();
            class.starts_with("car:")
        })
    };
    peer.ask(play.clone());
    peer.find("/shuffledet/detections", answered);
    assert_eq!(set_model(peer, text(&cut)), Ok(()));
    peer.arrived("/shuffledet/detections");
    // the stamps go on
    play["start"] = json!(12);
    peer.ask(play);
    peer.find("/shuffledet/detections", answered);
    let absent = room.folder.path().join("absent.onnx");
    write_cut(&absent, 2);
    let reason = set_model(&mut room.peer, text(&absent)).unwrap_err();
    assert!(
        reason.contains("classifier.classes") && reason.contains("car"),
        "{reason}"
    );
}
