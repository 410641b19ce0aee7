//! The managed node, led through its states.

use std::fs;

use serde_json::json;
use shuffledet_detector::model::Model;

use crate::peer::{LIMIT, Peer};
use crate::program::Room;

fn change(peer: &mut Peer, transition: &str) -> bool {
    let answer = peer.ask(json!({"do": "lifecycle", "call": "change_state",
        "transition": transition, "timeout": LIMIT.as_secs()}));
    answer["success"].as_bool().unwrap()
}

fn state(peer: &mut Peer) -> String {
    let answer = peer.ask(json!({"do": "lifecycle", "call": "get_state"}));
    answer["current_state"]["label"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn available(peer: &mut Peer) -> Vec<String> {
    let answer = peer.ask(json!({"do": "lifecycle", "call": "get_available_transitions"}));
    let transitions = answer["available_transitions"].as_array().unwrap().iter();
    let mut labels: Vec<_> = transitions
        .map(|transition| {
            transition["transition"]["label"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    labels.sort();
    labels
}

#[test]
fn a_lifecycle_manager_leads_the_node() {
    let test = "a_lifecycle_manager_leads_the_node";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start(&["-p", "autostart:=false", "-p", "input.transport:=raw"]);
    room.await_state("/shuffledet", "unconfigured");
    let peer = &mut room.peer;
    peer.ask(
        json!({"do": "subscribe", "topic": "/shuffledet/transition_event",
        "type": "lifecycle_msgs/msg/TransitionEvent", "timeout": 10}),
    );
    assert_eq!(available(peer), ["configure", "shutdown"]);
    for illegal in ["activate", "deactivate", "cleanup", "nonsense"] {
        assert!(!change(peer, illegal), "{illegal}");
        assert_eq!(state(peer), "unconfigured");
    }
    assert!(change(peer, "configure"));
    assert_eq!(state(peer), "inactive");
    assert_eq!(available(peer), ["activate", "cleanup", "shutdown"]);
    assert!(!change(peer, "configure"));
    for (start, goal) in [("unconfigured", "configuring"), ("configuring", "inactive")] {
        let event = peer.next("/shuffledet/transition_event");
        let labels = ["start_state", "goal_state"].map(|key| event[key]["label"].as_str());
        assert_eq!(labels, [Some(start), Some(goal)]);
    }

    let image = json!({"width": 64, "height": 48});
    let ask = |count, timeout| {
        json!({"do": "play", "topic": "/image_raw", "made": image, "count": count, "stamps": "now",
            "acknowledged_by": "/shuffledet/detections", "timeout": timeout})
    };
    peer.ask(json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image"}));
    for _ in 0..2 {
        assert!(change(peer, "activate"));
        peer.ask(json!({"do": "withdraw", "topic": "/image_raw"}));
        peer.ask(
            json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image",
            "timeout": 20}),
        );
        peer.ask(ask(5, 20));
        assert!(change(peer, "deactivate"));
        assert_eq!(state(peer), "inactive");
        let silent = peer.try_ask(&ask(1, 1));
        assert!(silent.unwrap_err().contains("no detections"));
    }
    // at rest there is no model and nothing to publish on
    assert!(change(peer, "cleanup"));
    assert!(!change(peer, "activate"));
    assert!(change(peer, "configure"));
    assert!(change(peer, "shutdown"));
    assert_eq!(state(peer), "finalized");
    assert_eq!(available(peer), [""; 0]);
    assert!(!change(peer, "configure"));
}

#[test]
fn a_model_that_cannot_be_loaded_leads_through_error_processing_and_back() {
    let test = "a_model_that_cannot_be_loaded_leads_through_error_processing_and_back";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let model = Model::load("road").unwrap();
    let path = room.folder.path().join("own.onnx");
    fs::write(&path, &model.onnx).unwrap();
    let description = "family: nanodet_plus\n\
         input: {width: 416, height: 416, colour: bgr, resize: stretch, mean: [0, 0, 0], std: [255, 255, 255]}\n\
         labels: [a, b, c, d, e, f, g, h, i]\nscore_threshold: 0.3\nnms_iou_threshold: 0.45\n";
    room.file("own.yaml", description);
    let name = format!("model.name:={}", path.display());
    let node = room.start(&["-p", "autostart:=false", "-p", &name]);
    room.await_state("/shuffledet", "unconfigured");
    let peer = &mut room.peer;
    assert!(change(peer, "configure"));
    assert!(change(peer, "cleanup"));
    peer.ask(
        json!({"do": "subscribe", "topic": "/shuffledet/transition_event",
        "type": "lifecycle_msgs/msg/TransitionEvent", "timeout": 10}),
    );
    let refused = |peer: &mut Peer, complaint: &str| {
        assert!(!change(peer, "configure"), "{complaint}");
        assert_eq!(state(peer), "unconfigured");
        let goals = [(); 3].map(|()| {
            let event = peer.next("/shuffledet/transition_event");
            event["goal_state"]["label"].as_str().unwrap().to_owned()
        });
        assert_eq!(goals, ["configuring", "errorprocessing", "unconfigured"]);
        assert!(node.log().contains(complaint), "{}", node.log());
    };
    fs::remove_file(&path).unwrap();
    refused(peer, "own.onnx: No such file");
    fs::write(&path, "not a model").unwrap();
    refused(peer, "own.onnx: ");
    fs::write(&path, &model.onnx).unwrap();
    let other = description.replace("0.45", "0.5");
    fs::write(path.with_extension("yaml"), other).unwrap();
    refused(peer, "call ~/reload");
    // the way back
    fs::write(path.with_extension("yaml"), description).unwrap();
    assert!(change(peer, "configure"));
    assert!(change(peer, "activate"));
    assert!(change(peer, "shutdown"));
    assert_eq!(state(peer), "finalized");
}
