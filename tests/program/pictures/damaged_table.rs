//! A JPEG with a damaged Huffman table has wrong pixels. It is decoded, and every command says so.

use std::fs;

use serde_json::json;
use shuffledet_image::{ImageDecoder, JpegScale};
use turbojpeg::Subsamp;

use crate::eval::program::eval;
use crate::pictures::corpus::{jpeg, with_damaged_table};
use crate::pictures::program::{ends, json, shuffledet};
use crate::replay::program::{replay, summary};
use crate::replay::recordings::{self, compressed};

/// A file, and the same file with a damaged table.
fn files() -> (Vec<u8>, Vec<u8>) {
    // of a smaller file the decoder may run out of data, which is another kind of damage
    let file = jpeg(320, 240, 3, |c| {
        c.set_quality(90).unwrap();
        c.set_subsamp(Subsamp::Sub2x2).unwrap();
    });
    let damaged = with_damaged_table(&file);
    (file, damaged)
}

#[test]
fn a_damaged_huffman_table_gave_wrong_pixels_without_a_word() {
    let (smooth, damaged) = files();
    let mut decoder = ImageDecoder::new();
    let right = decoder.decode_file(&smooth).unwrap();
    assert_eq!(right.damage(), None);
    let right = right.data().to_vec();
    let wrong = decoder.decode_file(&damaged).unwrap();
    assert!(wrong.damage().is_some());
    assert!(wrong.data() != right);
    // the same in the form that the model's input takes
    decoder.set_jpeg_scale(JpegScale::Auto);
    let planes = decoder.file_pixels(&damaged, |_| (320, 240)).unwrap();
    assert!(planes.damage().is_some());
    let planes = decoder.file_pixels(&smooth, |_| (320, 240)).unwrap();
    assert_eq!(planes.damage(), None);
}

#[test]
fn detect_and_eval_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (smooth, damaged) = files();
    fs::write(folder.path().join("right.jpg"), smooth).unwrap();
    fs::write(folder.path().join("wrong.jpg"), damaged).unwrap();
    let mut detect = shuffledet("detect");
    let ended = ends(
        detect.current_dir(&folder).args(["right.jpg", "wrong.jpg"]),
        0,
    );
    assert!(
        ended.stderr.contains("wrong.jpg: damaged JPEG: "),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("right.jpg"), "{ended:?}");

    let image =
        |id: u64, name: &str| json!({"id": id, "file_name": name, "width": 320, "height": 240});
    let annotations = json!({
        "categories": [{"id": 3, "name": "car"}],
        "images": [image(1, "right.jpg"), image(2, "wrong.jpg")],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 50, 50], "area": 2500, "iscrowd": 0}],
    });
    let path = folder.path().join("annotations.json");
    fs::write(&path, annotations.to_string()).unwrap();
    let evaluation = json(&mut eval(&(folder.path().to_owned(), path)), 0);
    let damaged = &evaluation["problems"]["image_damaged"];
    assert_eq!(damaged["count"], 1, "{evaluation}");
    let told = damaged["first"][0].as_str().unwrap();
    assert!(told.starts_with("wrong.jpg: damaged JPEG: "), "{told}");
}

#[test]
fn replay_names_the_topic_and_the_first_stamp() {
    let folder = tempfile::tempdir().unwrap();
    let (smooth, damaged) = files();
    let messages = [(1, &smooth), (2, &damaged), (3, &damaged)]
        .map(|(s, file)| compressed(s * 1_000_000_000, file));
    let bag = recordings::write(folder.path(), &messages);
    let summary = summary(&mut replay(&bag), 0);
    assert_eq!(summary["frames"]["published"], 3);
    let warnings = summary["warnings"].to_string();
    for part in [
        "2 frames decoded from damaged data",
        "stamp 2000000000 ns",
        "damaged JPEG",
    ] {
        assert!(warnings.contains(part), "{warnings}");
    }
}
