//! A node that cannot run says why, once, and ends before it opens a topic.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::program::{NODE, Room, text};

/// Starts a node that must not run. Gives its error.
#[track_caller]
fn refusal(room: &mut Room, arguments: &[&str]) -> String {
    let mut node = room.start(arguments);
    let mut left = 200;
    let status = loop {
        let topics = room.peer.ask(json!({"do": "topics"}));
        let opened = topics
            .as_object()
            .unwrap()
            .keys()
            .find(|name| name.starts_with("/shuffledet/") || name.contains("image"));
        assert_eq!(opened, None, "{arguments:?}");
        if let Some((status, _)) = node.end(Duration::from_millis(50)) {
            break status;
        }
        left -= 1;
        assert!(left > 0, "{arguments:?}: it runs");
    };
    assert_eq!(status.code(), Some(1), "{arguments:?}");
    let log = node.log();
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{log}");
    // an error may go on in further lines
    let (_, error) = log.split_once("error: ").unwrap();
    error.to_owned()
}

#[test]
fn a_node_that_cannot_run_says_why_and_opens_nothing() {
    let test = "a_node_that_cannot_run_says_why_and_opens_nothing";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let file = |room: &Room, name: &str, parameters: &str| {
        room.file(name, &format!("/**:\n  ros__parameters:\n{parameters}\n"))
    };
    let unknown = file(&room, "unknown.yaml", "    detector: {score_treshold: 0.5}");
    let wrong = file(&room, "wrong.yaml", "    detector: {score_threshold: 1.5}");
    let broken = room.file("broken.yaml", "/**: {ros__parameters: [");
    let folder = room.folder.path().to_owned();
    for (arguments, says) in [
        (
            vec!["--params-file", text(&unknown)],
            vec!["unknown.yaml", "score_treshold"],
        ),
        (
            vec!["--params-file", text(&wrong)],
            vec!["wrong.yaml", "score_threshold", "1.5"],
        ),
        (vec!["--params-file", text(&broken)], vec!["broken.yaml"]),
        (
            vec!["--params-file", "/nowhere/at_all.yaml"],
            vec!["/nowhere/at_all.yaml"],
        ),
        // there, and not to be read
        (
            vec!["--params-file", text(&folder)],
            vec![text(&folder), "directory"],
        ),
        (
            vec!["--log-levl", "debug"],
            vec!["ROS arguments", "--log-levl debug"],
        ),
        (
            vec!["-p", "autostart:=true", "--", "--params-file", "a.yaml"],
            vec!["--params-file", "--help"],
        ),
        (
            vec!["-p", "model.name"],
            vec!["ROS arguments", "model.name"],
        ),
        (
            vec!["--log-level", "shuffledet:=loud"],
            vec!["ROS arguments", "shuffledet:=loud"],
        ),
        (
            vec!["-p", "detector.class_id:=number"],
            vec!["class_id", "number"],
        ),
        (
            vec!["-p", "input.reliability:=sure"],
            vec!["reliability", "sure"],
        ),
        (vec!["-p", "detector.nms:=0.5"], vec!["nms"]),
        (
            vec!["-p", "runtime.workers:=many"],
            vec!["runtime.workers", "many"],
        ),
        (
            vec!["-p", "model.name:=yolo"],
            vec!["yolo", "fastestdet_352"],
        ),
        (
            vec!["-p", "model.name:=/nowhere/own.onnx"],
            vec!["/nowhere/own.onnx"],
        ),
        (
            vec!["-p", "camera.left.priority:=2.0"],
            vec!["camera.left", "cameras"],
        ),
        (vec!["-p", "cameras:=[front left]"], vec!["front left"]),
        (
            vec!["-p", "tracking.class_delete_s.unicorn:=2.0"],
            vec![
                "tracking.class_delete_s",
                "no class \"unicorn\"; it has: person",
            ],
        ),
        (
            vec!["-p", "ranging.camera_info_url:=/nowhere/front.yaml"],
            vec!["ranging.camera_info_url", "/nowhere/front.yaml"],
        ),
        (
            vec![
                "-p",
                "qos_overrides./image_raw.subscription.reliability:=sure",
            ],
            vec!["reliability", "sure"],
        ),
    ] {
        let error = refusal(&mut room, &arguments);
        for part in says {
            assert!(
                error.contains(part),
                "{arguments:?}: no {part:?} in {error}"
            );
        }
    }
}

#[test]
fn help_and_version_were_ignored() {
    for (argument, says) in [
        ("--help", "--params-file FILE.yaml"),
        ("-h", "--ros-args"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = Command::new(NODE).arg(argument).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(text.contains(says), "{argument}: {text}");
        assert!(text.lines().count() < 30 && output.stderr.is_empty());
    }
}

#[test]
fn a_node_without_its_model_says_how_to_get_it_and_opens_nothing() {
    let test = "a_node_without_its_model_says_how_to_get_it_and_opens_nothing";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let folder = room.folder.path().join("models");
    room.environment
        .push(("SHUFFLEDET_MODEL_DIR", folder.clone()));
    let error = refusal(&mut room, &["-p", "model.name:=nanodet_m_416"]);
    for part in [text(&folder), "shuffledet models fetch nanodet_m_416"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn what_rcl_refused_was_a_code_alone() {
    let test = "what_rcl_refused_was_a_code_alone";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    // no folder can be made below a file
    let file = room.file("file", "");
    room.environment.push(("ROS_LOG_DIR", file.join("log")));
    let error = refusal(&mut room, &[]);
    assert!(
        error.contains(text(&file)) || error.contains("log"),
        "{error}"
    );
    assert!(error.trim() != "RCL_RET_ERROR", "{error}");
    room.environment.pop();
    for (arguments, says) in [
        (["-r", "__node:=a.b"], "a.b"),
        (["-r", "__ns:=/1a"], "1a"),
        (["-r", "~/detections:=/a//b"], "/a//b"),
    ] {
        let mut node = room.start(&arguments);
        let ended = node.end(std::time::Duration::from_secs(20));
        let (status, _) = ended.unwrap_or_else(|| panic!("{arguments:?}: it runs"));
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        let log = node.log();
        let errors = log.lines().find(|line| line.starts_with("error: "));
        let error = errors.unwrap_or_else(|| panic!("{log}"));
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}
