//! Classifiers: `shuffledet classify`, and the second stage of `detect` and `replay`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use shuffledet_testing::ended::Ended;
use shuffledet_testing::{asset, python, repository};
use tempfile::{TempDir, tempdir};

const MODELS: [&str; 3] = ["lights", "centre", "padded"];

fn shuffledet(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    let command = command.current_dir(folder).args(arguments);
    Ended::from(command.output().unwrap())
}

/// A folder with the models and the picture of `tests/reference/classifier_models.py`.
fn models(test: &str) -> Option<TempDir> {
    let folder = tempdir().unwrap();
    reference(test, folder.path(), &[])?;
    Some(folder)
}

/// What that script prints; `None` where there is no Python.
fn reference(test: &str, folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut python = python::python(test)?;
    let script = repository("tests/reference/classifier_models.py");
    let output = python.arg(script).arg(folder).args(arguments).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn probabilities_are_those_of_the_reference() {
    let Some(folder) = models("probabilities_are_those_of_the_reference") else {
        return;
    };
    let folder = folder.path();
    for name in MODELS {
        let model = format!("{name}.onnx");
        let line = [
            "classify",
            "picture.png",
            "--model",
            &model,
            "--top",
            "9",
            "--json",
        ];
        let ended = shuffledet(folder, &line);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (&found["width"], &found["height"]),
            (&json!(131), &json!(97))
        );
        let classes = found["classes"].as_array().unwrap();
        assert_eq!(classes.len(), 4);
        let probability = |class: &Value| class["probability"].as_f64().unwrap();
        assert!(classes.is_sorted_by(|a, b| probability(a) >= probability(b)));
        let expected = read(&folder.join(format!("{name}.json")));
        for class in classes {
            let id = class["class_id"].as_u64().unwrap() as usize;
            let expected = expected[id].as_f64().unwrap();
            assert!(
                (probability(class) - expected).abs() < 1e-3,
                "{name} {class}: {expected}"
            );
        }
        let labels = ["red", "yellow", "green", "off"];
        let id = classes[0]["class_id"].as_u64().unwrap() as usize;
        assert_eq!(classes[0]["label"], labels[id]);
        let text = shuffledet(folder, &line[..4]).stdout;
        assert!(
            text.starts_with("picture.png: 131x97\n  ") && text.lines().count() == 2,
            "{text}"
        );
    }
}

#[test]
fn a_described_classifier_answers_as_one_that_is_described_by_hand() {
    let test = "a_described_classifier_answers_as_one_that_is_described_by_hand";
    let Some(folder) = models(test) else { return };
    let folder = folder.path();
    let classes = |name: &str| {
        let model = format!("{name}.onnx");
        let ended = shuffledet(
            folder,
            &[
                "classify",
                "picture.png",
                "--model",
                &model,
                "--top",
                "4",
                "--json",
            ],
        );
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        let classes = found["classes"].as_array().unwrap().clone();
        classes
            .iter()
            .map(|class| (class["class_id"].clone(), class["probability"].clone()))
            .collect::<Vec<_>>()
    };
    fs::copy(folder.join("lights.onnx"), folder.join("new.onnx")).unwrap();
    let described = shuffledet(
        folder,
        &["models", "describe", "new.onnx", "--try", "picture.png"],
    );
    assert_eq!(described.code, Some(0), "{}", described.stderr);
    for text in [
        "classifier",
        "class_activation   softmax  (GUESS: ",
        "32",
        "class_3",
        "picture.png:",
    ] {
        assert!(
            described.stdout.contains(text),
            "{text}: {}",
            described.stdout
        );
    }
    assert_eq!(classes("new"), classes("lights"));
    // a graph that ends with its activation
    fs::copy(folder.join("centre.onnx"), folder.join("other.onnx")).unwrap();
    let described = shuffledet(folder, &["models", "describe", "other.onnx"]);
    assert!(
        described
            .stdout
            .contains("class_activation   none  (from the graph"),
        "{}",
        described.stdout
    );
}

