//! Whole recordings: every frame has its results, in every form, and each form says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use shuffledet_msg::{Detection2DArray, HeaderView};
use tempfile::tempdir;

use crate::replay::program::{MODELS, end, replay, summary};
use crate::replay::recordings::{self, COMPRESSED_FRAMES, RAW_FRAMES, images, on};
use shuffledet_testing as support;
use shuffledet_testing::python::python;

const STAGES: [&str; 11] = [
    "read",
    "queue",
    "decode",
    "letterbox",
    "infer",
    "boxes",
    "nms",
    "track",
    "publish",
    "total",
    "latency",
];

fn assert_counts(summary: &Value, frames: u64, model: &str) {
    let counts =
        serde_json::json!({"received": frames, "published": frames, "dropped": {}, "failed": {}});
    assert_eq!(summary["frames"], counts);
    assert!(summary["fps"].as_f64().unwrap() > 0.0);
    for stage in STAGES {
        let quantiles =
            ["min", "p50", "p90", "p99", "max"].map(|q| summary["stages_ms"][stage][q].as_f64());
        assert!(
            quantiles.iter().all(Option::is_some) && quantiles.is_sorted(),
            "{stage}: {quantiles:?}"
        );
    }
    assert_eq!(summary["provider"], "CPUExecutionProvider");
    assert_eq!(summary["model"]["name"], model);
    assert_eq!(summary["model"]["sha256"].as_str().unwrap().len(), 64);
    for program in ["shuffledet", "onnxruntime", "opencv"] {
        assert!(!summary["versions"][program].as_str().unwrap().is_empty());
    }
}

/// Every image in the output, with one message of each kind that has its header and log time.
fn assert_joined(bag: &Path, output: &Path, frames: u64) {
    let images = images(bag);
    let written = recordings::read(output);
    let topic = &images[0].topic;
    assert_eq!(
        (images.len() as u64, written.len()),
        (frames, 6 * images.len())
    );
    assert!(on(&written, topic).into_iter().eq(&images));
    assert_eq!(
        on(&written, &format!("{topic}/annotations")).len(),
        images.len()
    );
    for kind in ["detections", "tracks", "tracks_3d", "latency"] {
        let results = on(&written, &format!("{topic}/{kind}"));
        assert_eq!(results.len(), images.len());
        for (result, image) in results.iter().zip(&images) {
            let header = |data| HeaderView::parse_first(data).unwrap();
            assert_eq!(header(&result.data), header(&image.data));
            assert_eq!(result.log_time_ns, image.log_time_ns);
        }
    }
}

/// A detection as both forms have it: stamp, frame, label, f32 bits of the score, and the box rounded to 1/100 pixel.
type Row = (i64, String, String, u32, [i64; 4]);

fn rows_of_json(detections: &Value, topic: &str) -> Vec<Row> {
    detections
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["topic"], topic);
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            let bbox: [f64; 4] = serde_json::from_value(row["bbox"].clone()).unwrap();
            let score = row["score"].as_f64().unwrap() as f32;
            let stamp = row["stamp_ns"].as_i64().unwrap();
            (
                stamp,
                text("frame_id"),
                text("label"),
                score.to_bits(),
                bbox.map(hundredths),
            )
        })
        .collect()
}

fn rows_of_python(topics: &Value, topic: &str) -> Vec<Row> {
    let messages = topics[format!("{topic}/detections")]["messages"]
        .as_array()
        .unwrap();
    let rows = messages.iter().flat_map(|message| {
        let stamp = message["stamp_ns"].as_i64().unwrap();
        let frame_id = message["frame_id"].as_str().unwrap().to_owned();
        message["detections"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |detection| {
                let number = |key: &str| detection[key].as_f64().unwrap();
                let (w, h) = (number("w"), number("h"));
                let bbox = [number("cx") - w / 2.0, number("cy") - h / 2.0, w, h];
                let label = detection["class_id"].as_str().unwrap().to_owned();
                let score = number("score") as f32;
                (
                    stamp,
                    frame_id.clone(),
                    label,
                    score.to_bits(),
                    bbox.map(hundredths),
                )
            })
    });
    rows.collect()
}

