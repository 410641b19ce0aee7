//! Labels as people's tools write them: what is in them counts, and what cannot be read is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::eval::program::{KEYS, coco, ends, eval, read, refusal, shuffledet};
use shuffledet_testing::{self as support, python};

const MODEL: [&str; 3] = ["--model", "nanodet_m_416", "--json"];

fn report(test: &str, name: &str) -> Option<PathBuf> {
    support::asset(test, &format!("reports/{name}"))
}

/// `eval` of the labels in one folder of images with the model of the reports.
fn command(images: &Path, labels: &Path) -> Command {
    let mut command = eval(&(images.to_owned(), labels.to_owned()));
    command.args(MODEL);
    command
}

fn evaluated(command: &mut Command) -> Value {
    serde_json::from_str(&ends(command, 0).stdout).unwrap()
}

fn figures(found: &Value) -> Vec<f64> {
    let figures = KEYS.iter().map(|key| found[*key].as_f64().unwrap());
    figures.collect()
}

/// The figures of pycocotools for results of ours.
fn theirs(test: &str, annotations: &Path, results: &Path) -> Option<Vec<f64>> {
    let mut python = python::python(test)?;
    let script = support::repository("tests/reference/coco_results.py");
    let told = python.arg(script).args([annotations, results]).output();
    let told = told.unwrap();
    assert!(told.status.success(), "{told:?}");
    Some(serde_json::from_slice(&told.stdout).unwrap())
}

fn assert_close(ours: &[f64], theirs: &[f64], place: &str) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
    assert_eq!(ours.len(), theirs.len());
    assert!(
        ours.iter().zip(theirs).all(close),
        "{place}: {ours:?}, {theirs:?}"
    );
}

#[test]
fn a_byte_order_mark_makes_up_no_kitti_type() {
    let test = "a_byte_order_mark_makes_up_no_kitti_type";
    let Some(folder) = report(test, "kitti_yolo_bom/k") else {
        return;
    };
    let mut command = command(&folder.join("images"), &folder.join("labels"));
    let found = evaluated(command.arg("--class-map").arg(folder.join("map.yaml")));
    assert!(
        (found["AP"].as_f64().unwrap() - 0.8).abs() < 0.002,
        "{}",
        found["AP"]
    );
    let categories = found["dataset"]["categories"].as_array().unwrap();
    let names = categories
        .iter()
        .map(|category| category["name"].as_str().unwrap());
    assert!(names.clone().all(|name| !name.contains('\u{feff}')));
    assert!(
        names.clone().any(|name| name == "Pedestrian"),
        "{categories:?}"
    );
}

#[test]
fn a_byte_order_mark_costs_no_yolo_object() {
    let test = "a_byte_order_mark_costs_no_yolo_object";
    let Some(folder) = report(test, "kitti_yolo_bom") else {
        return;
    };
    let images = folder.join("images");
    let found = evaluated(&mut command(&images, &folder.join("labels")));
    assert_eq!(
        found["problems"].get("malformed"),
        None,
        "{}",
        found["problems"]
    );
    // the same without marks, and as UTF-16
    let text = fs::read_to_string(folder.join("labels/coco_000000000072.txt")).unwrap();
    assert!(text.starts_with('\u{feff}'));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [
        text.trim_start_matches('\u{feff}').as_bytes().to_vec(),
        utf16,
    ] {
        let other = tempdir().unwrap();
        let labels = other.path().join("labels");
        fs::create_dir(&labels).unwrap();
        fs::copy(folder.join("data.yaml"), other.path().join("data.yaml")).unwrap();
        fs::write(labels.join("coco_000000000072.txt"), bytes).unwrap();
        let same = evaluated(&mut command(&images, &labels));
        assert_eq!(figures(&same), figures(&found));
    }
}

#[test]
fn one_bad_entry_does_not_reject_a_coco_file() {
    let test = "one_bad_entry_does_not_reject_a_coco_file";
    let Some(folder) = report(test, "coco_one_bad_entry") else {
        return;
    };
    let made = tempdir().unwrap();
    let found = |name: &str| {
        let (annotations, results) = (folder.join(name), made.path().join("results.json"));
        let mut command = command(&folder.join("images"), &annotations);
        let found = evaluated(command.arg("--coco-results").arg(&results).arg("--force"));
        if let Some(theirs) = theirs(test, &annotations, &results) {
            assert_close(&figures(&found), &theirs, name);
        }
        found
    };
    let whole = found("float_image_id.json");
    for same in ["string_bbox.json", "string_image_ids.json"] {
        let same = found(same);
        assert_eq!(figures(&same), figures(&whole));
        assert_eq!(same["problems"].get("malformed"), None);
    }
    let without = found("null_category.json");
    assert_ne!(without["AP"], whole["AP"]);
    let malformed = &without["problems"]["malformed"];
    assert_eq!(malformed["count"], 1, "{malformed}");
    let first = malformed["first"][0].as_str().unwrap();
    assert!(
        first.contains("598731") && first.contains("category_id") && first.contains("null"),
        "{first}"
    );
}

