//! `detect`, `models` and `bench`, as a user runs them.

use shuffledet_testing as support;
use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use shuffledet_core::BBox;
use tempfile::tempdir;

fn run(args: &[&str]) -> Output {
    shuffledet().args(args).output().unwrap()
}

fn shuffledet() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shuffledet"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn detect_prints_one_object_an_image_and_names_those_it_cannot_read() {
    let test = "detect_prints_one_object_an_image_and_names_those_it_cannot_read";
    let Some(png) = support::asset(test, "golden/png/udacity_vd_test1.png") else {
        return;
    };
    let png = png.to_str().unwrap();
    let folder = tempdir().unwrap();
    let broken = folder.path().join("broken.jpg");
    fs::write(&broken, b"\xff\xd8 no picture").unwrap();
    let drawn = folder.path().join("drawn");
    let output = shuffledet()
        .args(["detect", "--json", "--model", "nanodet_m_416"])
        .args(["--set", "model.input_size=native"])
        .args([png, broken.to_str().unwrap(), "nowhere.png"])
        .arg("--draw")
        .arg(&drawn)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [image] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&image["file"], &image["width"], &image["height"]),
        (&png.into(), &1280.into(), &720.into())
    );
    // as the reference has it: golden/nanodet_m_416.json
    let [first, second] = image["detections"].as_array().unwrap().as_slice() else {
        panic!("{image}")
    };
    assert_eq!(
        (&first["label"], &first["class_id"]),
        (&"car".into(), &2.into())
    );
    assert!((first["score"].as_f64().unwrap() - 0.750443).abs() < 0.01);
    assert!((second["score"].as_f64().unwrap() - 0.630585).abs() < 0.01);
    let bbox: Vec<f64> = first["bbox"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    for (found, expected) in bbox.iter().zip([814.827, 408.178, 129.725, 87.045]) {
        assert!((found - expected).abs() < 1.0, "{bbox:?}");
    }
    let errors = text(&output.stderr);
    assert!(
        errors.contains("broken.jpg: damaged JPEG") && errors.contains("nowhere.png"),
        "{errors}"
    );
    let names: Vec<_> = fs::read_dir(drawn)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["udacity_vd_test1.jpg"]);
}