fn hundredths(pixels: f64) -> i64 {
    (pixels * 100.0).round() as i64
}

/// The recording as other people's readers see it, against the JSON.
fn assert_python_agrees(test: &str, output: &Path, detections: &Value, topic: &str, frames: u64) {
    let Some(mut python) = python(test) else {
        return;
    };
    let script = support::repository("tests/reference/read_output.py");
    let read = python.arg(script).arg(output).output().unwrap();
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read["readers"], serde_json::json!(["mcap", "rosbags"]));
    let topics = &read["topics"];
    let latency = &topics[format!("{topic}/latency")];
    assert_eq!(latency["count"], frames);
    let status = &latency["messages"][0]["status"][0];
    assert_eq!(
        (&status["message"], &status["name"]),
        (&"published".into(), &topic.into())
    );
    assert!(
        status["values"]["infer_ms"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            > 0.0
    );
    assert_eq!(topics[format!("{topic}/detections")]["count"], frames);
    assert_annotated(topics, topic, frames);
    let (ours, theirs) = (
        rows_of_json(detections, topic),
        rows_of_python(topics, topic),
    );
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(
            (ours.0, &ours.1, &ours.2, ours.3),
            (theirs.0, &theirs.1, &theirs.2, theirs.3)
        );
        let close = ours
            .4
            .iter()
            .zip(&theirs.4)
            .all(|(a, b)| a.abs_diff(*b) <= 1);
        assert!(close, "{ours:?} {theirs:?}");
    }
}

/// Every detection has its box and its text, as other people's readers see them.
fn assert_annotated(topics: &Value, topic: &str, frames: u64) {
    let annotations = &topics[format!("{topic}/annotations")];
    assert_eq!(annotations["type"], "foxglove_msgs/msg/ImageAnnotations");
    assert_eq!(annotations["count"], frames);
    let messages = |kind: &str| {
        let messages = &topics[format!("{topic}/{kind}")]["messages"];
        messages.as_array().unwrap().iter()
    };
    let mut tracked = 0;
    for (annotated, detected) in messages("annotations").zip(messages("detections")) {
        assert_eq!(annotated["log_time_ns"], detected["log_time_ns"]);
        assert_eq!(annotated["circles"], 0);
        let boxes = annotated["annotations"].as_array().unwrap();
        let detections = detected["detections"].as_array().unwrap();
        assert_eq!(boxes.len(), detections.len());
        for (drawn, detection) in boxes.iter().zip(detections) {
            let stamp = &detected["stamp_ns"];
            assert_eq!(drawn["stamps_ns"], serde_json::json!([stamp, stamp]));
            assert_eq!(drawn["is_loop"], true);
            let number = |key: &str| detection[key].as_f64().unwrap();
            let (w, h) = (number("w"), number("h"));
            let (x, y) = (number("cx") - w / 2.0, number("cy") - h / 2.0);
            let expected = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
            let corners: [[f64; 2]; 4] = serde_json::from_value(drawn["corners"].clone()).unwrap();
            for (corner, expected) in corners.as_flattened().iter().zip(expected.as_flattened()) {
                assert!((corner - expected).abs() < 1e-3, "{drawn} {detection}");
            }
            assert_eq!(drawn["colours"][0], drawn["colours"][1]);
            let text = drawn["text"].as_str().unwrap();
            let caption = format!(
                "{} {:.2}",
                detection["class_id"].as_str().unwrap(),
                number("score")
            );
            assert!(text.starts_with(&caption), "{text}: {caption}");
            let track = text[caption.len()..].strip_prefix(" #");
            assert_eq!(track.unwrap_or_default(), detection["id"]);
            tracked += usize::from(track.is_some());
        }
    }
    assert!(tracked > 0);
}

