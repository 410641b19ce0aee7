//! Pictures and recordings that people sent because they went wrong.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use shuffledet_image::file_format::readable;
use shuffledet_image::{FileFormat, ImageDecoder};

use crate::pictures::program::{ends, json, shuffledet};
use shuffledet_testing as support;

const MODEL: [&str; 2] = ["--model", "nanodet_m_416"];
const ONE_WORKER: [&str; 2] = ["--set", "runtime.workers=1"];

/// One line for each image that `detect` could read.
fn detect(images: &[&Path], code: i32) -> (Vec<Value>, String) {
    let mut command = shuffledet("detect");
    command
        .args(images)
        .args(MODEL)
        .args(ONE_WORKER)
        .arg("--json");
    let ended = ends(&mut command, code);
    let lines = ended.stdout.lines();
    let lines = lines.map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), ended.stderr)
}

fn replay(bag: &Path, workers: u32, code: i32) -> Value {
    let mut command = shuffledet("replay");
    let workers = format!("runtime.workers={workers}");
    json(command.arg(bag).args(MODEL).args(["--set", &workers]), code)
}

/// Annotations of no object in these images of a folder.
fn annotations(folder: &Path, names: &[String]) -> std::path::PathBuf {
    let images = names
        .iter()
        .enumerate()
        .map(|(id, name)| json!({"id": id + 1, "file_name": name, "width": 0, "height": 0}));
    let images: Vec<_> = images.collect();
    let car = json!({"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0});
    let all =
        json!({"images": images, "annotations": [car], "categories": [{"id": 3, "name": "car"}]});
    let path = folder.join("annotations.json");
    fs::write(&path, all.to_string()).unwrap();
    path
}

/// `eval` on copies of `files`; the counts of frames.
fn eval(files: &[&Path], code: i32) -> Value {
    let folder = tempdir().unwrap();
    let names: Vec<String> = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let extension = file.extension().unwrap().to_str().unwrap();
            format!("{index}.{extension}")
        })
        .collect();
    for (file, name) in files.iter().zip(&names) {
        fs::copy(file, folder.path().join(name)).unwrap();
    }
    let annotations = annotations(folder.path(), &names);
    let mut command = shuffledet("eval");
    command.arg("--images").arg(folder.path());
    command.arg("--annotations").arg(annotations);
    json(command.args(MODEL).args(ONE_WORKER), code)["frames"].take()
}

#[test]
fn one_jpeg_with_two_start_markers_fails_and_no_other() {
    let test = "one_jpeg_with_two_start_markers_fails_and_no_other";
    let Some(folder) = support::asset(test, "reports/jpeg_decoder_poisoned") else {
        return;
    };
    let (bad, good) = (folder.join("two_soi.jpg"), folder.join("good.jpg"));
    for workers in [1, 3] {
        let summary = replay(&folder.join("two_soi_min.mcap"), workers, 2);
        assert_eq!(summary["frames"]["published"], 11, "{summary}");
        assert_eq!(summary["frames"]["failed"], json!({"damaged_image": 1}));
        let reason = summary["failures"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("two SOI markers"), "{reason}");
    }
    let (alone, _) = detect(&[&good], 0);
    let (lines, told) = detect(&[&bad, &good, &good], 2);
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines.iter().all(|line| *line == alone[0]));
    assert_eq!(told.matches("two SOI markers").count(), 1, "{told}");
    let frames = eval(&[&good, &bad, &good, &good], 2);
    assert_eq!(frames["published"], 3, "{frames}");
    assert_eq!(frames["failed"], json!({"damaged_image": 1}));

    // the same after other headers that libjpeg refuses
    let file = fs::read(&good).unwrap();
    let frame_header = file.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let other = tempdir().unwrap();
    let damaged = |name: &str, bytes: &[u8]| {
        let path = other.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let changed = |offset: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[frame_header + offset..][..bytes.len()].copy_from_slice(bytes);
        file
    };
    let bad = [
        damaged("tables.jpg", &file[..400]),
        damaged("none.jpg", &changed(5, &[0; 4])),
        damaged("huge.jpg", &changed(5, &[0xff; 4])),
        damaged("process.jpg", &changed(1, &[0xc5])),
        damaged("components.jpg", &changed(9, &[7])),
        damaged("short.jpg", &file[..50]),
    ];
    let images: Vec<&Path> = bad.iter().flat_map(|bad| [bad.as_path(), &good]).collect();
    let (lines, told) = detect(&images, 2);
    assert!(
        lines.len() == 6 && lines.iter().all(|line| *line == alone[0]),
        "{told}"
    );
    assert!(!told.contains("640x360"), "{told}");
}