/// Twelve images of COCO with what `change` makes of each annotation.
fn changed(coco: &Path, folder: &Path, change: impl Fn(usize, &mut Value), texts: bool) -> PathBuf {
    let mut annotations = read(coco);
    let images = annotations["images"].as_array_mut().unwrap();
    images.truncate(12);
    let kept: Vec<Value> = images.iter().map(|image| image["id"].clone()).collect();
    let own = annotations["annotations"].as_array_mut().unwrap();
    own.retain(|annotation| kept.contains(&annotation["image_id"]));
    own.iter_mut()
        .enumerate()
        .for_each(|(index, annotation)| change(index, annotation));
    if texts {
        let text = |id: &mut Value| *id = id.to_string().into();
        for (list, key) in [
            ("images", "id"),
            ("annotations", "image_id"),
            ("annotations", "category_id"),
            ("categories", "id"),
        ] {
            let entries = annotations[list].as_array_mut().unwrap();
            entries.iter_mut().for_each(|entry| text(&mut entry[key]));
        }
    }
    let path = folder.join("annotations.json");
    fs::write(&path, annotations.to_string()).unwrap();
    path
}

#[test]
fn whatever_pycocotools_reads_has_its_figures() {
    let test = "whatever_pycocotools_reads_has_its_figures";
    let Some((images, annotations)) = coco(test) else {
        return;
    };
    let text_box = |a: &mut Value| {
        let sides = a["bbox"].as_array().unwrap().iter();
        a["bbox"] = sides.map(|side| json!(format!(" {side}"))).collect();
    };
    let float = |value: &Value| json!(value.as_f64().unwrap());
    type Change<'a> = (&'a str, Box<dyn Fn(usize, &mut Value) + 'a>, bool);
    let changes: [Change<'_>; 4] = [
        ("texts for ids", Box::new(|_, _| {}), true),
        (
            "floats and texts for numbers",
            Box::new(|index, a| match index % 4 {
                0 => a["image_id"] = float(&a["image_id"]),
                1 => a["category_id"] = float(&a["category_id"]),
                2 => text_box(a),
                _ => a["id"] = a["id"].to_string().into(),
            }),
            false,
        ),
        (
            "no category, and those of other types",
            Box::new(|index, a| match index % 9 {
                0 => a["category_id"] = Value::Null,
                3 => a["category_id"] = a["category_id"].to_string().into(),
                5 => a["image_id"] = a["image_id"].to_string().into(),
                _ => {}
            }),
            false,
        ),
        (
            "crowds of other types",
            Box::new(|index, a| match index % 5 {
                0 => a["iscrowd"] = json!(false),
                1 => a["iscrowd"] = json!("0"),
                2 => a["iscrowd"] = json!(true),
                3 => a["iscrowd"] = json!(0.5),
                _ => {}
            }),
            false,
        ),
    ];
    for (what, change, texts) in changes {
        let folder = tempdir().unwrap();
        let (path, results) = (
            changed(&annotations, folder.path(), change, texts),
            folder.path().join("results.json"),
        );
        let found = evaluated(command(&images, &path).arg("--coco-results").arg(&results));
        if let Some(theirs) = theirs(test, &path, &results) {
            assert_close(&figures(&found), &theirs, what);
        }
    }
}

