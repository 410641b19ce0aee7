//! Which frames are read.

use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::replay::program::{end, refusal, replay, summary};
use crate::replay::recordings::{self, COMPRESSED, Message, images, on};
use shuffledet_testing as support;

fn received(summary: &Value) -> u64 {
    summary["frames"]["received"].as_u64().unwrap()
}

#[test]
fn limit_start_and_end_choose_the_frames() {
    let Some(bag) = recordings::dashcam("limit_start_and_end_choose_the_frames") else {
        return;
    };
    let images = images(&bag);
    let zero = recordings::read(&bag)[0].log_time_ns;
    let folder = tempdir().unwrap();
    let cases: [(&[&str], _); 5] = [
        (&["--limit", "5"], images.iter().take(5).collect::<Vec<_>>()),
        (&["--limit", "0"], Vec::new()),
        (
            &["--start", "7.5"],
            images
                .iter()
                .filter(|m| m.log_time_ns >= zero + 7_500_000_000)
                .collect(),
        ),
        (
            &["--end", "0.5"],
            images
                .iter()
                .filter(|m| m.log_time_ns < zero + 500_000_000)
                .collect(),
        ),
        (
            &["--start", "2", "--end", "4", "--limit", "1000"],
            images
                .iter()
                .filter(|m| (2_000_000_000..4_000_000_000).contains(&(m.log_time_ns - zero)))
                .collect(),
        ),
    ];
    for (number, (arguments, expected)) in cases.iter().enumerate() {
        let output = folder.path().join(number.to_string());
        let summary = summary(
            replay(&bag).args(*arguments).arg("--output").arg(&output),
            0,
        );
        assert_eq!(received(&summary), expected.len() as u64, "{arguments:?}");
        let written = recordings::read(&output);
        let times =
            |messages: &[&Message]| messages.iter().map(|m| m.log_time_ns).collect::<Vec<_>>();
        assert_eq!(
            times(&on(&written, "/detections")),
            times(expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_frames_are_those_of_the_topics_asked_for() {
    let test = "the_frames_are_those_of_the_topics_asked_for";
    let Some(bag) = support::asset(test, "bags/encodings_mcap") else {
        return;
    };
    assert_eq!(received(&summary(&mut replay(&bag), 0)), 11);
    let two = summary(
        replay(&bag).args(["--topic", "/enc/rgb8", "--topic", "/enc/compressed_png"]),
        0,
    );
    assert_eq!(
        (received(&two), &two["topics"]),
        (2, &json!(["/enc/rgb8", "/enc/compressed_png"]))
    );
}

#[test]
fn an_unknown_topic_is_refused_with_a_list_of_those_there_are() {
    let test = "an_unknown_topic_is_refused_with_a_list_of_those_there_are";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let message = refusal(replay(&bag).args(["--topic", "/camera/rear"]));
    assert!(
        message.contains("/camera/rear") && message.contains(COMPRESSED),
        "{message}"
    );
}

#[test]
fn a_recording_without_images_is_refused_with_what_it_has() {
    let test = "a_recording_without_images_is_refused_with_what_it_has";
    let Some(dashcam) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let mut messages = recordings::read(&dashcam);
    messages.retain(|message| message.topic.ends_with("camera_info"));
    let message = refusal(&mut replay(&recordings::write(folder.path(), &messages)));
    assert!(message.contains("no image topics"), "{message}");
    assert!(
        message.contains("/camera_info (sensor_msgs/msg/CameraInfo)"),
        "{message}"
    );
}

#[test]
fn each_of_two_cameras_has_the_results_that_it_has_alone() {
    let test = "each_of_two_cameras_has_the_results_that_it_has_alone";
    let (Some(left), Some(right)) = (recordings::dashcam(test), recordings::dashcam_raw(test))
    else {
        return;
    };
    let renamed = |message: Message, topic: &str| Message {
        topic: topic.to_owned(),
        ..message
    };
    let left = images(&left)
        .into_iter()
        .take(30)
        .map(|m| renamed(m, "/left/compressed"));
    let right = images(&right)
        .into_iter()
        .take(30)
        .map(|m| renamed(m, "/right/raw"));
    let messages: Vec<_> = left
        .zip(right)
        .flat_map(|(left, right)| [left, right])
        .collect();
    let folder = tempdir().unwrap();
    let bag = recordings::write(folder.path(), &messages);
    let run = |name: &str, topics: &[&str]| {
        let output = folder.path().join(name);
        let mut command = replay(&bag);
        // cameras share no track
        command.args(["--set", "tracking.enabled=false"]);
        for topic in topics {
            command.args(["--topic", topic]);
        }
        let json = folder.path().join(format!("{name}.json"));
        command.arg("--detections").arg(&json);
        summary(command.arg("--output").arg(&output), 0);
        let rows: Vec<Value> = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        (recordings::read(&output), rows)
    };
    let (both, rows) = run("both", &[]);
    for (topic, name) in [("/left/compressed", "left"), ("/right/raw", "right")] {
        let (alone, rows_alone) = run(name, &[topic]);
        let end = format!("{topic}/detections");
        assert_eq!(on(&both, &end).len(), 30);
        assert_eq!(on(&both, &end), on(&alone, &end));
        let rows = rows
            .iter()
            .filter(|row| row["topic"] == topic)
            .map(|row| &row["bbox"]);
        assert!(rows.eq(rows_alone.iter().map(|row| &row["bbox"])));
    }
    let ended = end(&mut replay(&bag));
    assert!(ended.stdout.contains("/left/compressed") && ended.stdout.contains("/right/raw"));
}
