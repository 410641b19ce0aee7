//! What cannot be done is refused with one clear message, and nothing is touched.

use std::fs;
use std::path::{Path, PathBuf};

use shuffledet_detector::model::Model;
use tempfile::tempdir;

use crate::replay::program::{end, refusal, replay};
use crate::replay::recordings::{self, raw};

/// A recording of one frame.
fn small_bag(folder: &Path) -> PathBuf {
    recordings::write(folder, &[raw(1_700_000_000_000_000_000, "bgr8", 192)])
}

/// Everything below `folder`.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            all.push((
                path.clone(),
                path.is_file().then(|| fs::read(&path).unwrap()),
            ));
        }
    }
    all.sort();
    all
}

fn assert_mentions(message: &str, texts: &[&str]) {
    for text in texts {
        assert!(message.contains(text), "{text} is not in: {message}");
    }
}

#[test]
fn a_recording_that_is_not_there_is_named() {
    let folder = tempdir().unwrap();
    let output = folder.path().join("out");
    let message = refusal(
        replay(Path::new("/nowhere/bag"))
            .arg("--output")
            .arg(output),
    );
    assert_mentions(&message, &["/nowhere/bag", "No such file"]);
    assert!(snapshot(folder.path()).is_empty());
    let text = folder.path().join("notes.txt");
    fs::write(&text, "no recording").unwrap();
    assert_mentions(&refusal(&mut replay(&text)), &["notes.txt"]);
}

#[test]
fn an_output_that_exists_is_kept_and_the_others_are_not_begun() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let place = folder.path().join("place");
    let outputs = [
        ("--output", "out.mcap"),
        ("--detections", "out.json"),
        ("--report", "out.html"),
        ("--draw", "drawn"),
    ];
    for (option, name) in outputs {
        fs::create_dir(&place).unwrap();
        let existing = if option == "--draw" {
            place.join(name).join("mine.jpg")
        } else {
            place.join(name)
        };
        fs::create_dir_all(existing.parent().unwrap()).unwrap();
        fs::write(existing, "mine").unwrap();
        let before = snapshot(&place);
        let mut command = replay(&bag);
        for (option, name) in outputs {
            command.arg(option).arg(place.join(name));
        }
        assert_mentions(&refusal(&mut command), &[name, "--force"]);
        assert_eq!(snapshot(&place), before, "{option}");
        command.arg("--force");
        assert_eq!(end(&mut command).code, Some(0), "{option}");
        let changed = snapshot(&place);
        let kept = |(path, data): &(PathBuf, Option<Vec<u8>>)| {
            path.ends_with(name) && data.as_deref() == Some(b"mine")
        };
        assert!(!changed.iter().any(kept), "{option}");
        fs::remove_dir_all(&place).unwrap();
    }
}

#[test]
fn an_output_that_cannot_be_written_leaves_the_others_as_they_were() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    // nobody, not even root, writes into a file as if it were a folder
    fs::write(place.join("file"), "mine").unwrap();
    fs::write(place.join("out.mcap"), "an older recording").unwrap();
    let outputs = [
        ("--output", "out.mcap"),
        ("--detections", "out.json"),
        ("--report", "out.html"),
        ("--draw", "drawn"),
    ];
    let before = snapshot(&place);
    for (unwritable, _) in outputs {
        let mut command = replay(&bag);
        command.arg("--force");
        for (option, name) in outputs {
            let folder = if option == unwritable {
                place.join("file")
            } else {
                place.clone()
            };
            command.arg(option).arg(folder.join(name));
        }
        assert_mentions(&refusal(&mut command), &["place/file"]);
        assert_eq!(snapshot(&place), before, "{unwritable}");
    }
}

#[test]
fn no_output_replaces_the_recording_that_is_read() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let before = snapshot(folder.path());
    let files: Vec<PathBuf> = before.iter().map(|(path, _)| path.clone()).collect();
    for file in files.iter().filter(|path| path.is_file()) {
        for option in ["--output", "--detections", "--report"] {
            let message = refusal(replay(&bag).arg(option).arg(file).arg("--force"));
            assert_mentions(&message, &[option, "the input recording"]);
            assert_eq!(snapshot(folder.path()), before, "{option}");
        }
    }
}

