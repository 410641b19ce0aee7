//! Recordings as the field has them, each named by what broke.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use shuffledet_bag::{Qos, RecordingWriter, TopicSpec};
use shuffledet_msg::definition::IMAGE;
use shuffledet_msg::{CompressedImageView, HeaderView, Stamp};
use tempfile::tempdir;

use crate::replay::program::{Ended, end, refusal, replay};
use crate::replay::recordings::{self, Message};
use shuffledet_testing::asset;

fn report(name: &str, file: &str) -> Option<PathBuf> {
    asset(name, &format!("reports/{name}/{file}"))
}

fn warnings(summary: &Value) -> String {
    summary["warnings"].to_string()
}

/// A run that had nothing to work on: exit code 2, one error that says why, and no output.
fn nothing_done(command: &mut Command, output: &Path) -> Ended {
    let ended = end(command.arg("--output").arg(output).args(["--json"]));
    assert_eq!(ended.summary(2)["frames"]["received"], 0);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("no frame was read"), "{ended:?}");
    assert!(!output.exists());
    ended
}

#[test]
fn bag_v4_compressed_paths() {
    let Some(bag) = report("bag_v4_compressed_paths", "drive") else {
        return;
    };
    let summary = end(replay(&bag).arg("--json")).summary(0);
    assert_eq!(summary["frames"]["published"], 2);
    // a bag folder that was copied under another name
    let folder = tempdir().unwrap();
    let renamed = folder.path().join("other name");
    fs::create_dir(&renamed).unwrap();
    for file in ["metadata.yaml", "drive_0.mcap.zstd"] {
        fs::copy(bag.join(file), renamed.join(file)).unwrap();
    }
    let summary = end(replay(&renamed).arg("--json")).summary(0);
    assert_eq!(summary["frames"]["published"], 2);
    // packed with zstd, whatever the name says
    let lone = folder.path().join("drive.backup");
    fs::copy(bag.join("drive_0.mcap.zstd"), &lone).unwrap();
    let summary = end(replay(&lone).arg("--json")).summary(0);
    assert_eq!(summary["frames"]["published"], 2);
}

#[test]
fn two_types_one_topic() {
    let Some(bag) = report("two_types_one_topic", "two_types.mcap") else {
        return;
    };
    let folder = tempdir().unwrap();
    let output = folder.path().join("out.mcap");
    let mut command = replay(&bag);
    command.args(["--json", "--with-images", "--output"]);
    let summary = end(command.arg(&output)).summary(0);
    assert_eq!(summary["frames"]["published"], 3);
    assert_eq!(
        summary["topics"],
        json!(["/camera/front/image_raw/compressed"])
    );
    let told = warnings(&summary);
    for part in [
        "/camera/front/image_raw/compressed: has messages of the types",
        "sensor_msgs/msg/CompressedImage (cdr), sensor_msgs/msg/Image (cdr)",
    ] {
        assert!(told.contains(part), "{told}");
    }
    // the copied images are of both types, too
    let again = end(replay(&output).arg("--json")).summary(0);
    assert_eq!(again["frames"]["published"], 3);
    assert_eq!(again["detections"], summary["detections"]);
}

#[test]
fn depth_png_as_picture() {
    let Some(bag) = report("depth_png_as_picture", "depth.mcap") else {
        return;
    };
    let folder = tempdir().unwrap();
    let ended = nothing_done(&mut replay(&bag), &folder.path().join("out.mcap"));
    let summary = ended.summary(2);
    let told = summary["warnings"].as_array().unwrap();
    let topic = "/camera/depth/image_rect_raw";
    for (topic, encoding) in [
        (topic.to_owned(), "16UC1"),
        (format!("{topic}/compressed"), "16UC1"),
        (format!("{topic}/compressedDepth"), "16UC1"),
    ] {
        let lines = told.iter().filter_map(Value::as_str);
        let of_topic: Vec<&str> = lines
            .filter(|line| line.starts_with(&format!("{topic}: ")))
            .collect();
        assert_eq!(of_topic.len(), 1, "{told:?}");
        assert!(of_topic[0].contains(encoding) && of_topic[0].contains("--topic"));
        // who asks for it is told of each frame, in both transports alike
        let asked = end(replay(&bag).args(["--json", "--topic", &topic])).summary(2);
        assert_eq!(asked["frames"]["failed"], json!({"unknown_encoding": 1}));
        let reason = asked["failures"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("\"16UC1\""), "{reason}");
    }
}

