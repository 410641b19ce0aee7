//! Labels out to people and back, as a user does it.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::asset;

const TEST: &str = "labels_go_out_and_come_back";

fn label(arguments: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .arg("label")
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    errors
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn labels_go_out_and_come_back() {
    let Some(bag) = asset(TEST, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (bag, out) = (bag.to_str().unwrap().to_owned(), path("out"));
    let export = ["export", &bag, "--output", &out, "--every", "50"];
    label(&export, 0);
    assert!(label(&export, 1).contains("--force"));
    let exported = read(&folder.path().join("out/annotations/instances_default.json"));
    let images = exported["images"].as_array().unwrap();
    assert_eq!(images.len(), 5);
    let annotations = exported["annotations"].as_array().unwrap();
    assert!(annotations.len() > 20 && annotations.iter().all(|a| a["score"].is_f64()));
    // the recording's own bytes
    let first = images[0]["file_name"].as_str().unwrap();
    let first = fs::read(folder.path().join("out/images").join(first)).unwrap();
    assert!(first.starts_with(b"\xff\xd8") && first.ends_with(b"\xff\xd9"));

    // what a labelling tool does to it
    let mut corrected = exported.clone();
    for image in corrected["images"].as_array_mut().unwrap() {
        let id = image["id"].as_u64().unwrap() + 100;
        let name = format!("upload/3f2a-{}", image["file_name"].as_str().unwrap());
        *image = json!({"id": id, "file_name": name, "width": image["width"], "height": image["height"]});
    }
    for annotation in corrected["annotations"].as_array_mut().unwrap() {
        annotation["image_id"] = json!(annotation["image_id"].as_u64().unwrap() + 100);
        annotation.as_object_mut().unwrap().remove("score");
    }
    corrected["annotations"].as_array_mut().unwrap().remove(0);
    fs::write(path("corrected.json"), corrected.to_string()).unwrap();
    let (file, labels) = (path("corrected.json"), path("labels.json"));
    label(&["import", &file, "--export", &out, "--output", &labels], 0);
    let labels = read(Path::new(&labels));
    assert_eq!(labels["images"], exported["images"]);
    let kept = labels["annotations"].as_array().unwrap();
    assert_eq!(kept.len(), annotations.len() - 1);
    assert_eq!(kept[0]["bbox"], annotations[1]["bbox"]);

    corrected["images"][0]["file_name"] = json!("another.jpg");
    corrected["images"][1]["width"] = json!(7);
    fs::write(path("corrected.json"), corrected.to_string()).unwrap();
    let told = label(&["import", &file, "--export", &out], 2);
    for part in ["another.jpg", "another size", "7x540"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = label(&["import", &file, "--export", &out, "--strict"], 1);
    assert!(told.contains("another.jpg"), "{told}");
}
