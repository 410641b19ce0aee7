//! `shuffledet-train check` on data that is broken in every way it knows.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

/// Writes a picture of `width` x `height` pixels whose content depends on `seed`.
fn picture(path: &Path, width: usize, height: usize, seed: u8) {
    let pixels: Vec<u8> = (0..3 * width * height)
        .map(|index| (index * 31 % 253) as u8 ^ seed)
        .collect();
    let header = format!("P6 {width} {height} 255\n");
    fs::write(path, [header.as_bytes(), &pixels].concat()).unwrap();
}

fn check(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shuffledet-train"))
        .arg("check")
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text + &errors)
}

#[test]
fn each_problem_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for (index, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        picture(&images.join(format!("{name}.ppm")), 40, 30, index as u8);
    }
    // one picture on both sides of the split, one of another size, one that is none, one that is not there
    fs::copy(images.join("a.ppm"), images.join("val.ppm")).unwrap();
    picture(&images.join("b.ppm"), 20, 30, 9);
    fs::write(images.join("c.ppm"), "no picture").unwrap();
    fs::remove_file(images.join("d.ppm")).unwrap();
    let image = |id: u64, name: &str| json!({"id": id, "file_name": format!("{name}.ppm"), "width": 40, "height": 30});
    let object = |id: u64, image: u64, category: u64, bbox: [f64; 4]| json!({"id": id, "image_id": image, "category_id": category, "bbox": bbox, "area": 1.0, "iscrowd": 0});
    let labels = json!({
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}, {"id": 3, "name": "kite"}],
        "images": [image(1, "a"), image(2, "b"), image(3, "c"), image(4, "d"), image(5, "e"), image(6, "val")],
        "annotations": [
            object(1, 1, 1, [1.0, 1.0, 5.0, 5.0]),
            object(2, 5, 1, [30.0, 20.0, 30.0, 5.0]),
            object(3, 5, 1, [3.0, 3.0, 0.0, 5.0]),
            object(4, 5, 3, [3.0, 3.0, 5.0, 5.0]),
        ],
    });
    fs::write(folder.path().join("labels.json"), labels.to_string()).unwrap();
    fs::write(folder.path().join("val_list.txt"), "val.ppm\n").unwrap();
    let (output, text) = check(&[folder.path().to_str().unwrap(), "--classes", "car,bus"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for expected in [
        "c.ppm:",
        "d.ppm: No such file",
        "b.ppm: 20x30, annotated as 40x30",
        "e.ppm: [30, 20, 30, 5] in 40x30",
        "1 box without area",
        "a.ppm and val.ppm have the same bytes",
        "car: 2 to learn from",
        "bus: none to learn from",
        "kite: 1 boxes",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[test]
fn labels_of_another_format_are_refused_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::create_dir(folder.path().join("labels")).unwrap();
    picture(&folder.path().join("images/a.ppm"), 40, 30, 0);
    fs::write(folder.path().join("labels/a.txt"), "<xml>\n").unwrap();
    let (output, text) = check(&[folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("expected KITTI's lines"), "{text}");
    let (output, text) = check(&["/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("/nowhere: expected a file of COCO annotations"),
        "{text}"
    );
}
