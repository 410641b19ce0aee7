//! What is wrong with annotations and images is named and counted, and nothing is written over what is read.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::eval::program::{coco, ends, eval, refusal};

/// Four images: one whose size is another than annotated, one damaged, one that is missing, and one that is right.
fn troubled(coco: &(PathBuf, PathBuf)) -> (TempDir, (PathBuf, PathBuf)) {
    let folder = tempdir().unwrap();
    let mut annotations: Value =
        serde_json::from_str(&fs::read_to_string(&coco.1).unwrap()).unwrap();
    let images = annotations["images"].as_array_mut().unwrap();
    images.truncate(4);
    images[0]["width"] = json!(1);
    let names: Vec<String> = images
        .iter()
        .map(|image| image["file_name"].as_str().unwrap().to_owned())
        .collect();
    let copy = |name: &str| fs::copy(coco.0.join(name), folder.path().join(name)).unwrap();
    copy(&names[0]);
    copy(&names[3]);
    fs::write(folder.path().join(&names[1]), b"\xff\xd8 no picture").unwrap();
    let path = folder.path().join("annotations.json");
    fs::write(&path, annotations.to_string()).unwrap();
    let paths = (folder.path().to_owned(), path);
    (folder, paths)
}

#[test]
fn problems_are_named_and_counted() {
    let Some(coco) = coco("problems_are_named_and_counted") else {
        return;
    };
    let (_folder, troubled) = troubled(&coco);
    let ended = ends(eval(&troubled).arg("--json"), 2);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let frames = &found["frames"];
    assert_eq!(
        (&frames["received"], &frames["published"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(
        frames["failed"],
        json!({"damaged_image": 1, "image_missing": 1})
    );
    let problems = &found["problems"];
    for (kind, told) in [
        ("image_missing", "No such file"),
        ("image_size", "annotated as 1x"),
        ("image_failed", "damaged JPEG"),
    ] {
        assert_eq!(problems[kind]["count"], 1, "{problems}");
        assert!(
            problems[kind]["first"][0].as_str().unwrap().contains(told),
            "{problems}"
        );
    }
    assert!(
        problems["unknown_image"]["count"].as_u64() > Some(100),
        "{problems}"
    );
    assert!(
        ended
            .stderr
            .contains("1 image of another size than annotated"),
        "{ended:?}"
    );

    let ended = ends(&mut eval(&troubled), 2);
    assert!(
        ended.stdout.contains("\nproblem     1 image not found: "),
        "{ended:?}"
    );
    let error = refusal(eval(&troubled).arg("--strict"));
    assert!(
        error.contains("--strict: ") && error.contains("annotations of images that are not listed"),
        "{error}"
    );
}

#[test]
fn strict_stops_at_the_first_image_that_is_not_right() {
    let Some(coco) = coco("strict_stops_at_the_first_image_that_is_not_right") else {
        return;
    };
    let folder = tempdir().unwrap();
    let empty = (folder.path().to_owned(), coco.1);
    let model = ["--model", "nanodet_plus_m_416"];
    let error = refusal(eval(&empty).args(model).arg("--strict"));
    assert!(
        error.contains("--strict: 1 image not found: coco_"),
        "{error}"
    );
}

#[test]
fn what_is_read_is_not_written_over() {
    let Some(coco) = coco("what_is_read_is_not_written_over") else {
        return;
    };
    let (folder, troubled) = troubled(&coco);
    let annotations = troubled.1.to_str().unwrap();
    for option in ["--output", "--report", "--coco-results"] {
        let error = refusal(eval(&troubled).args([option, annotations, "--force"]));
        assert!(
            error.contains(option) && error.contains("would overwrite an input"),
            "{error}"
        );
    }
    let twice = folder.path().join("x");
    let twice = twice.to_str().unwrap();
    let error = refusal(eval(&troubled).args(["--output", twice, "--report", twice]));
    assert!(
        error.contains("another output has the same path"),
        "{error}"
    );
    fs::write(twice, "mine").unwrap();
    let error = refusal(eval(&troubled).args(["--output", twice]));
    assert!(error.contains("exists; use --force"), "{error}");
    assert_eq!(fs::read_to_string(twice).unwrap(), "mine");
}
