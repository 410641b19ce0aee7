//! `eval-tracks`, and `compare` on its outputs, as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Runs the program in a folder; standard output and standard error.
fn shuffledet(folder: &Path, arguments: &str, code: i32) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments}: {out}{err}");
    (out, err)
}

/// Twelve sequences in MOT's layout with a car each. `id` gives its track in a sequence and frame.
fn data_set(folder: &Path, tracks: &str, id: impl Fn(usize, usize) -> usize) {
    fs::create_dir_all(folder.join(tracks)).unwrap();
    for at in 0..12 {
        let line = |frame: usize, id: usize| {
            format!("{},{id},{},20,60,40,1,3,1\n", frame + 1, 10 + 2 * frame)
        };
        let truth: String = (0..30).map(|frame| line(frame, 1)).collect();
        let found: String = (0..30).map(|frame| line(frame, id(at, frame))).collect();
        let sequence = folder.join(format!("truth/S{at:02}"));
        fs::create_dir_all(sequence.join("gt")).unwrap();
        fs::write(sequence.join("gt/gt.txt"), truth).unwrap();
        fs::write(sequence.join("seqinfo.ini"), "[Sequence]\nseqLength=30\n").unwrap();
        fs::write(folder.join(tracks).join(format!("S{at:02}.txt")), found).unwrap();
    }
}

#[test]
fn a_tracker_that_switches_is_worse_and_over_budget() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    data_set(root, "steady", |_, _| 5);
    data_set(root, "switching", |at, frame| frame / (4 + at % 5));
    fs::write(
        root.join("budget.yaml"),
        "- hota >= 0.9\n- class.car.switches <= 3\n",
    )
    .unwrap();
    let eval = "eval-tracks --truth truth --budget budget.yaml";
    let (table, _) = shuffledet(
        root,
        &format!("{eval} --tracks steady --output a.json --report a.html"),
        0,
    );
    assert!(
        table.contains("12 sequences, 360 frames") && table.contains("holds       hota >= 0.9"),
        "{table}"
    );
    assert!(
        fs::read_to_string(root.join("a.html"))
            .unwrap()
            .contains("within budget")
    );
    let (_, err) = shuffledet(
        root,
        &format!("{eval} --tracks switching --output b.json --quiet"),
        3,
    );
    assert!(err.contains("FAILS       class.car.switches <= 3"), "{err}");
    let (json, _) = shuffledet(root, "eval-tracks --truth truth --tracks steady --json", 0);
    let evaluation: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (
            &evaluation["combined"]["HOTA"],
            &evaluation["per_class"][0]["MT"]
        ),
        (&json!(1.0), &json!(12.0))
    );

    let (told, _) = shuffledet(
        root,
        "compare a.json b.json --report compare.html --resamples 200",
        3,
    );
    assert!(told.contains("\nworse       HOTA: "), "{told}");
    assert!(
        fs::read_to_string(root.join("compare.html"))
            .unwrap()
            .contains("regression")
    );
    shuffledet(root, "compare a.json a.json", 0);
    fs::write(root.join("other.json"), "{}").unwrap();
    let (_, err) = shuffledet(root, "compare a.json other.json", 1);
    assert!(
        err.contains("a.json is an evaluation of tracks, other.json is none"),
        "{err}"
    );
    let (_, err) = shuffledet(root, &format!("{eval} --tracks steady --output a.json"), 1);
    assert!(err.contains("--force"), "{err}");
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    data_set(root, "tracks", |_, _| 5);
    let eval = "eval-tracks --truth truth --tracks tracks";
    let refused = |arguments: &str, told: &str| {
        let (_, err) = shuffledet(root, arguments, 1);
        assert!(err.contains(told), "{err}");
    };
    fs::write(root.join("budget.yaml"), "- class.bus.hota >= 0.9\n").unwrap();
    refused(
        &format!("{eval} --budget budget.yaml"),
        "no category \"bus\"; its categories are: car",
    );
    fs::write(root.join("budget.yaml"), "- map50 >= 0.9\n").unwrap();
    refused(
        &format!("{eval} --budget budget.yaml"),
        "unknown figure of tracks \"map50\"",
    );
    refused(
        &format!("{eval} --protocol mot17"),
        "the truth has no box of pedestrian; check --protocol",
    );
    refused(
        "eval-tracks --truth truth --tracks tracks/S01.txt",
        "one file, but the truth has 12 sequences",
    );
    fs::write(root.join("tracks/S03.txt"), "1,5,1,2,3,4\n31,5,1,2,3,4\n").unwrap();
    refused(
        eval,
        "track 5 is in frame 30 (the first is 0), but sequence S03 has 30 frames",
    );
    fs::write(root.join("tracks/S03.txt"), "1,5,1,2,3,4\n1,5,1,2,3,4\n").unwrap();
    refused(eval, "found two boxes of track 5");
    fs::write(root.join("tracks/S03.txt"), "1,5,1,2,3,inf\n").unwrap();
    refused(
        eval,
        "S03.txt:1: expected a finite number as height, found \"inf\"",
    );
    fs::remove_file(root.join("tracks/S03.txt")).unwrap();
    refused(
        eval,
        "no tracks of sequence S03; expected S03.txt or S03.json",
    );
    refused("eval-tracks --truth nowhere --tracks tracks", "nowhere");
}

#[test]
fn json_tracks_of_a_recording_are_scored_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let entry = |frame: u64, topic: &str| {
        json!({"image_id": 2 * frame, "category_id": 3, "bbox": [10.0, 20.0, 60.0, 40.0], "score": 0.9, "label": "car",
            "topic": topic, "stamp_ns": 100 * frame, "frame_id": "c", "track_id": 7, "state": "confirmed", "age_s": 0.1})
    };
    let entries: Vec<_> = (0..5)
        .flat_map(|frame| [entry(frame, "/a"), entry(frame, "/b")])
        .collect();
    fs::write(root.join("tracks.json"), json!(entries).to_string()).unwrap();
    let frames: Vec<_> = (0..5)
        .map(|frame| json!({"topic": "/a", "stamp_ns": 100 * frame}))
        .collect();
    fs::write(root.join("frames.json"), json!(frames).to_string()).unwrap();
    let truth: String = (1..=5)
        .map(|frame| format!("{frame},1,10,20,60,40,1,3,1\n"))
        .collect();
    fs::write(root.join("gt.txt"), truth).unwrap();
    let eval = "eval-tracks --truth gt.txt --tracks tracks.json";
    let (_, err) = shuffledet(root, eval, 1);
    assert!(err.contains("found /a, /b; name one with --topic"), "{err}");
    let (json, _) = shuffledet(
        root,
        &format!("{eval} --topic /a --frames frames.json --json"),
        0,
    );
    let evaluation: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(evaluation["combined"]["HOTA"], 1.0);
    assert_eq!(evaluation["sequences"][0]["length"], 5);
}