#[test]
fn what_cannot_be_classified_is_named() {
    let Some(folder) = models("what_cannot_be_classified_is_named") else {
        return;
    };
    let folder = folder.path();
    fs::write(folder.join("text.jpg"), "no picture").unwrap();
    let error = |code: i32, arguments: &[&str]| {
        let ended = shuffledet(folder, arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        ended.stderr
    };
    let some = [
        "classify",
        "text.jpg",
        "picture.png",
        "--model",
        "lights.onnx",
    ];
    assert!(error(2, &some).contains("text.jpg: "));
    assert!(error(1, &["classify", "picture.png"]).contains("--model"));
    let detector = error(1, &["classify", "picture.png", "--model", "road"]);
    assert!(
        detector.contains("is a detector of the family nanodet_plus"),
        "{detector}"
    );
    let classifier = error(1, &["detect", "picture.png", "--model", "lights.onnx"]);
    assert!(
        classifier.contains("is a classifier, expected a detector"),
        "{classifier}"
    );
    let yaml = fs::read_to_string(folder.join("lights.yaml")).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(yaml.contains(from));
        fs::write(folder.join("lights.yaml"), yaml.replace(from, to)).unwrap();
        error(1, &["classify", "picture.png", "--model", "lights.onnx"])
    };
    assert!(changed(", \"off\"", "").contains("classifier with 3 labels"));
    assert!(changed("\"width\": 32", "\"width\": 64").contains("its inputs are"));
    assert!(
        changed("\"softmax\"", "\"softmax\", \"crop\": 1.5").contains("crop: expected a share")
    );
    assert!(
        changed("\"softmax\"", "\"softmax\", \"score_threshold\": 0.5").contains("score_threshold")
    );
    fs::write(folder.join("lights.yaml"), yaml.replace("softmax", "none")).unwrap();
    let logits = error(2, &["classify", "picture.png", "--model", "lights.onnx"]);
    assert!(logits.contains("class_activation: softmax"), "{logits}");
}

/// Settings of a second stage with the classifier `lights` on cars.
fn second_stage(folder: &Path, more: &[&str]) -> Vec<String> {
    let model = folder.join("lights.onnx").display().to_string();
    let mut set = vec![
        format!("classifier.model={model}"),
        "classifier.classes=car".to_owned(),
    ];
    set.extend(more.iter().map(|&more| more.to_owned()));
    set.into_iter()
        .flat_map(|set| ["--set".to_owned(), set])
        .collect()
}

fn with<'a>(arguments: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    arguments
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect()
}

#[test]
fn boxes_have_the_answers_of_the_reference_on_their_pixels() {
    let test = "boxes_have_the_answers_of_the_reference_on_their_pixels";
    let Some(image) = asset(test, "golden/png/udacity_vd_test1.png") else {
        return;
    };
    let Some(folder) = models(test) else { return };
    let folder = folder.path();
    let image = image.to_str().unwrap();
    let detections = |more: &[String]| {
        let line = ["detect", "--json", "--model", "nanodet_m_416", image];
        let ended = shuffledet(folder, &with(&line, more));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        found["detections"].as_array().unwrap().clone()
    };
    let plain = detections(&[]);
    let staged = detections(&second_stage(folder, &["classifier.margin=0.25"]));
    assert_eq!(plain.len(), staged.len());
    let is_car = |found: &&Value| found["label"] == "car";
    let cars: Vec<&Value> = staged.iter().filter(is_car).collect();
    assert!(cars.len() > 2, "{staged:?}");
    let boxes: Vec<&Value> = cars.iter().map(|car| &car["bbox"]).collect();
    let boxes = serde_json::to_string(&boxes).unwrap();
    let expected = reference(test, folder, &[image, &boxes, "0.25"]).unwrap();
    let expected: Vec<(String, f64)> = serde_json::from_str(&expected).unwrap();
    for (car, (label, probability)) in cars.iter().zip(expected) {
        let answer = &car["further"][0];
        assert_eq!(answer["label"], format!("car:{label}"), "{car}");
        let score = car["score"].as_f64().unwrap() * probability;
        assert!(
            (answer["score"].as_f64().unwrap() - score).abs() < 2e-3,
            "{car} {score}"
        );
    }
    for (plain, staged) in plain.iter().zip(&staged) {
        for key in ["label", "score", "bbox"] {
            assert_eq!(plain[key], staged[key]);
        }
        assert!(
            is_car(&staged) || staged.get("further").is_none(),
            "{staged}"
        );
    }
    // the best boxes, as many as the parameters say
    let two = detections(&second_stage(folder, &["classifier.max_boxes=2"]));
    let classified: Vec<bool> = two
        .iter()
        .filter(is_car)
        .map(|car| car.get("further").is_some())
        .collect();
    assert_eq!(classified[..3], [true, true, false]);
}

