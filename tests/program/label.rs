//! Labels out to people and back, as a user does it.

use shuffledet_testing::{self as support, python};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use shuffledet_image::BgrView;
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
    let model = ["--model", "nanodet_plus_m_416"];
    let export = [
        "export", &bag, "--output", &out, "--every", "50", model[0], model[1],
    ];
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

    // without the folder of the export
    let again = path("again.json");
    label(
        &["import", &file, "--recording", &bag, "--output", &again],
        0,
    );
    let again = read(Path::new(&again));
    for (ours, exported) in (again["images"].as_array().unwrap().iter()).zip(images) {
        for key in [
            "file_name",
            "width",
            "height",
            "topic",
            "stamp_ns",
            "frame_id",
        ] {
            assert_eq!(ours[key], exported[key], "{key}");
        }
    }
    assert_eq!(again["annotations"].as_array().unwrap().len(), kept.len());

    corrected["images"][0]["file_name"] = json!("another.jpg");
    corrected["images"][1]["width"] = json!(7);
    fs::write(path("corrected.json"), corrected.to_string()).unwrap();
    let told = label(&["import", &file, "--export", &out], 2);
    for part in ["another.jpg", "another size", "7x540"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = label(&["import", &file, "--export", &out, "--strict"], 1);
    assert!(told.contains("another.jpg"), "{told}");
    label(&["import", &file], 1);

    // fewer frames, of fewer detections, in place of those
    let (few, other) = (path("other.json"), path("out/images/mine.jpg"));
    fs::write(&other, "").unwrap();
    let again = [
        "--every",
        "100",
        "--score-threshold",
        "0.6",
        "--limit",
        "2",
        "--force",
    ];
    label(&[&export[..4], &again].concat(), 0);
    let few_exported = read(&folder.path().join("out/annotations/instances_default.json"));
    assert_eq!(few_exported["images"].as_array().unwrap().len(), 2);
    let scores = few_exported["annotations"].as_array().unwrap();
    assert!(scores.iter().all(|a| a["score"].as_f64().unwrap() >= 0.6));
    assert_eq!(
        fs::read_dir(folder.path().join("out/images"))
            .unwrap()
            .count(),
        3
    );
    fs::write(&few, few_exported.to_string()).unwrap();
    label(&["import", &few, "--export", &out], 0);
    assert!(
        label(&["export", &bag, "--output", &bag], 1).contains("is inside the input recording")
    );
}

