//! `shuffledet track`: files of detections to files of tracks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const START: i64 = 1_700_000_000_000_000_000;
const TENTH: i64 = 100_000_000;

/// Runs `shuffledet track detections.json --output tracks.json` in the folder, with more arguments.
fn track(folder: &Path, detections: &Value, arguments: &[&str]) -> Output {
    fs::write(folder.join("detections.json"), detections.to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .current_dir(folder)
        .args([
            "track",
            "detections.json",
            "--output",
            "tracks.json",
            "--force",
        ])
        .args(arguments)
        .output()
        .unwrap()
}

fn tracks(folder: &Path, detections: &Value, arguments: &[&str]) -> Vec<Value> {
    let output = track(folder, detections, arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(folder.join("tracks.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn found(image_id: i64, stamp_ns: i64, topic: &str, label: &str, x: f64) -> Value {
    json!({
        "image_id": image_id, "category_id": if label == "car" { 3 } else { 8 }, "bbox": [x, 100.0, 60.0, 40.0],
        "score": 0.75, "label": label, "topic": topic, "stamp_ns": stamp_ns, "frame_id": "camera",
    })
}

/// A car that drives to the right for `frames` frames, seen by one camera.
fn drive(frames: i64) -> Vec<Value> {
    let seen = |frame| {
        found(
            frame,
            START + frame * TENTH,
            "/front",
            "car",
            10.0 * frame as f64,
        )
    };
    (0..frames).map(seen).collect()
}

fn ids(rows: &[Value]) -> BTreeSet<u64> {
    rows.iter()
        .map(|row| row["track_id"].as_u64().unwrap())
        .collect()
}

#[test]
fn entries_come_out_once_more_with_their_track() {
    let folder = tempfile::tempdir().unwrap();
    let detections = drive(20);
    let rows = tracks(folder.path(), &json!(detections), &["--mot", "tracks.txt"]);
    assert_eq!(rows.len(), 20);
    for (row, entry) in rows.iter().zip(&detections) {
        let keys = entry.as_object().unwrap();
        assert!(
            keys.iter().all(|(key, value)| row[key] == *value),
            "{row} {entry}"
        );
        assert_eq!(
            (&row["track_id"], &row["state"]),
            (&json!(1), &json!("confirmed"))
        );
    }
    assert_eq!(
        (&rows[0]["age_s"], &rows[19]["age_s"]),
        (&json!(0.0), &json!(1.9))
    );
    let mot = fs::read_to_string(folder.path().join("tracks.txt")).unwrap();
    assert_eq!(mot.lines().count(), 20);
    assert_eq!(
        mot.lines().nth(1),
        Some("2,1,10.00,100.00,60.00,40.00,0.7500,-1,-1,-1")
    );
}

#[test]
fn a_track_that_comes_nearer_tells_when() {
    let folder = tempfile::tempdir().unwrap();
    // at a constant speed, reached 3 s after the first frame
    let seen = |frame: i64| {
        let side = 120.0 / (3.0 - 0.1 * frame as f64);
        let mut entry = found(frame, START + frame * TENTH, "/front", "car", 0.0);
        entry["bbox"] = json!([300.0 - side, 200.0 - side / 2.0, 2.0 * side, side]);
        entry
    };
    let detections: Vec<_> = (0..20).map(seen).collect();
    let rows = tracks(folder.path(), &json!(detections), &[]);
    assert!(rows[0].get("time_to_collision_s").is_none());
    let last = rows[19]["time_to_collision_s"].as_f64().unwrap();
    assert!((last - 1.1).abs() < 0.1, "{last}");
    let rows = tracks(folder.path(), &json!(drive(20)), &[]);
    let none = |row: &Value| row.get("time_to_collision_s").is_none();
    assert!(rows.iter().all(none));
}

#[test]
fn frames_without_detections_make_tracks_coast() {
    let folder = tempfile::tempdir().unwrap();
    let mut detections = drive(20);
    detections.drain(12..15);
    let frames: Vec<_> = (0..20)
        .map(|frame| json!({"topic": "/front", "stamp_ns": START + frame * TENTH}))
        .collect();
    fs::write(folder.path().join("frames.json"), json!(frames).to_string()).unwrap();
    let arguments = ["--frames", "frames.json", "--coasting"];
    let rows = tracks(folder.path(), &json!(detections), &arguments);
    let coasting: Vec<_> = rows
        .iter()
        .filter(|row| row["state"] == "coasting")
        .collect();
    assert_eq!((rows.len(), coasting.len()), (20, 3));
    assert_eq!(ids(&rows).len(), 1);
    for (row, frame) in coasting.iter().zip(12..) {
        let x = row["bbox"][0].as_f64().unwrap();
        assert!((x - 10.0 * f64::from(frame)).abs() < 12.0, "{row}");
        assert_eq!(
            (&row["score"], &row["label"], &row["category_id"]),
            (&json!(0.75), &json!("car"), &json!(3))
        );
    }
    // one frame is not listed
    fs::write(
        folder.path().join("frames.json"),
        json!(frames[1..]).to_string(),
    )
    .unwrap();
    let refused = track(
        folder.path(),
        &json!(detections),
        &["--frames", "frames.json"],
    );
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && error.contains("list every frame"),
        "{error}"
    );
}

#[test]
fn the_motion_of_the_camera_moves_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let place = |frame: i64| 300.0 + if frame % 2 == 0 { 0.0 } else { 200.0 };
    let seen = |frame| found(frame, START + frame * TENTH, "/front", "car", place(frame));
    let detections: Vec<_> = (0..20).map(seen).collect();
    let motion = |frame: i64| {
        let shift = place(frame) - place(frame - 1);
        json!({"topic": "/front", "stamp_ns": START + frame * TENTH, "affine": [1, 0, shift, 0, 1, 0]})
    };
    let motion: Vec<_> = (1..20).map(motion).collect();
    fs::write(folder.path().join("motion.json"), json!(motion).to_string()).unwrap();
    let with = tracks(
        folder.path(),
        &json!(detections),
        &["--motion", "motion.json"],
    );
    let without = tracks(folder.path(), &json!(detections), &[]);
    assert!(ids(&with).len() == 1 && ids(&without).len() > 1);
    // of a frame that is not there, the motion counts as well
    let mut detections = detections;
    detections.remove(10);
    let with = tracks(
        folder.path(),
        &json!(detections),
        &["--motion", "motion.json"],
    );
    assert_eq!(ids(&with).len(), 1);
}

#[test]
fn a_recording_that_loops_has_new_tracks_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let twice = [drive(20), drive(20)].concat();
    let output = track(folder.path(), &json!(twice), &[]);
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        warning.matches("the stamp went back by 1.900 s").count(),
        1,
        "{warning}"
    );
    let text = fs::read_to_string(folder.path().join("tracks.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.len(), 40);
    assert!(ids(&rows[..20]).is_disjoint(&ids(&rows[20..])));
    // the same again gives the same bytes
    track(folder.path(), &json!(twice), &[]);
    assert_eq!(
        fs::read_to_string(folder.path().join("tracks.json")).unwrap(),
        text
    );
}

#[test]
fn doubled_and_late_stamps_lose_no_track() {
    let folder = tempfile::tempdir().unwrap();
    let mut detections = drive(20);
    detections.swap(9, 10);
    detections.insert(15, found(99, START + 14 * TENTH, "/front", "car", 140.0));
    let rows = tracks(folder.path(), &json!(detections), &[]);
    assert_eq!((rows.len(), ids(&rows).len()), (21, 1));
}

#[test]
fn cameras_have_tracks_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut detections = Vec::new();
    for row in drive(10) {
        let mut other = row.clone();
        other["topic"] = json!("/rear");
        detections.extend([row, other]);
    }
    let rows = tracks(folder.path(), &json!(detections), &[]);
    let of = |topic: &str| {
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row["topic"] == topic)
            .cloned()
            .collect();
        ids(&rows)
    };
    assert_eq!((of("/front").len(), of("/rear").len()), (1, 1));
    assert!(of("/front").is_disjoint(&of("/rear")));
    let refused = track(folder.path(), &json!(detections), &["--mot", "tracks.txt"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && error.contains("expected detections of one camera"),
        "{error}"
    );
}

#[test]
fn a_lorry_that_flickers_is_one_track_of_one_class() {
    let folder = tempfile::tempdir().unwrap();
    let mut detections = drive(30);
    for (frame, row) in detections.iter_mut().enumerate() {
        if frame % 3 != 2 {
            (row["label"], row["category_id"]) = (json!("truck"), json!(8));
        }
    }
    let rows = tracks(folder.path(), &json!(detections), &[]);
    assert_eq!(ids(&rows).len(), 1);
    for (frame, row) in rows.iter().enumerate() {
        assert_eq!(
            (&row["label"], &row["category_id"]),
            (&json!("truck"), &json!(8)),
            "{frame}"
        );
        let own = if frame % 3 == 2 {
            json!("car")
        } else {
            Value::Null
        };
        assert_eq!(row["detected_label"], own, "{frame}");
    }
}

#[test]
fn parameters_apply() {
    let folder = tempfile::tempdir().unwrap();
    let detections: Vec<_> = drive(40)
        .into_iter()
        .filter(|row| row["image_id"].as_i64().unwrap() % 10 < 6)
        .collect();
    let rows = tracks(
        folder.path(),
        &json!(detections),
        &["--set", "tracking.delete_s=2"],
    );
    assert_eq!(ids(&rows).len(), 1);
    let rows = tracks(
        folder.path(),
        &json!(detections),
        &["--set", "tracking.delete_s=0.1"],
    );
    assert_eq!(ids(&rows).len(), 4);
    let refused = track(
        folder.path(),
        &json!(detections),
        &["--set", "tracking.delete_s=-1"],
    );
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn what_is_no_file_of_detections_is_refused_and_leaves_nothing() {
    let entry = |key: &str, value: Value| {
        let mut entry = found(0, START, "/front", "car", 0.0);
        entry[key] = value;
        json!([entry])
    };
    for (detections, expected) in [
        (json!({}), "expected a JSON array"),
        (json!([1]), "expected a JSON array"),
        (json!([{}]), "entry 0"),
        (entry("bbox", json!([1, 2, 3])), "entry 0"),
        (entry("bbox", json!([1, 2, -3, 4])), "[x, y, width, height]"),
        (
            entry("bbox", json!([1e30, 2, 3, 4])),
            "[x, y, width, height]",
        ),
        (entry("score", json!("high")), "entry 0"),
        (entry("stamp_ns", json!(1.5)), "entry 0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let refused = track(folder.path(), &detections, &[]);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{detections}");
        assert!(
            error.contains("detections.json") && error.contains(expected),
            "{detections}: {error}"
        );
        assert!(!folder.path().join("tracks.json").exists());
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(tracks(folder.path(), &json!([]), &[]), Vec::<Value>::new());
}