#[test]
fn sqlite_cut_exit0() {
    let Some(bag) = report("sqlite_cut_exit0", "cut.db3") else {
        return;
    };
    let folder = tempdir().unwrap();
    // what was there before is not replaced by nothing
    let output = folder.path().join("o.mcap");
    fs::write(&output, "an earlier one").unwrap();
    let ended = end(replay(&bag)
        .args(["--force", "--json", "--output"])
        .arg(&output));
    assert_eq!(ended.summary(2)["frames"]["received"], 0);
    assert!(ended.stderr.contains("no frame was read"), "{ended:?}");
    assert!(ended.stderr.contains(".recover"), "{ended:?}");
    assert_eq!(fs::read(&output).unwrap(), b"an earlier one");

    let shuffledet = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
        let ended = end(command.args(arguments));
        let (code, stderr) = (ended.code, ended.stderr);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains("cut.db3"), "{arguments:?}: {stderr}");
    };
    let bag = bag.to_str().unwrap();
    let labels = folder.path().join("labels");
    let annotations = folder.path().join("a.json");
    let images = json!([{"id": 1, "topic": "/camera/front/image_raw/compressed", "stamp_ns": 5}]);
    let boxes = json!([{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9]}]);
    let truth =
        json!({"images": images, "categories": [{"id": 3, "name": "car"}], "annotations": boxes});
    fs::write(&annotations, truth.to_string()).unwrap();
    let annotations = annotations.to_str().unwrap();
    let evaluation = folder.path().join("e.json");
    let best = folder.path().join("best.yaml");
    shuffledet(&["bench", bag]);
    shuffledet(&["label", "export", bag, "--output", labels.to_str().unwrap()]);
    shuffledet(&[
        "label",
        "import",
        annotations,
        "--recording",
        bag,
        "--output",
        evaluation.to_str().unwrap(),
    ]);
    shuffledet(&[
        "eval",
        bag,
        "--annotations",
        annotations,
        "--output",
        evaluation.to_str().unwrap(),
    ]);
    shuffledet(&[
        "sweep",
        bag,
        "--annotations",
        annotations,
        "--set",
        "detector.score_threshold=0.3,0.4",
        "--best",
        best.to_str().unwrap(),
    ]);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "o.mcap" && name != "a.json")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_holds_no_frame_says_so_and_limit_0_does_not() {
    let folder = tempdir().unwrap();
    let message = recordings::raw(1_700_000_000_000_000_000, "bgr8", 192);
    let bag = recordings::write(folder.path(), &[message]);
    let output = folder.path().join("out.mcap");
    let empty = folder.path().join("empty");
    let mut writer = RecordingWriter::create(&empty, false).unwrap();
    let topic = TopicSpec {
        name: "/cam/silent",
        type_name: IMAGE.name,
        definition: &IMAGE.schema(),
        qos: Qos {
            depth: 1,
            reliable: true,
            transient_local: false,
        },
    };
    writer.add_topic(&topic).unwrap();
    writer.finish().unwrap();
    let ended = nothing_done(&mut replay(&empty), &output);
    assert!(
        ended.stderr.contains("no messages on /cam/silent"),
        "{ended:?}"
    );
    for (arguments, why) in [
        (&["--start", "7"][..], "--start 7 s is past the end"),
        (&["--start", "2", "--end", "1"], "--end 1 s is not after"),
    ] {
        let ended = nothing_done(replay(&bag).args(arguments), &output);
        assert!(ended.stderr.contains(why), "{ended:?}");
    }
    let wished = end(replay(&bag)
        .args(["--limit", "0", "--json", "--output"])
        .arg(&output));
    assert_eq!(wished.summary(0)["frames"]["received"], 0);
    assert!(output.exists());
}

#[test]
fn a_ros1_recording_is_named_with_what_converts_it() {
    let folder = tempdir().unwrap();
    for name in ["drive one.bag", "drive.mcap"] {
        let bag = folder.path().join(name);
        fs::write(&bag, "#ROSBAG V2.0\n and so on").unwrap();
        let told = refusal(&mut replay(&bag));
        assert!(told.contains("ROS 1"), "{told}");
        assert!(told.contains("rosbags-convert --src "), "{told}");
        fs::remove_file(bag).unwrap();
    }
}

/// Frames of a depth camera beside those of a colour camera, `first` to begin with.
fn rgbd(first: usize) -> Vec<Message> {
    let at = |number: u64| 1_700_000_000_000_000_000 + number * 40_000_000;
    let mut messages = Vec::new();
    for number in 0..3 {
        let mut depth = recordings::raw(at(number), "16UC1", 192);
        depth.topic = "/depth/image_raw".into();
        let mut data = Vec::new();
        let header = HeaderView {
            stamp: Stamp::from_ns(at(number) as i64).unwrap(),
            frame_id: "depth",
        };
        let image = CompressedImageView {
            header,
            format: "16UC1; png compressed ",
            data: b"\x89PNG\r\n\x1a\n",
        };
        image.write(&mut data).unwrap();
        let topic = "/depth/image_raw/compressed".into();
        let log_time_ns = at(number);
        let compressed = Message {
            topic,
            log_time_ns,
            data,
        };
        messages.extend([recordings::raw(at(number), "bgr8", 192), depth, compressed]);
    }
    messages.rotate_left(first);
    for (number, message) in messages.iter_mut().enumerate() {
        message.log_time_ns = at(number as u64);
    }
    messages
}

#[test]
fn depth_beside_pictures_is_left_out_and_costs_nothing() {
    for first in 0..3 {
        let folder = tempdir().unwrap();
        let bag = recordings::write(folder.path(), &rgbd(first));
        let output = folder.path().join("out.mcap");
        let ended = end(replay(&bag).args(["--json", "--output"]).arg(&output));
        let summary = ended.summary(0);
        assert_eq!(summary["frames"]["received"], 3);
        assert_eq!(summary["topics"], json!(["/cam/raw"]));
        let told = summary["warnings"].as_array().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        let written = recordings::read(&output);
        assert!(
            written
                .iter()
                .all(|message| message.topic.starts_with("/cam/raw/"))
        );
        let mut all = replay(&bag);
        for topic in [
            "/cam/raw",
            "/depth/image_raw",
            "/depth/image_raw/compressed",
        ] {
            all.args(["--topic", topic]);
        }
        let summary = end(all.arg("--json")).summary(2);
        assert_eq!(summary["frames"]["published"], 3);
        assert_eq!(summary["frames"]["failed"], json!({"unknown_encoding": 6}));
    }
}