#[test]
fn annotations_can_be_left_out() {
    let Some(bag) = recordings::dashcam("annotations_can_be_left_out") else {
        return;
    };
    let folder = tempdir().unwrap();
    for (name, options, expected) in [("with", &[][..], 3), ("out", &["--no-annotations"], 0)] {
        let output = folder.path().join(name);
        let mut command = replay(&bag);
        command.args(["--limit", "3"]).args(options);
        summary(command.arg("--output").arg(&output), 0);
        let written = recordings::read(&output);
        assert_eq!(on(&written, "/annotations").len(), expected);
        assert_eq!(on(&written, "/detections").len(), 3);
    }
}

fn every_frame_has_its_results(test: &str, bag: &Path, frames: u64) {
    let topic = &images(bag)[0].topic;
    for model in MODELS {
        let folder = tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (output, detections, report) =
            (path("bag/out.mcap"), path("out.json"), path("out.html"));
        let mut command = replay(bag);
        command
            .args(["--model", model, "--with-images", "--output"])
            .arg(&output);
        command
            .arg("--detections")
            .arg(&detections)
            .arg("--report")
            .arg(&report);
        assert_counts(
            &summary(command.arg("--draw").arg(path("drawn")), 0),
            frames,
            model,
        );
        assert_joined(bag, &path("bag"), frames);
        let drawn: Vec<_> = fs::read_dir(path("drawn")).unwrap().collect();
        assert_eq!(drawn.len() as u64, frames);
        assert!(
            fs::read(drawn[0].as_ref().unwrap().path())
                .unwrap()
                .starts_with(&[0xff, 0xd8])
        );
        let report = fs::read_to_string(report).unwrap();
        assert!(
            report.contains("data:image/jpeg;base64,") && report.trim_end().ends_with("</html>")
        );
        let detections = serde_json::from_slice(&fs::read(detections).unwrap()).unwrap();
        assert_python_agrees(test, &output, &detections, topic, frames);
    }
}

#[test]
fn every_compressed_frame_has_its_results() {
    let test = "every_compressed_frame_has_its_results";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    every_frame_has_its_results(test, &bag, COMPRESSED_FRAMES);
}

#[test]
fn every_raw_frame_of_sqlite_has_its_results() {
    let test = "every_raw_frame_of_sqlite_has_its_results";
    let Some(bag) = recordings::dashcam_raw(test) else {
        return;
    };
    every_frame_has_its_results(test, &bag, RAW_FRAMES);
}

#[test]
fn a_frame_without_objects_has_an_empty_array() {
    let Some(bag) = recordings::dashcam_raw("a_frame_without_objects_has_an_empty_array") else {
        return;
    };
    let folder = tempdir().unwrap();
    let (output, json) = (folder.path().join("out"), folder.path().join("out.json"));
    let mut command = replay(&bag);
    command
        .args(["--set", "detector.classes=[train]", "--output"])
        .arg(&output);
    let summary = summary(command.arg("--detections").arg(&json), 0);
    assert_eq!(summary["detections"], serde_json::json!({}));
    assert_eq!(fs::read_to_string(json).unwrap().trim(), "[]");
    let written = recordings::read(&output);
    let arrays = on(&written, "/detections");
    assert_eq!(arrays.len() as u64, RAW_FRAMES);
    assert!(arrays.iter().all(|m| {
        Detection2DArray::parse(&m.data)
            .unwrap()
            .detections
            .is_empty()
    }));
}