#[test]
fn polygons_count_as_the_boxes_around_them() {
    let test = "polygons_count_as_the_boxes_around_them";
    let Some(folder) = report(test, "yolo_polygons") else {
        return;
    };
    let (images, labels) = (folder.join("images"), folder.join("labels"));
    let found = evaluated(&mut command(&images, &labels));
    assert_eq!(
        found["problems"].get("malformed"),
        None,
        "{}",
        found["problems"]
    );
    assert_eq!(
        found["images"][0]["objects"].as_array().map(Vec::len),
        Some(2)
    );
    // as boxes, and with one of each
    let text = fs::read_to_string(labels.join("coco_000000000072.txt")).unwrap();
    let boxes: Vec<String> = text
        .lines()
        .map(|line| {
            let numbers: Vec<f64> = line
                .split(' ')
                .map(|field| field.parse().unwrap())
                .collect();
            let sides = |axis: usize| numbers[axis..].iter().copied().step_by(2);
            let (left, right) = (sides(1).fold(1.0, f64::min), sides(1).fold(0.0, f64::max));
            let (top, bottom) = (sides(2).fold(1.0, f64::min), sides(2).fold(0.0, f64::max));
            format!(
                "{} {} {} {} {}",
                numbers[0],
                (left + right) / 2.0,
                (top + bottom) / 2.0,
                right - left,
                bottom - top
            )
        })
        .collect();
    let mixed = format!("{}\r\n{}\r\n", text.lines().next().unwrap(), boxes[1]);
    for text in [boxes.join("\n"), mixed] {
        let other = tempdir().unwrap();
        let labels = other.path().join("labels");
        fs::create_dir(&labels).unwrap();
        fs::copy(folder.join("data.yaml"), other.path().join("data.yaml")).unwrap();
        fs::write(labels.join("coco_000000000072.txt"), text).unwrap();
        let same = evaluated(&mut command(&images, &labels));
        assert_close(&figures(&same), &figures(&found), "boxes");
    }
}

#[test]
fn empty_label_files_are_called_that() {
    let test = "empty_label_files_are_called_that";
    let Some(folder) = report(test, "yolo_empty_labels") else {
        return;
    };
    let command = || command(&folder.join("images"), &folder.join("labels"));
    let ended = ends(&mut command(), 2);
    assert!(
        ended.stderr.starts_with("error: ") && ended.stdout.is_empty(),
        "{ended:?}"
    );
    assert!(
        ended.stderr.contains("every label file is empty (1)"),
        "{ended:?}"
    );
    let ended = ends(command().args(["--format", "yolo"]), 0);
    assert!(
        ended.stderr.contains("every label file is empty (1)"),
        "{ended:?}"
    );
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["problems"]["no_objects"]["count"], 1);
    let error = refusal(command().args(["--format", "yolo", "--strict"]));
    assert!(error.contains("every label file is empty (1)"), "{error}");
    let ended = ends(command().args(["--format", "kitti"]), 2);
    assert!(
        ended.stderr.contains("every label file is empty (1)"),
        "{ended:?}"
    );
}

#[test]
fn a_data_set_that_yields_nothing_says_why() {
    let test = "a_data_set_that_yields_nothing_says_why";
    let Some(folder) = report(test, "yolo_empty_labels") else {
        return;
    };
    let images = folder.join("images");
    let made = tempdir().unwrap();
    let labels = made.path().join("labels");
    fs::create_dir(&labels).unwrap();
    fs::copy(folder.join("data.yaml"), made.path().join("data.yaml")).unwrap();
    let told = |format: &[&str]| {
        let mut sweep = shuffledet("sweep");
        sweep.arg("--images").arg(&images);
        sweep.arg("--annotations").arg(&labels).args(format);
        let ended = ends(sweep.args(["--set", "detector.score_threshold=0.3,0.4"]), 2);
        assert!(
            ended.stdout.is_empty() && ended.stderr.starts_with("error: "),
            "{ended:?}"
        );
        let mut command = command(&images, &labels);
        ends(command.args(format), 2).stderr
    };
    assert!(told(&[]).contains("found nothing"));
    fs::write(labels.join("other.txt"), "0 0.5 0.5 0.1 0.1\n").unwrap();
    assert!(told(&[]).contains("but none has the name of an image"));
    fs::write(labels.join("coco_000000000072.txt"), "0 0.5 0.5 0.1 0.1\n").unwrap();
    fs::write(
        made.path().join("data.yaml"),
        "names: [Giraffa camelopardalis]",
    )
    .unwrap();
    assert!(told(&[]).contains("(Giraffa camelopardalis) is a class of the model (person, "));
    fs::write(
        labels.join("coco_000000000072.txt"),
        "giraffe at the left\n",
    )
    .unwrap();
    fs::remove_file(labels.join("other.txt")).unwrap();
    assert!(told(&[]).contains("no line of the labels is valid"));
    for format in ["kitti", "yolo"] {
        let told = told(&["--format", format]);
        assert!(
            told.contains("no annotation is usable (1 found)") && told.contains(":1: expected"),
            "{told}"
        );
    }
}