#[test]
fn other_tools_read_what_is_exported() {
    const TEST: &str = "other_tools_read_what_is_exported";
    let (Some(bag), Some(mut python)) = (
        asset(TEST, "bags/dashcam_raw_sqlite3"),
        python::python(TEST),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (bag, out_text) = (bag.to_str().unwrap(), out.to_str().unwrap());
    label(&["export", bag, "--output", out_text, "--limit", "3"], 0);
    python.arg(support::repository("tests/reference/coco_objects.py"));
    let file = out.join("annotations/instances_default.json");
    let output = python.arg(&file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let exported = read(&file);
    assert_eq!(found["images"].as_object().unwrap().len(), 3);
    let objects = found["images"].as_object().unwrap().values();
    let count: usize = objects.map(|image| image.as_array().unwrap().len()).sum();
    assert!(count > 0);
    assert_eq!(count, exported["annotations"].as_array().unwrap().len());
    for image in exported["images"].as_array().unwrap() {
        let jpeg = fs::read(
            out.join("images")
                .join(image["file_name"].as_str().unwrap()),
        )
        .unwrap();
        let mut decoder = shuffledet_image::ImageDecoder::new();
        let picture = decoder.decode_file(&jpeg).unwrap();
        assert_eq!(json!(picture.width()), image["width"]);
    }
}

/// Writes pixels as a PPM file, which loses nothing.
fn write_ppm(path: &Path, picture: &BgrView<'_>) {
    let rows = picture.data().chunks(picture.step());
    let rows = rows.map(|row| &row[..3 * picture.width() as usize]);
    let rgb = rows.flat_map(|row| row.chunks(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]));
    let head = format!("P6 {} {} 255\n", picture.width(), picture.height());
    let bytes: Vec<u8> = head.into_bytes().into_iter().chain(rgb).collect();
    fs::write(path, bytes).unwrap();
}

/// Category, box and score of the labels of an image.
fn labels_of(exported: &Value, file_name: &str) -> Vec<(u64, [f64; 4], f64)> {
    let images = exported["images"].as_array().unwrap();
    let image = images.iter().find(|image| image["file_name"] == file_name);
    let id = &image.unwrap_or_else(|| panic!("{file_name}: {images:?}"))["id"];
    let labels = exported["annotations"].as_array().unwrap().iter();
    let labels = labels.filter(|label| label["image_id"] == *id);
    let label = |label: &Value| {
        let bbox = serde_json::from_value(label["bbox"].clone()).unwrap();
        let score = label["score"].as_f64().unwrap();
        (label["category_id"].as_u64().unwrap(), bbox, score)
    };
    labels.map(label).collect()
}

#[test]
fn fused_labels_of_a_picture_and_of_its_mirror_image_are_mirror_images() {
    const TEST: &str = "fused_labels_of_a_picture_and_of_its_mirror_image_are_mirror_images";
    let Some(pictures) = asset(TEST, "images") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let own = path("own");
    fs::create_dir(&own).unwrap();
    let jpeg = fs::read(pictures.join("udacity_vd_test1.jpg")).unwrap();
    let mut decoder = shuffledet_image::ImageDecoder::new();
    let picture = decoder.decode_file(&jpeg).unwrap();
    write_ppm(&own.join("plain.ppm"), &picture);
    let mut mirror = shuffledet_image::Mirror::default();
    write_ppm(
        &own.join("mirrored.ppm"),
        &mirror.mirrored(&picture).unwrap(),
    );
    fs::write(own.join("damaged.jpg"), [0xff, 0xd8, 1]).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let export = |out: &str, workers: &str| {
        let (images, out) = (text(&own), text(&path(out)));
        let workers = format!("runtime.workers={workers}");
        let options = [
            "export",
            "--images",
            &images,
            "--output",
            &out,
            "--model",
            "fastestdet_352",
            "--classes",
            "road",
            "--multi-scale",
            "--set",
            &workers,
        ];
        // the damaged picture
        assert!(label(&options, 2).contains("damaged.jpg: failed"));
        read(&path(&out).join("annotations/instances_default.json"))
    };
    let exported = export("out", "1");
    let categories = exported["categories"].as_array().unwrap();
    assert_eq!(categories.len(), 9);
    let images = exported["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    assert!(images.iter().all(|image| image.get("topic").is_none()));
    let plain = labels_of(&exported, "plain.ppm");
    let mirrored = labels_of(&exported, "mirrored.ppm");
    assert!(!plain.is_empty());
    assert_eq!(plain.len(), mirrored.len());
    let width = f64::from(picture.width());
    for (category, [x, y, w, h], score) in &plain {
        let is_mirrored = |other: &&(u64, [f64; 4], f64)| {
            let expected = [width - x - w, *y, *w, *h];
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 0.05;
            other.0 == *category
                && (other.2 - score).abs() < 1e-3
                && expected.iter().zip(&other.1).all(near)
        };
        assert!(
            mirrored.iter().any(|other| is_mirrored(&other)),
            "{x} {mirrored:?}"
        );
    }
    for label in exported["annotations"].as_array().unwrap() {
        let score = label["score"].as_f64().unwrap();
        assert!(score >= 0.25);
        assert_eq!(label.get("review").is_some(), score < 0.5, "{label}");
    }
    // any number of workers, at any time
    assert_eq!(export("again", "2"), exported);
    assert!(own.join("damaged.jpg").exists());
}

#[test]
fn pictures_beyond_the_limits_were_labelled_at_several_scales() {
    const TEST: &str = "pictures_beyond_the_limits_were_labelled_at_several_scales";
    let Some(pictures) = asset(TEST, "images") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::copy(pictures.join("udacity_vd_test1.jpg"), own.join("a.jpg")).unwrap();
    let (own, out) = (own.to_str().unwrap(), folder.path().join("out"));
    let out = out.to_str().unwrap();
    let model = ["--model", "fastestdet_352", "--multi-scale=1"];
    let limit = ["--set", "input.max_pixels=1000"];
    let export = ["export", "--images", own, "--output", out];
    let errors = label(&[&export[..], &model, &limit].concat(), 2);
    assert!(
        errors.contains("a.jpg: failed") && errors.contains("input.max_pixels"),
        "{errors}"
    );
}

#[test]
fn hard_pictures_are_few_of_each_scene_and_the_same_each_time() {
    const TEST: &str = "hard_pictures_are_few_of_each_scene_and_the_same_each_time";
    let Some(pictures) = asset(TEST, "images") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    for (name, picture) in [
        ("a.jpg", "udacity_vd_test1.jpg"),
        ("b.jpg", "udacity_vd_test1.jpg"),
        ("c.jpg", "udacity_ll_whiteCarLaneSwitch.jpg"),
        ("d.jpg", "udacity_vd_test5.jpg"),
    ] {
        fs::copy(pictures.join(picture), own.join(name)).unwrap();
    }
    let export = |out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let (images, out_text) = (own.to_str().unwrap(), out.to_str().unwrap());
        let options = [
            "export",
            "--images",
            images,
            "--output",
            out_text,
            "--model",
            "nanodet_m_416",
            "--classes",
            "road",
        ];
        label(&[&options, more].concat(), 0);
        read(&out.join("annotations/instances_default.json"))
    };
    let names = |exported: &Value| -> Vec<String> {
        let images = exported["images"].as_array().unwrap().iter();
        images
            .map(|image| image["file_name"].as_str().unwrap().to_owned())
            .collect()
    };
    let three = export("three", &["--hard", "3"]);
    // the second of two equal pictures teaches nothing more, and one without scores near the threshold nothing
    assert_eq!(names(&three), ["a.jpg", "d.jpg"]);
    assert_eq!(
        export("again", &["--hard", "3", "--set", "runtime.workers=2"]),
        three
    );
    // as without a choice
    let all = export("all", &[]);
    for name in ["a.jpg", "d.jpg"] {
        assert_eq!(labels_of(&three, name), labels_of(&all, name));
    }
    let one = export("one", &["--hard", "1", "--second-model", "fastestdet_352"]);
    assert_eq!(names(&one).len(), 1);
}

#[test]
fn options_of_pictures_and_scales_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().to_str().unwrap();
    let out = folder.path().join("out");
    let export = [
        "export",
        "--images",
        images,
        "--output",
        out.to_str().unwrap(),
    ];
    let error = |more: &[&str]| label(&[&export[..], more].concat(), 1);
    assert!(error(&[]).contains("found none"));
    assert!(error(&["--accept", "0.4"]).contains("--multi-scale"));
    assert!(error(&["--multi-scale", "--review", "0.6"]).contains("at most the score of --accept"));
    assert!(error(&["--multi-scale", "--accept", "1.5"]).contains("from 0 to 1"));
    assert!(error(&["--multi-scale=1,9"]).contains("from 0.25 to 4"));
    assert!(error(&["--topic", "/camera"]).contains("--topic"));
    assert!(error(&["--hard", "0"]).contains("--hard"));
    assert!(error(&["--second-model", "nanodet_m_416"]).contains("--hard"));
    fs::write(folder.path().join("a.jpg"), [0xff, 0xd8, 1]).unwrap();
    assert!(error(&["--classes", "tram"]).contains("no class \"tram\""));
    assert!(!out.exists());
}
