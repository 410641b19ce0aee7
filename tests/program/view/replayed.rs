//! `replay --view`: the page of the program, played and marked over HTTP.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use shuffledet_testing::asset;
use shuffledet_testing::page::Page;
use shuffledet_testing::process::terminate;

/// A replay with a page.
struct Viewed {
    process: Child,
    page: Page,
}

impl Viewed {
    /// Starts `replay`.
    fn start(bag: &Path, more: &[&str]) -> Self {
        Self::start_as("replay", bag, &[&["--view=0"], more].concat())
    }

    fn start_as(subcommand: &str, bag: &Path, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
            .arg(subcommand)
            .arg(bag)
            .args(["--model", "nanodet_m_416"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = lines.find_map(|line| {
            let line = line.unwrap();
            Some(
                line.strip_prefix("view: http://localhost:")?
                    .trim_end_matches('/')
                    .to_owned(),
            )
        });
        // the rest is read, so that the program can write it
        thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            page: Page {
                port: line.expect("the address of the page").parse().unwrap(),
            },
        }
    }

    fn play(&self, order: Value) -> Value {
        self.page.order("/play", &order)
    }
}

impl Drop for Viewed {
    fn drop(&mut self) {
        terminate(&mut self.process);
    }
}

#[test]
fn a_viewer_pauses_steps_seeks_marks_and_exports() {
    let name = "a_viewer_pauses_steps_seeks_marks_and_exports";
    let Some(bag) = asset(name, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let marks = folder.path().join("marks.txt");
    let mut viewed = Viewed::start(&bag, &["--marks", marks.to_str().unwrap()]);
    let (state, pictures) = viewed.page.until("a picture", |state| {
        state["cameras"][0]["picture"]["bytes"].as_u64() > Some(1000)
    });
    assert!(pictures.starts_with(b"\xff\xd8"));
    assert_eq!(state["playback"]["speed"], 1.0);
    assert_eq!(state["facts"]["model"], "nanodet_m_416");

    viewed.play(json!({ "do": "pause" }));
    viewed.play(json!({ "do": "seek", "to_s": 4.0 }));
    let at = |second: f64| {
        move |state: &Value| {
            (state["playback"]["position_s"].as_f64().unwrap() - second).abs() < 0.1
        }
    };
    viewed.page.until("second 4", at(4.0));
    let stands = || {
        viewed.page.live().0["playback"]["position_s"]
            .as_f64()
            .unwrap()
    };
    let before = stands();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(stands(), before);
    viewed.play(json!({ "do": "step" }));
    viewed.page.until("the next frame", |state| {
        let position = state["playback"]["position_s"].as_f64().unwrap();
        position > before && position < before + 0.2
    });
    // the picture of the frame on which it stands
    let (state, _) = viewed.page.until("the picture of the step", |state| {
        let shown = &state["cameras"][0]["picture"]["scene"]["stamp"];
        shown.is_array()
    });
    let stamp = &state["cameras"][0]["picture"]["scene"]["stamp"];
    let marked = viewed.play(json!({ "do": "mark", "camera": 0, "stamp": stamp }));
    assert!(
        marked["ok"].as_str().unwrap().contains("marks.txt"),
        "{marked}"
    );
    assert!(viewed.play(json!({ "do": "mark", "camera": 9, "stamp": stamp }))["error"].is_string());
    assert!(viewed.play(json!({ "do": "speed", "times": -1.0 }))["error"].is_string());

    viewed.play(json!({ "do": "seek", "to_s": 8.0 }));
    viewed.play(json!({ "do": "speed", "times": null }));
    viewed.play(json!({ "do": "resume" }));
    assert_eq!(viewed.process.wait().unwrap().code(), Some(0));

    let out = folder.path().join("out");
    let exported = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .args(["label", "export"])
        .arg(&bag)
        .arg("--frames")
        .arg(&marks)
        .arg("--output")
        .arg(&out)
        .args(["--model", "nanodet_m_416"])
        .output()
        .unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let file = fs::read(out.join("annotations/instances_default.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let stamp_ns = stamp[0].as_i64().unwrap() * 1_000_000_000 + stamp[1].as_i64().unwrap();
    assert_eq!(file["images"].as_array().unwrap().len(), 1);
    assert_eq!(
        file["images"][0]["stamp_ns"], stamp_ns,
        "{}",
        file["images"]
    );
}

#[test]
fn a_run_with_outputs_is_not_rewound_and_ends_on_a_signal() {
    let name = "a_run_with_outputs_is_not_rewound_and_ends_on_a_signal";
    let Some(bag) = asset(name, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let detections = folder.path().join("detections.json");
    let mut viewed = Viewed::start(&bag, &["--detections", detections.to_str().unwrap()]);
    let refused = viewed.play(json!({ "do": "seek", "to_s": 0.0 }));
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("Outputs are written")
    );
    let change = json!({ "name": "detector.score_threshold", "value": 0.9 });
    let refused: Value =
        serde_json::from_slice(&viewed.page.ask("POST /parameter", &change.to_string())).unwrap();
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("web.allow_changes")
    );
    viewed.play(json!({ "do": "pause" }));
    // it is killed if it does not end by itself
    terminate(&mut viewed.process);
    assert_eq!(viewed.process.wait().unwrap().code(), Some(130));
    assert!(detections.exists());
}

#[test]
fn view_waits_at_the_end_and_ends_on_a_signal() {
    let name = "view_waits_at_the_end_and_ends_on_a_signal";
    let Some(bag) = asset(name, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let mut viewed = Viewed::start_as("view", &bag, &["--port=0", "--end=0.5"]);
    let ends = |state: &Value| state["playback"]["at_end"] == true;
    let (first, _) = viewed.page.until("the end", ends);
    let received = first["cameras"][0]["counts"]["received"].as_u64();
    assert!(received > Some(10), "{first}");
    // it plays once more from where it is put
    viewed.play(json!({ "do": "seek", "to_s": 0.2 }));
    viewed.page.until("more frames", |state| {
        state["cameras"][0]["counts"]["received"].as_u64() > received && ends(state)
    });
    terminate(&mut viewed.process);
    assert_eq!(viewed.process.wait().unwrap().code(), Some(0));
}
