//! `shuffledet models describe`, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use serde_json::Value;
use shuffledet_onnx::proto::{ModelProto, StringStringEntryProto};
use shuffledet_testing as support;
use shuffledet_testing::ended::Ended;
use tempfile::{TempDir, tempdir};

fn shuffledet(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    Ended::from(command.args(arguments).output().unwrap())
}

/// A model of the assets as `street.onnx` in a folder of its own.
fn copy(test: &str, model: &str) -> Option<(TempDir, PathBuf)> {
    let onnx = support::asset(test, &format!("models/{model}.onnx"))?;
    let folder = tempdir().unwrap();
    let copy = folder.path().join("street.onnx");
    fs::copy(onnx, &copy).unwrap();
    Some((folder, copy))
}

fn detections(model: &str, image: &Path) -> Vec<Value> {
    let arguments = [
        "detect",
        "--json",
        "--model",
        model,
        // the budgets of their descriptions differ
        "--set",
        "model.input_size=native",
        image.to_str().unwrap(),
    ];
    let ended = shuffledet(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let image: Value = serde_json::from_str(&ended.stdout).unwrap();
    image["detections"].as_array().unwrap().clone()
}

#[test]
fn a_described_model_detects_as_the_shipped_one() {
    let test = "a_described_model_detects_as_the_shipped_one";
    let Some(image) = support::asset(test, "golden/png/udacity_vd_test1.png") else {
        return;
    };
    for shipped in ["nanodet_m_416", "fastestdet_352"] {
        let (folder, model) = copy(test, shipped).unwrap();
        let path = model.to_str().unwrap();
        let undescribed = shuffledet(&["detect", "--model", path, image.to_str().unwrap()]);
        assert_eq!(undescribed.code, Some(1));
        let command = format!("shuffledet models describe {path}");
        assert!(
            undescribed.stderr.contains(&command),
            "{}",
            undescribed.stderr
        );

        let try_image = ["models", "describe", path, "--try", image.to_str().unwrap()];
        let described = shuffledet(&try_image);
        assert_eq!(described.code, Some(0), "{}", described.stderr);
        for text in [
            "input.colour       bgr  (GUESS: ",
            "labels             80 names  (GUESS: ",
            "street.try.jpg",
            "class_2",
        ] {
            assert!(described.stdout.contains(text), "{}", described.stdout);
        }
        let drawn = fs::read(folder.path().join("street.try.jpg")).unwrap();
        assert_eq!(drawn[..3], *b"\xff\xd8\xff");

        let ours = detections(path, &image);
        let theirs = detections(shipped, &image);
        assert!(!theirs.is_empty());
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for key in ["class_id", "score", "bbox"] {
                assert_eq!(ours[key], theirs[key]);
            }
        }
    }
}

#[test]
fn an_existing_description_is_kept() {
    let test = "an_existing_description_is_kept";
    let Some((folder, model)) = copy(test, "fastestdet_352") else {
        return;
    };
    let (path, yaml) = (model.to_str().unwrap(), folder.path().join("street.yaml"));
    fs::write(&yaml, "mine").unwrap();
    let refused = shuffledet(&["models", "describe", path]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("street.yaml exists; use --force"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&yaml).unwrap(), "mine");
    assert_eq!(
        shuffledet(&["models", "describe", path, "--force"]).code,
        Some(0)
    );
    assert!(
        fs::read_to_string(&yaml)
            .unwrap()
            .contains("family: fastestdet")
    );

    let onto_itself = shuffledet(&["models", "describe", path, "--output", path, "--force"]);
    assert!(
        onto_itself.stderr.contains("would overwrite the model"),
        "{}",
        onto_itself.stderr
    );
    assert!(fs::read(&model).unwrap().len() > 900_000);
    let elsewhere = folder.path().join("made/other.yaml");
    let elsewhere = elsewhere.to_str().unwrap();
    let written = shuffledet(&["models", "describe", path, "--output", elsewhere]);
    assert!(
        written.stdout.contains("commands look for it at"),
        "{}",
        written.stdout
    );
}

#[test]
fn class_names_come_from_the_files_metadata() {
    let test = "class_names_come_from_the_files_metadata";
    let Some((folder, model)) = copy(test, "yolo_fastestv2_352") else {
        return;
    };
    let mut onnx = ModelProto::decode(fs::read(&model).unwrap().as_slice()).unwrap();
    let names: Vec<_> = (0..80)
        .map(|index| format!("{index}: 'kind {index}'"))
        .collect();
    onnx.metadata_props.push(StringStringEntryProto {
        key: "names".to_owned(),
        value: format!("{{{}}}", names.join(", ")),
    });
    fs::write(&model, onnx.encode_to_vec()).unwrap();
    let described = shuffledet(&["models", "describe", model.to_str().unwrap()]);
    assert_eq!(described.code, Some(0), "{}", described.stderr);
    let yaml = fs::read_to_string(folder.path().join("street.yaml")).unwrap();
    for text in [
        "family: yolo_fastestv2",
        "- \"kind 79\"",
        "anchors: [[12.64, 19.39]",
    ] {
        assert!(yaml.contains(text), "{yaml}");
    }
    assert!(
        described.stdout.contains("GUESS: the authors' anchors"),
        "{}",
        described.stdout
    );
}

#[test]
fn a_file_that_cannot_be_described_leaves_nothing() {
    let folder = tempdir().unwrap();
    let model = folder.path().join("street.onnx");
    fs::write(&model, b"\xff\xd8\xff\xe0").unwrap();
    let path = model.to_str().unwrap();
    let ended = shuffledet(&["models", "describe", path]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("street.onnx: not an ONNX model"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let ended = shuffledet(&["models", "describe", path, "--try", "nowhere.png"]);
    assert!(
        ended.stderr.contains("--try nowhere.png"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
