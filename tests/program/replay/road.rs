//! The class set `road`: what a recording says of a street.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use shuffledet_testing as support;
use shuffledet_testing::python::python;
use tempfile::tempdir;

use crate::replay::program::{replay, summary};
use crate::replay::recordings::{COMPRESSED, dashcam};

const ROAD: [&str; 9] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "train",
    "truck",
    "traffic light",
    "stop sign",
];
const GROUPS: [&[&str]; 2] = [&["car", "bus", "truck"], &["bicycle", "motorcycle"]];

/// The detections of a replay of 60 frames at a low threshold, by frame, as Python reads them, and
/// the rows of the COCO results.
fn detections(test: &str, bag: &Path, settings: &[&str]) -> Option<(Vec<Vec<Value>>, Vec<Value>)> {
    let folder = tempdir().unwrap();
    let output = folder.path().join("out/out.mcap");
    let results = folder.path().join("out.json");
    let mut python = python(test)?;
    let mut command = replay(bag);
    command
        .args(["--limit", "60", "--model", "nanodet_m_416", "--output"])
        .arg(&output)
        .arg("--detections")
        .arg(&results);
    for setting in ["detector.score_threshold=0.1"].iter().chain(settings) {
        command.args(["--set", setting]);
    }
    summary(&mut command, 0);
    let script = support::repository("tests/reference/read_output.py");
    let read = python.arg(script).arg(output).output().unwrap();
    let error = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{error}");
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    let read = &read["topics"][format!("{COMPRESSED}/detections")]["messages"];
    let frames = read.as_array().unwrap().iter();
    let frames = frames.map(|frame| frame["detections"].as_array().unwrap().clone());
    let results = serde_json::from_str(&fs::read_to_string(results).unwrap()).unwrap();
    Some((frames.collect(), results))
}

fn label(detection: &Value) -> &str {
    detection["class_id"].as_str().unwrap()
}

fn iou(a: &Value, b: &Value) -> f64 {
    let number = |detection: &Value, key: &str| detection[key].as_f64().unwrap();
    let side = |centre: &str, length: &str| {
        let [(a1, a2), (b1, b2)] = [a, b].map(|d| {
            let (centre, half) = (number(d, centre), number(d, length) / 2.0);
            (centre - half, centre + half)
        });
        (a2.min(b2) - a1.max(b1)).max(0.0)
    };
    let both = side("cx", "w") * side("cy", "h");
    let area = |d: &Value| number(d, "w") * number(d, "h");
    both / (area(a) + area(b) - both)
}

/// Pairs of overlapping boxes of two classes of a group.
fn doubled(frames: &[Vec<Value>]) -> usize {
    let of_group = |a: &Value, b: &Value| {
        let (a, b) = (label(a), label(b));
        a != b && GROUPS.iter().any(|g| g.contains(&a) && g.contains(&b))
    };
    let pairs = frames.iter().flat_map(|frame| {
        let later = move |at: usize| frame[at + 1..].iter().map(move |b| (&frame[at], b));
        (0..frame.len()).flat_map(later)
    });
    // boxes are clipped after suppression, so the limit of 0.6 holds only nearly
    pairs
        .filter(|(a, b)| of_group(a, b) && iou(a, b) > 0.65)
        .count()
}

#[test]
fn one_vehicle_is_one_detection_with_its_classes_best_first() {
    let test = "one_vehicle_is_one_detection_with_its_classes_best_first";
    let Some(bag) = dashcam(test) else { return };
    let Some((apart, _)) = detections(
        test,
        &bag,
        &["detector.classes=road", "detector.nms_across=[]"],
    ) else {
        return;
    };
    let Some((road, results)) = detections(test, &bag, &["detector.classes=road"]) else {
        return;
    };
    assert!(doubled(&apart) > 10, "{}", doubled(&apart));
    assert_eq!(doubled(&road), 0);
    let further = |d: &Value| d["further"].as_array().unwrap().clone();
    assert!(apart.iter().flatten().all(|d| further(d).is_empty()));

    let mut several = 0;
    for detection in road.iter().flatten() {
        let mut classes = BTreeSet::from([label(detection).to_owned()]);
        let mut score = detection["score"].as_f64().unwrap();
        for hypothesis in further(detection) {
            let class = hypothesis[0].as_str().unwrap();
            assert!(classes.insert(class.to_owned()), "{detection}");
            assert!(hypothesis[1].as_f64().unwrap() <= score, "{detection}");
            score = hypothesis[1].as_f64().unwrap();
        }
        let known = classes.iter().all(|class| ROAD.contains(&class.as_str()));
        assert!(known && score > 0.1, "{detection}");
        let of_group = |g: &&[&str]| classes.iter().all(|class| g.contains(&class.as_str()));
        assert!(
            classes.len() == 1 || GROUPS.iter().any(of_group),
            "{detection}"
        );
        several += usize::from(classes.len() > 1);
    }
    assert!(several > 10, "{several} detections with several classes");
    // COCO results have the best class only
    assert_eq!(results.len(), road.iter().flatten().count());
    let same = |(row, d): (&Value, &Value)| row["label"] == d["class_id"];
    assert!(results.iter().zip(road.iter().flatten()).all(same));
}
