//! Recordings: annotated by a file, by topic and stamp, and by a topic of their own.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::eval::program::{ends, read, refusal, shuffledet};
use shuffledet_testing as support;

const TOPIC: &str = "/camera/front/image_raw/compressed";

/// The score above which both the ground truth of these tests and the evaluation take detections.
const SCORE: &str = "detector.score_threshold=0.4";

/// Whatever was found is what is annotated: every figure is 1, or -1 where there is nothing.
fn is_perfect(evaluation: &Value) {
    for key in ["AP", "AP50", "AP75", "AR100"] {
        assert_eq!(evaluation[key], 1.0, "{key}");
    }
}

/// COCO annotations of what replay found.
fn annotate(detections: &Path, annotations: &Path) {
    let rows = read(detections);
    let rows = rows.as_array().unwrap();
    let mut images: Vec<Value> = Vec::new();
    let mut categories: Vec<Value> = Vec::new();
    let mut objects: Vec<Value> = Vec::new();
    for (id, row) in (1..).zip(rows) {
        let image =
            json!({"id": row["image_id"], "topic": row["topic"], "stamp_ns": row["stamp_ns"]});
        if images.last() != Some(&image) {
            images.push(image);
        }
        let category = json!({"id": row["category_id"], "name": row["label"]});
        if !categories.contains(&category) {
            categories.push(category);
        }
        let (bbox, category) = (&row["bbox"], &row["category_id"]);
        objects.push(
            json!({"id": id, "image_id": row["image_id"], "category_id": category, "bbox": bbox}),
        );
    }
    images.push(json!({"id": 9999, "topic": TOPIC, "stamp_ns": 5}));
    let file = json!({"images": images, "categories": categories, "annotations": objects});
    fs::write(annotations, file.to_string()).unwrap();
}

#[test]
fn annotations_name_messages_by_topic_and_stamp() {
    let test = "annotations_name_messages_by_topic_and_stamp";
    let Some(bag) = support::asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut replay = shuffledet("replay");
    replay
        .arg(&bag)
        .args(["--limit", "30", "--set", SCORE, "--quiet"]);
    ends(replay.arg("--detections").arg(path("d.json")), 0);
    annotate(&path("d.json"), &path("a.json"));

    let mut eval = shuffledet("eval");
    eval.arg("--clipped");
    eval.arg(&bag).args(["--set", SCORE, "--quiet"]);
    eval.arg("--annotations").arg(path("a.json"));
    eval.arg("--output")
        .arg(path("e.json"))
        .arg("--report")
        .arg(path("e.html"));
    // the message that is not there has failed
    ends(&mut eval, 2);
    let evaluation = read(&path("e.json"));
    is_perfect(&evaluation);
    assert_eq!(evaluation["frames"]["failed"], json!({"image_missing": 1}));
    let images = evaluation["images"].as_array().unwrap();
    assert_eq!(images[0]["topic"], TOPIC);
    assert_eq!(
        (&images[0]["width"], &images[0]["height"]),
        (&json!(960), &json!(540))
    );

    let files = shuffledet("eval")
        .arg("--images")
        .arg(&bag)
        .arg("--annotations")
        .arg(path("a.json"))
        .output();
    let error = String::from_utf8(files.unwrap().stderr).unwrap();
    assert!(
        error.contains("refers to a message of a recording; give the recording"),
        "{error}"
    );
}

#[test]
fn ground_truth_may_be_a_topic_of_the_recording() {
    let test = "ground_truth_may_be_a_topic_of_the_recording";
    let Some(bag) = support::asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut replay = shuffledet("replay");
    replay
        .arg(&bag)
        .args(["--limit", "30", "--set", SCORE, "--quiet", "--with-images"]);
    ends(replay.arg("--output").arg(path("truth.mcap")), 0);

    let mut eval = shuffledet("eval");
    eval.arg("--clipped");
    eval.arg(path("truth.mcap"))
        .args(["--set", SCORE, "--quiet"]);
    eval.args(["--truth-topic", &format!("{TOPIC}/detections")]);
    ends(
        eval.arg("--output")
            .arg(path("e.json"))
            .arg("--report")
            .arg(path("e.html")),
        0,
    );
    let evaluation = read(&path("e.json"));
    is_perfect(&evaluation);
    assert_eq!(evaluation["dataset"]["format"], "bag");
    assert_eq!(evaluation["frames"]["published"], 30);

    let mut eval = shuffledet("eval");
    eval.arg("--clipped");
    eval.arg(path("truth.mcap")).args(["--truth-topic", TOPIC]);
    let error = refusal(&mut eval);
    assert!(
        error.contains("expected vision_msgs/msg/Detection2DArray"),
        "{error}"
    );
}