#[test]
fn replayed_answers_are_further_hypotheses_with_a_stage_of_their_own() {
    let test = "replayed_answers_are_further_hypotheses_with_a_stage_of_their_own";
    let Some(bag) = asset(test, "bags/dashcam_raw_sqlite3") else {
        return;
    };
    let Some(folder) = models(test) else { return };
    let folder = folder.path();
    let bag = bag.to_str().unwrap();
    let replay = |output: &str, more: &[String]| {
        let line = [
            "replay",
            bag,
            "--model",
            "nanodet_m_416",
            "--limit",
            "6",
            "--json",
            "--output",
            output,
        ];
        shuffledet(folder, &with(&line, more)).summary(0)
    };
    let plain = replay("plain", &[]);
    assert!(plain["stages_ms"].get("classify").is_none(), "{plain}");
    let staged = replay(
        "staged",
        &second_stage(folder, &["detector.class_id=index"]),
    );
    assert!(
        staged["stages_ms"]["classify"]["p50"].as_f64().unwrap() > 0.0,
        "{staged}"
    );
    let mut python = python::python(test).unwrap();
    let recording = fs::read_dir(folder.join("staged")).unwrap();
    let mcap = recording
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "mcap"));
    python
        .arg(repository("tests/reference/read_output.py"))
        .arg(mcap.unwrap());
    let output = python.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let topics = read["topics"].as_object().unwrap();
    let topic = |end: &str| {
        topics
            .iter()
            .find(|(name, _)| name.ends_with(end))
            .unwrap()
            .1
    };
    let mut cars = 0;
    for message in topic("/detections")["messages"].as_array().unwrap() {
        for found in message["detections"].as_array().unwrap() {
            let further = found["further"].as_array().unwrap();
            if found["class_id"] != "2" {
                assert!(further.is_empty(), "{found}");
                continue;
            }
            cars += 1;
            let class: u64 = further[0][0].as_str().unwrap().parse().unwrap();
            assert!((80..84).contains(&class), "{found}");
            assert!(further[0][1].as_f64() < found["score"].as_f64(), "{found}");
        }
    }
    assert!(cars > 5);
    let latency = &topic("/latency")["messages"][0]["status"][0]["values"];
    assert!(
        latency
            .as_object()
            .unwrap()
            .keys()
            .any(|key| key.contains("classify")),
        "{latency}"
    );
}

#[test]
fn pictures_beyond_the_limits_were_classified() {
    let Some(folder) = models("pictures_beyond_the_limits_were_classified") else {
        return;
    };
    let line = ["classify", "picture.png", "--model", "lights.onnx", "--set"];
    let pixels = 131 * 97;
    for (limit, code) in [(pixels, 0), (pixels - 1, 2)] {
        let set = format!("input.max_pixels={limit}");
        let ended = shuffledet(folder.path(), &[&line[..], &[&set]].concat());
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        let named = ended.stderr.contains("picture.png") && ended.stderr.contains("max_pixels");
        assert_eq!(named, code == 2, "{}", ended.stderr);
    }
}

#[test]
fn a_second_stage_that_does_not_fit_is_refused_at_the_start() {
    let test = "a_second_stage_that_does_not_fit_is_refused_at_the_start";
    let Some(folder) = models(test) else { return };
    let folder = folder.path();
    let error = |set: &[&str]| {
        let set = set.iter().flat_map(|&set| ["--set", set]);
        let line = ["detect", "picture.png", "--model", "road"];
        let ended = shuffledet(folder, &line.into_iter().chain(set).collect::<Vec<_>>());
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        ended.stderr
    };
    let model = "classifier.model=./lights.onnx";
    for (set, expected) in [
        (&[model][..], "classifier.classes: expected the classes"),
        (
            &["classifier.classes=car"],
            "classifier.model: expected a model",
        ),
        (&[model, "classifier.classes=tram"], "has no class \"tram\""),
        (&[model, "classifier.classes=car, car"], "named twice"),
        (
            &[model, "classifier.classes=car", "detector.classes=bus"],
            "leaves out \"car\"",
        ),
        (
            &["classifier.model=road", "classifier.classes=car"],
            "is a detector of the family nanodet_plus",
        ),
        (
            &["classifier.model=./gone.onnx", "classifier.classes=car"],
            "gone.onnx",
        ),
        (
            &[model, "classifier.classes=car", "classifier.max_boxes=0"],
            "classifier.max_boxes",
        ),
    ] {
        let error = error(set);
        assert!(error.contains(expected), "{set:?}: {error}");
    }
}