#[test]
fn models_are_fetched_from_a_mirror_and_nothing_else_takes_their_name() {
    let test = "models_are_fetched_from_a_mirror_and_nothing_else_takes_their_name";
    let Some(mirror) = support::asset(test, "models") else {
        return;
    };
    let folder = tempdir().unwrap();
    let models = |args: &[&str]| {
        let mut command = shuffledet();
        command
            .env("SHUFFLEDET_MODEL_DIR", folder.path())
            .arg("models")
            .args(args);
        // no other mirror than the one that is named
        command.env_remove("SHUFFLEDET_MODEL_MIRROR");
        command.output().unwrap()
    };
    let missing = models(&["path", "fastestdet_352"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("shuffledet models fetch fastestdet_352"));
    let fetched = models(&[
        "fetch",
        "fastestdet_352",
        "--from",
        mirror.to_str().unwrap(),
    ]);
    assert!(fetched.status.success(), "{}", text(&fetched.stderr));
    let path = folder.path().join("fastestdet_352.onnx");
    assert_eq!(
        text(&models(&["path", "fastestdet_352"]).stdout).trim(),
        path.to_str().unwrap()
    );
    assert!(models(&["verify"]).status.success());
    fs::write(&path, b"something else").unwrap();
    let verified = models(&["verify"]);
    assert_eq!(verified.status.code(), Some(2));
    assert!(
        text(&verified.stdout).contains("DIFFERS"),
        "{}",
        text(&verified.stdout)
    );
    let listed = models(&["list"]);
    assert!(text(&listed.stdout).contains("nanodet_m_416"));
    let unknown = models(&["fetch", "yolo"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("nanodet_m_416, fastestdet_352"));
}

#[test]
fn inspect_says_what_the_detectors_are() {
    let test = "inspect_says_what_the_detectors_are";
    let Some(onnx) = support::asset(test, "models/nanodet_m_416.onnx") else {
        return;
    };
    let shown = run(&["models", "inspect", onnx.to_str().unwrap()]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("24-116-232-464 channels (1.0x)") && shown.contains("578,357,208"),
        "{shown}"
    );
    assert!(
        shown.contains("\non loading     channels arranged, "),
        "{shown}"
    );
    let json = run(&["models", "inspect", "--json", onnx.to_str().unwrap()]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["channel_layout"]["state"], "arranged", "{json}");
    let nodes = json["channel_layout"]["nodes"].as_u64();
    assert!(nodes < json["nodes"].as_u64(), "{json}");
    let not_onnx = run(&["models", "inspect", "Cargo.toml.onnx"]);
    assert_eq!(not_onnx.status.code(), Some(1));
}

#[test]
fn a_jpeg_decoded_smaller_has_its_objects_where_they_were() {
    let test = "a_jpeg_decoded_smaller_has_its_objects_where_they_were";
    let Some(images) = support::asset(test, "images") else {
        return;
    };
    let image = images.join("coco_000000000165.jpg");
    let detect = |scale: &str| -> Value {
        let scale = format!("input.jpeg_scale={scale}");
        let model = ["--model", "fastestdet_352", "--set", &scale];
        let image = image.to_str().unwrap();
        let output = run(&[&["detect", "--json", image], &model[..]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (full, half) = (detect("full"), detect("half"));
    for side in ["width", "height"] {
        assert_eq!(full[side], half[side]);
    }
    assert_ne!(full, half);
    let boxes = |result: &Value| -> Vec<[f64; 4]> {
        let detections = result["detections"].as_array().unwrap().iter();
        let sure = detections.filter(|d| d["score"].as_f64().unwrap() > 0.8);
        sure.map(|d| serde_json::from_value(d["bbox"].clone()).unwrap())
            .collect()
    };
    let (full, half) = (boxes(&full), boxes(&half));
    assert_eq!(full.len(), 2);
    for [x, y, width, height] in full {
        let near = |a: f64, b: f64, size: f64| (a - b).abs() < 0.2 * size;
        assert!(
            half.iter().any(|other| near(x, other[0], width)
                && near(y, other[1], height)
                && near(width, other[2], width)
                && near(height, other[3], height)),
            "{half:?} lack {:?}",
            [x, y, width, height]
        );
    }
}

#[test]
fn the_automatic_scale_finds_what_full_size_finds() {
    let test = "the_automatic_scale_finds_what_full_size_finds";
    let Some(images) = support::asset(test, "images") else {
        return;
    };
    let image = images.join("udacity_vd_test6.jpg");
    let detect = |scale: &str| -> Value {
        let scale = format!("input.jpeg_scale={scale}");
        let output = run(&["detect", "--json", "--set", &scale, image.to_str().unwrap()]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (full, auto) = (detect("full"), detect("auto"));
    assert_eq!(auto["width"], 1280);
    assert_eq!(auto["height"], 720);
    assert_ne!(full, auto);
    let boxes = |result: &Value, least: f64| -> Vec<BBox> {
        let detections = result["detections"].as_array().unwrap().iter();
        let found = detections.filter(|d| d["score"].as_f64().unwrap() > least);
        found
            .map(|d| serde_json::from_value(d["bbox"].clone()).unwrap())
            .map(|[x, y, width, height]: [f32; 4]| BBox {
                x1: x,
                y1: y,
                x2: x + width,
                y2: y + height,
            })
            .collect()
    };
    let sure = boxes(&full, 0.6);
    assert!(!sure.is_empty());
    let found = boxes(&auto, 0.0);
    for object in sure {
        let same = |other: &BBox| object.iou(other) > 0.8;
        assert!(found.iter().any(same), "{object:?} among {found:?}");
    }
}

#[test]
fn bench_prints_what_its_format_says() {
    let test = "bench_prints_what_its_format_says";
    let Some(bag) = support::asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let output = run(&[
        "bench",
        bag.to_str().unwrap(),
        "--model",
        "fastestdet_352",
        "--limit",
        "5",
        "--rounds",
        "1",
        "--load=0.1",
        "--json",
    ]);
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(measured["model"], "fastestdet_352");
    for key in ["frame_ms", "session_run_ms", "decode_ms"] {
        assert!(
            measured["sequential"][key]["p50"].as_f64().unwrap() > 0.0,
            "{measured}"
        );
    }
    let throughput = &measured["throughput"];
    let scaling =
        throughput["fps"].as_f64().unwrap() / throughput["fps_one_worker"].as_f64().unwrap();
    assert!(
        (scaling - throughput["scaling"].as_f64().unwrap()).abs() < 1e-6,
        "{measured}"
    );
    let load = measured["load"].as_array().unwrap();
    let cameras: Vec<_> = load
        .iter()
        .map(|row| row["cameras"].as_u64().unwrap())
        .collect();
    assert_eq!(cameras, [1, 2, 4, 8].map(|cameras| [cameras; 9]).concat());
    for row in load {
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!(number("published_fps") <= number("offered_fps"), "{row}");
        assert!(number("age_p50_ms") <= number("age_p99_ms"), "{row}");
    }
    // how much of it is really offered in so short a time is up to the machine
    for cameras in load.chunks(9) {
        let loads = cameras.iter().map(|row| row["load"].as_f64().unwrap());
        assert!(loads.is_sorted_by(|lighter, heavier| lighter < heavier));
    }
}