#[test]
fn a_jpeg_that_lacks_its_end_marker_is_detected_in() {
    let test = "a_jpeg_that_lacks_its_end_marker_is_detected_in";
    let Some(file) = support::asset(test, "reports/jpeg_no_eoi/noeoi.jpg") else {
        return;
    };
    let folder = tempdir().unwrap();
    let bytes = fs::read(&file).unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let whole = images.join("whole.jpg");
    fs::write(&whole, [&bytes[..], b"\xff\xd9"].concat()).unwrap();
    fs::copy(&file, images.join("noeoi.jpg")).unwrap();

    let (lines, _) = detect(&[&file, &whole], 0);
    assert!(!lines[0]["detections"].as_array().unwrap().is_empty());
    assert_eq!(lines[0]["detections"], lines[1]["detections"]);
    let mut decoder = ImageDecoder::new();
    let pixels = decoder.decode_file(&bytes).unwrap().data().to_vec();
    let file_bytes = fs::read(&whole).unwrap();
    assert!(decoder.decode_file(&file_bytes).unwrap().data() == pixels);

    let bag = folder.path().join("bag");
    let mut import = shuffledet("import");
    ends(import.arg(&images).arg("--output").arg(&bag), 0);
    let summary = replay(&bag, 2, 0);
    assert_eq!(summary["frames"]["published"], 2, "{summary}");
    assert_eq!(eval(&[&file, &whole], 0)["published"], 2);

    // data of the picture itself
    for share in [60, 95] {
        let cut = folder.path().join("cut.jpg");
        fs::write(&cut, &bytes[..bytes.len() * share / 100]).unwrap();
        let (lines, told) = detect(&[&cut], 2);
        assert!(
            lines.is_empty() && told.contains("premature end of data segment"),
            "{told}"
        );
    }
}

#[test]
fn a_black_png_is_a_frame_without_objects() {
    let test = "a_black_png_is_a_frame_without_objects";
    let Some(folder) = support::asset(test, "reports/png_mono_uniform_refused") else {
        return;
    };
    let png = folder.join("black_mono8.png");
    let summary = replay(&folder.join("black_mono8.mcap"), 1, 0);
    assert_eq!(
        summary["frames"]["published"], summary["frames"]["received"],
        "{summary}"
    );
    assert!(summary["frames"]["received"].as_u64().unwrap() > 0);
    let (lines, _) = detect(&[&png], 0);
    assert_eq!(lines[0]["detections"], json!([]));
    assert_eq!(
        (&lines[0]["width"], &lines[0]["height"]),
        (&json!(640), &json!(480))
    );
    assert_eq!(eval(&[&png], 0)["published"], 1);
}

#[test]
fn a_format_that_opencv_does_not_read_is_named_with_those_that_it_does() {
    let test = "a_format_that_opencv_does_not_read_is_named_with_those_that_it_does";
    let Some(folder) = support::asset(test, "reports/avif_gif_called_damaged") else {
        return;
    };
    for (name, format) in [
        ("base.avif", FileFormat::Avif),
        ("base.gif", FileFormat::Gif),
    ] {
        let file = folder.join(name);
        if readable().contains(&format) {
            assert_eq!(detect(&[&file], 0).0.len(), 1);
            continue;
        }
        let (lines, told) = detect(&[&file], 2);
        assert!(lines.is_empty());
        let expected =
            format!("image is {format}, which this OpenCV does not read; it reads JPEG, PNG");
        assert!(told.contains(name) && told.contains(&expected), "{told}");
        assert!(!told.contains("damaged image"), "{told}");
        assert_eq!(eval(&[&file], 2)["failed"], json!({"unknown_format": 1}));
    }
}
