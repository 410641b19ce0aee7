//! `shuffledet models cut`, as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use shuffledet_testing::ended::Ended;
use shuffledet_testing::{asset, fetched};
use tempfile::tempdir;

fn shuffledet(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    Ended::from(command.args(arguments).output().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The detections of a picture with their class ids left out, which differ.
fn detections(model: &str, image: &Path, settings: &[&str]) -> Vec<Value> {
    let arguments = ["detect", "--json", "--model", model, text(image)];
    // without groups, the classes that are not reported cannot take part in suppression
    let settings = [
        settings,
        &["model.input_size=native", "detector.nms_across=[]"],
    ]
    .concat();
    let settings = settings.iter().flat_map(|&setting| ["--set", setting]);
    let arguments: Vec<&str> = arguments.into_iter().chain(settings).collect();
    let ended = shuffledet(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let image: Value = serde_json::from_str(&ended.stdout).unwrap();
    let mut detections = image["detections"].as_array().unwrap().clone();
    for detection in &mut detections {
        detection.as_object_mut().unwrap().remove("class_id");
    }
    detections
}

#[test]
fn a_cut_model_finds_its_classes_as_before() {
    let test = "a_cut_model_finds_its_classes_as_before";
    let (Some(whole), Some(image)) = (
        fetched(test, "nanodet_plus_m_416"),
        asset(test, "golden/png/udacity_vd_test1.png"),
    ) else {
        return;
    };
    let folder = tempdir().unwrap();
    let expected = detections(
        "nanodet_plus_m_416",
        &image,
        &["detector.classes=[car,truck]"],
    );
    assert!(!expected.is_empty());
    for more in [&[][..], &["--fp16"]] {
        let cut = folder.path().join(format!("cut{}.onnx", more.len()));
        let arguments = [
            "models",
            "cut",
            "nanodet_plus_m_416",
            "--classes",
            "car,truck",
            "--output",
        ];
        let made = shuffledet(&[&arguments[..], &[text(&cut)], more].concat());
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        assert!(
            made.stdout.starts_with("2 classes: car, truck\n"),
            "{}",
            made.stdout
        );
        let share =
            fs::metadata(&cut).unwrap().len() as f64 / fs::metadata(&whole).unwrap().len() as f64;
        assert!(share < if more.is_empty() { 0.98 } else { 0.51 }, "{share}");
        // its weights have 16 bits from the start, so both are the same
        assert_eq!(detections(text(&cut), &image, &[]), expected, "{more:?}");
        let tuned = ["detector.classes=road"];
        assert_eq!(
            detections(text(&cut), &image, &tuned),
            detections(
                "nanodet_plus_m_416",
                &image,
                &[
                    "detector.class_score_thresholds={car: 0.38, truck: 0.46}",
                    "detector.classes=[car,truck]"
                ]
            ),
        );
    }
}

#[test]
fn the_classes_of_a_built_in_model_can_be_cut_again() {
    let folder = tempdir().unwrap();
    let output = folder.path().join("bus.onnx");
    let cut = |model: &str, classes: &str, more: &[&str]| {
        let arguments = ["models", "cut", model, "--classes", classes, "--output"];
        shuffledet(&[&arguments[..], &[text(&output)], more].concat())
    };
    let made = cut("road", "bus", &[]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let sidecar = fs::read_to_string(output.with_extension("yaml")).unwrap();
    for expected in [
        "from road (sha256 ",
        "name: bus",
        "category_id: 6",
        "bus: 0.",
    ] {
        assert!(sidecar.contains(expected), "{expected}: {sidecar}");
    }
    assert!(!sidecar.contains("car: "), "{sidecar}");
    // the names are in the file, too
    let again = folder.path().join("again.yaml");
    let described = shuffledet(&[
        "models",
        "describe",
        text(&output),
        "--output",
        text(&again),
    ]);
    assert_eq!(described.code, Some(0), "{}", described.stderr);
    assert!(
        fs::read_to_string(&again).unwrap().contains("bus"),
        "{described:?}"
    );

    let before = fs::read(&output).unwrap();
    let kept = |ended: Ended, expected: &str| {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stderr.contains(expected),
            "{expected}: {}",
            ended.stderr
        );
        assert_eq!(fs::read(&output).unwrap(), before);
    };
    kept(cut("road", "car", &[]), "use --force");
    kept(cut("road", "dog", &["--force"]), "--classes dog: ");
    kept(cut("nowhere.onnx", "car", &["--force"]), "nowhere.onnx");
    let other = [
        "models",
        "cut",
        "road",
        "--classes",
        "car",
        "--output",
        "car.bin",
    ];
    kept(shuffledet(&other), "ends in .onnx");
    assert_eq!(cut("road", "car", &["--force"]).code, Some(0));
}

#[test]
fn a_model_whose_classes_depend_on_each_other_is_not_cut() {
    let test = "a_model_whose_classes_depend_on_each_other_is_not_cut";
    if fetched(test, "fastestdet_352").is_none() {
        return;
    }
    let folder = tempdir().unwrap();
    let output = folder.path().join("car.onnx");
    let arguments = [
        "models",
        "cut",
        "fastestdet_352",
        "--classes",
        "car",
        "--output",
    ];
    let refused = shuffledet(&[&arguments[..], &[text(&output)]].concat());
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("found family fastestdet"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