#[test]
fn a_model_that_is_unknown_or_not_fetched_is_named_with_the_mend() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let unknown = refusal(replay(&bag).args(["--model", "yolo_v99"]));
    assert_mentions(&unknown, &["yolo_v99", "fastestdet_352", "nanodet_m_416"]);
    let empty = tempdir().unwrap();
    let name = ["--model", "nanodet_plus_m_416"];
    let missing = refusal(
        replay(&bag)
            .args(name)
            .env("SHUFFLEDET_MODEL_DIR", empty.path()),
    );
    assert_mentions(&missing, &["shuffledet models fetch nanodet_plus_m_416"]);
    assert_mentions(&missing, &[empty.path().to_str().unwrap()]);
}

#[test]
fn a_model_of_another_family_is_refused_with_expected_and_found_shapes() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let model = folder.path().join("mine.onnx");
    fs::write(&model, Model::load("road").unwrap().onnx).unwrap();
    let bare = refusal(replay(&bag).arg("--model").arg(&model));
    assert_mentions(
        &bare,
        &["mine.onnx", "mine.yaml", "shuffledet models describe"],
    );
    let with_side = |side: u32| {
        let sidecar = format!(
            "family: nanodet\nlabels: coco\nscore_threshold: 0.3\nnms_iou_threshold: 0.6\n\
             input: {{width: {side}, height: {side}, colour: bgr, resize: letterbox, mean: [0, 0, 0], std: [1, 1, 1]}}\n"
        );
        fs::write(model.with_extension("yaml"), sidecar).unwrap();
        refusal(replay(&bag).arg("--model").arg(&model))
    };
    assert_mentions(&with_side(352), &["mine.onnx", "[1, 3, 352, 352]", "416"]);
    let outputs = with_side(416);
    assert_mentions(
        &outputs,
        &["mine.onnx", "nanodet", "[1, 3598, 41]", "[2704, 80]"],
    );
    assert_eq!(
        outputs.matches("[1, 3598, 41]").count(),
        1,
        "said twice: {outputs}"
    );
}

#[test]
fn parameters_that_are_wrong_are_named() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let set = |assignment: &str| refusal(replay(&bag).args(["--set", assignment]));
    assert_mentions(
        &set("detector.score_threshold=2"),
        &["detector.score_threshold", "2"],
    );
    assert_mentions(
        &set("detector.classes=[tram]"),
        &["detector.classes", "tram"],
    );
    let file = folder.path().join("wrong.yaml");
    fs::write(
        &file,
        "/**:\n  ros__parameters:\n    runtime: {wokers: 1}\n",
    )
    .unwrap();
    let message = refusal(replay(&bag).arg("--config").arg(file));
    assert_mentions(&message, &["wrong.yaml", "runtime.wokers"]);
}

#[test]
fn a_missing_onnx_runtime_is_named_with_the_mend() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let mut command = replay(&bag);
    command.arg("--output").arg(folder.path().join("out"));
    let before = snapshot(folder.path());
    let message = refusal(command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"));
    assert_mentions(
        &message,
        &["/nowhere/libonnxruntime.so", "ORT_DYLIB_PATH", "make build"],
    );
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn two_outputs_at_one_path_were_both_named_as_written() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let both = folder.path().join("out.json");
    let before = snapshot(folder.path());
    let message = refusal(
        replay(&bag)
            .arg("--detections")
            .arg(&both)
            .arg("--report")
            .arg(folder.path().join("./out.json")),
    );
    assert_mentions(&message, &["--report", "another output has the same path"]);
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_link_to_the_recording_is_no_output() {
    let folder = tempdir().unwrap();
    let bag = small_bag(folder.path());
    let link = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&bag, &link).unwrap();
    let before = snapshot(folder.path());
    let mut command = replay(&bag);
    let message = refusal(command.arg("--force").arg("--detections").arg(&link));
    assert_mentions(&message, &["--detections", "would overwrite the input"]);
    assert_eq!(snapshot(folder.path()), before);
}