#[test]
fn runs_with_other_numbers_of_workers_give_the_same_bytes() {
    let test = "runs_with_other_numbers_of_workers_give_the_same_bytes";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let mut runs = BTreeSet::new();
    for workers in [1, 2, 5] {
        let name = |end: &str| folder.path().join(format!("{workers}{end}"));
        let mut command = replay(&bag);
        command
            .args(["--set", &format!("runtime.workers={workers}")])
            .args(["--set", "tracking.camera_motion=true", "--output"])
            .arg(name(""));
        let summary = summary(command.arg("--detections").arg(name(".json")), 0);
        assert_eq!(summary["workers"], workers);
        let written = recordings::read(&name(""));
        let detections = on(&written, "/detections").into_iter();
        let detections: Vec<_> = detections
            .map(|m| (m.log_time_ns, m.data.clone()))
            .collect();
        assert_eq!(detections.len() as u64, COMPRESSED_FRAMES);
        let tracks = on(&written, "/tracks").into_iter();
        let tracks: Vec<_> = tracks.map(|m| m.data.clone()).collect();
        assert_eq!(tracks.len() as u64, COMPRESSED_FRAMES);
        runs.insert((detections, tracks, fs::read(name(".json")).unwrap()));
    }
    assert_eq!(runs.len(), 1);
}

#[test]
fn the_mot_file_has_the_detections_that_belong_to_tracks() {
    let test = "the_mot_file_has_the_detections_that_belong_to_tracks";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (mot, json, report) = (path("out.txt"), path("out.json"), path("out.html"));
    let mut command = replay(&bag);
    command.args(["--limit", "60", "--mot"]).arg(&mot);
    command.arg("--report").arg(&report);
    let summary = summary(command.arg("--detections").arg(&json), 0);
    let detections: Vec<Value> = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let rows = detections.iter().filter_map(|row| {
        let number = |value: &Value| f64::from(value.as_f64().unwrap() as f32);
        let side = |index: usize| number(&row["bbox"][index]);
        let (frame, id) = (row["image_id"].as_u64()? + 1, row["track_id"].as_u64()?);
        Some(format!(
            "{frame},{id},{:.2},{:.2},{:.2},{:.2},{:.4},-1,-1,-1",
            side(0),
            side(1),
            side(2),
            side(3),
            number(&row["score"])
        ))
    });
    let rows: Vec<_> = rows.collect();
    let text = fs::read_to_string(mot).unwrap();
    assert!(rows.len() > 60, "{}", rows.len());
    assert_eq!(text.lines().collect::<Vec<_>>(), rows);
    // the lengths are those of the file
    let mut frames = BTreeMap::<&str, u64>::new();
    for row in &rows {
        *frames.entry(row.split(',').nth(1).unwrap()).or_default() += 1;
    }
    let tracks = summary["tracks"].as_object().unwrap().values();
    let all = |key: &str| {
        tracks
            .clone()
            .map(|class| class[key].as_u64().unwrap())
            .collect()
    };
    let (ids, longest): (Vec<u64>, Vec<u64>) = (all("ids"), all("longest_frames"));
    assert_eq!(ids.iter().sum::<u64>(), frames.len() as u64);
    assert_eq!(longest.iter().max(), frames.values().max());
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("id=\"tracks\"") && page.matches(" after 0.0 s").count() > 0);
    let mut refused = replay(&bag);
    refused.args(["--set", "tracking.enabled=false", "--mot"]);
    let ended = end(refused.arg(folder.path().join("none.txt")));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("tracking.enabled"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_table_names_what_was_written_and_quiet_prints_nothing() {
    let test = "the_table_names_what_was_written_and_quiet_prints_nothing";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let output = folder.path().join("out");
    let ended = end(replay(&bag).args(["--limit", "3", "--output"]).arg(&output));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for text in [
        "letterbox",
        "p99",
        "CPUExecutionProvider",
        "out_0.mcap",
        "metadata.yaml",
    ] {
        assert!(
            ended.stdout.contains(text),
            "{text} is not in:\n{}",
            ended.stdout
        );
    }
    let ended = end(replay(&bag).args(["--limit", "3", "--quiet"]));
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", "")
    );
}
