//! Detections and tensors against those of an independent implementation (numpy, cv2, onnxruntime).

use shuffledet_testing::{self as support, detector, python};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencv::core::{Mat, MatTraitConstManual};
use opencv::videoio::{CAP_ANY, VideoCapture, VideoCaptureTrait};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use detector::detector;
use shuffledet_core::locations;
use shuffledet_core::{BBox, Detection, Regions};
use shuffledet_image::{BgrView, ImageDecoder};

/// The description of the shared NanoDet-Plus-m.
pub const NANODET_PLUS: &str = "family: nanodet_plus\nlabels: coco\nscore_threshold: 0.35\nnms_iou_threshold: 0.6\n\
    input: {width: 416, height: 416, colour: bgr, resize: stretch, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395]}\n";

/// How close is close enough.
#[derive(Clone, Copy, Deserialize)]
struct Tolerance {
    /// At least.
    iou: f32,
    /// At most.
    score: f32,
    /// Golden detections are looked for that score more than the threshold and this.
    #[serde(default)]
    above_threshold: f32,
}

/// As the shared goldens state it.
const EXACT: Tolerance = Tolerance {
    iou: 0.98,
    score: 0.01,
    above_threshold: 0.01,
};

#[derive(Deserialize)]
struct Golden {
    conf_threshold: f32,
    nms_iou: f32,
    images: Vec<GoldenImage>,
}

#[derive(Deserialize)]
struct GoldenImage {
    png: String,
    detections: Vec<GoldenDetection>,
}

#[derive(Deserialize)]
pub struct GoldenDetection {
    class_id: usize,
    score: f32,
    /// Corners in pixels of the image.
    #[serde(alias = "box")]
    clipped: [f32; 4],
}

/// Takes from `ours` what is in the golden, and fails where it lacks something.
fn find_all(
    image: &str,
    ours: &[Detection],
    golden: &[GoldenDetection],
    threshold: f32,
    tolerance: Tolerance,
) -> Vec<Detection> {
    let mut unmatched = ours.to_vec();
    for expected in golden {
        let [x1, y1, x2, y2] = expected.clipped;
        let bbox = BBox { x1, y1, x2, y2 };
        let position = unmatched.iter().position(|d| {
            d.class_id == expected.class_id
                && d.bbox.iou(&bbox) >= tolerance.iou
                && (d.score - expected.score).abs() <= tolerance.score
        });
        // the reference's own strict threshold may fall either way within the tolerance
        if position.is_none() && expected.score <= threshold + tolerance.above_threshold {
            continue;
        }
        let position = position.unwrap_or_else(|| {
            panic!(
                "{image}: no match for class {} {bbox:?} {}",
                expected.class_id, expected.score
            )
        });
        unmatched.swap_remove(position);
    }
    unmatched
}

pub fn compare(image: &str, ours: &[Detection], golden: &[GoldenDetection], threshold: f32) {
    let mut unmatched = find_all(image, ours, golden, threshold, EXACT);
    unmatched.retain(|d| d.score > threshold + EXACT.score);
    assert!(
        unmatched.is_empty(),
        "{image}: not in the golden: {unmatched:?}"
    );
}

/// Compares `model`, which is `golden` or another file of the same network.
fn goldens_hold(test: &str, golden: &str, model: &str) {
    let Some(assets) = support::asset(test, "") else {
        return;
    };
    let text = fs::read_to_string(assets.join(format!("golden/{golden}.json"))).unwrap();
    let golden: Golden = serde_json::from_str(&text).unwrap();
    let mut detector = detector(model, Some(golden.conf_threshold), Some(golden.nms_iou));
    let mut decoder = ImageDecoder::new();
    assert!(!golden.images.is_empty());
    for image in &golden.images {
        let file = fs::read(assets.join(&image.png)).unwrap();
        let picture = decoder.decode_file(&file).unwrap();
        let ours = detector.detect(&picture).unwrap();
        compare(&image.png, ours, &image.detections, golden.conf_threshold);
    }
}

#[test]
fn fastestdet_matches_the_reference() {
    let model = "fastestdet_352";
    goldens_hold("fastestdet_matches_the_reference", model, model);
}

#[test]
fn nanodet_matches_the_reference() {
    let model = "nanodet_m_416";
    goldens_hold("nanodet_matches_the_reference", model, model);
}

/// Compares a model of the shared assets that is described by `yaml`.
fn described_goldens_hold(test: &str, model: &str, yaml: &str) {
    let Some(onnx) = support::asset(test, &format!("models/{model}.onnx")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.onnx");
    fs::copy(onnx, &copy).unwrap();
    fs::write(copy.with_extension("yaml"), yaml).unwrap();
    goldens_hold(test, model, copy.to_str().unwrap());
}

#[test]
fn nanodet_plus_matches_the_reference() {
    let test = "nanodet_plus_matches_the_reference";
    described_goldens_hold(test, "nanodet_plus_m_416", NANODET_PLUS);
}

#[test]
fn yolo_fastestv2_matches_the_reference() {
    let yaml = "family: yolo_fastestv2\nlabels: coco\nscore_threshold: 0.3\nnms_iou_threshold: 0.4\n\
        anchors: [[12.64, 19.39], [37.88, 51.48], [55.71, 138.31], [126.91, 78.23], [131.57, 214.55], [279.92, 258.87]]\n\
        input: {width: 352, height: 352, colour: bgr, resize: stretch, mean: [0, 0, 0], std: [255, 255, 255]}\n";
    let test = "yolo_fastestv2_matches_the_reference";
    described_goldens_hold(test, "yolo_fastestv2_352", yaml);
}

/// Writes each array of an `.npz` as plain little-endian f32, in a file of its name, and prints the names in order.
const UNPACK: &str = "
import sys, numpy
arrays = numpy.load(sys.argv[1])
for name in arrays.files:
    arrays[name].astype('<f4').tofile(f'{sys.argv[2]}/{name}')
    print(name)
";

fn unpack(python: &mut Command, npz: &Path) -> Vec<(String, Vec<f32>)> {
    let folder = tempfile::tempdir().unwrap();
    let output = python
        .arg("-c")
        .arg(UNPACK)
        .arg(npz)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).unwrap();
    names
        .lines()
        .map(|name| {
            let bytes = fs::read(folder.path().join(name)).unwrap();
            let values = bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            (name.to_owned(), values.collect())
        })
        .collect()
}

fn assert_close(name: &str, ours: &[f32], golden: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), golden.len(), "{name}");
    let differences = ours.iter().zip(golden).map(|(a, b)| (a - b).abs());
    // NaN is within nothing
    let wrong = differences
        .enumerate()
        .find(|(_, difference)| !(0.0..=tolerance).contains(difference));
    assert!(
        wrong.is_none(),
        "{name}: index and difference {wrong:?}, expected at most {tolerance}"
    );
}

fn tensors_hold(test: &str, model: &str, npz: &str) {
    let Some(assets) = support::asset(test, "golden") else {
        return;
    };
    let Some(mut python) = python::python(test) else {
        return;
    };
    let golden = unpack(&mut python, &assets.join(npz));
    let mut decoder = ImageDecoder::new();
    let mut detector = detector(model, None, None);
    let png = fs::read(assets.join("png/coco_000000000257.png")).unwrap();
    let image = decoder.decode_file(&png).unwrap();
    detector.begin(image.image_size(), &Regions::WHOLE);
    detector.prepare(&image, 0).unwrap();
    let input = golden.iter().find(|(name, _)| name == "input").unwrap();
    assert_close("input", detector.input().1, &input.1, 1e-4);
    let outputs = detector.infer().unwrap();
    let ours = outputs.outputs().values().unwrap();
    for (index, values) in ours.iter().enumerate() {
        let (name, golden) = golden
            .iter()
            .find(|(name, _)| name.starts_with(&format!("out{index}_")))
            .unwrap();
        assert_close(name, values, golden, 1e-3);
    }
    assert_eq!(ours.len() + 1, golden.len());
}

#[test]
fn fastestdet_has_the_tensors_of_the_reference() {
    let npz = "fastestdet_coco_000000000257.npz";
    tensors_hold(
        "fastestdet_has_the_tensors_of_the_reference",
        "fastestdet_352",
        npz,
    );
}

#[test]
fn nanodet_has_the_tensors_of_the_reference() {
    let npz = "nanodet_m_416_coco_000000000257.npz";
    tensors_hold(
        "nanodet_has_the_tensors_of_the_reference",
        "nanodet_m_416",
        npz,
    );
}

/// `tests/golden/*.json`; `tests/reference/README.md` says what they hold.
#[derive(Deserialize)]
struct VideoGolden {
    score_threshold: f32,
    nms_iou: f32,
    tolerance: Tolerance,
    tolerance_other_bgr: Tolerance,
    video: String,
    frames: Vec<VideoFrame>,
}

#[derive(Deserialize)]
struct VideoFrame {
    index: u32,
    bgr_sha256: String,
    detections: Vec<GoldenDetection>,
}

/// The sample as it was fetched, or that of the shared assets.
fn sample_video(test: &str, name: &str) -> Option<PathBuf> {
    let fetched = locations::model_folder().join(name);
    if fetched.exists() {
        Some(fetched)
    } else {
        support::asset(test, &format!("video/{name}"))
    }
}

fn video_goldens_hold(test: &str, model: &str) {
    let text =
        fs::read_to_string(support::repository(&format!("tests/golden/{model}.json"))).unwrap();
    let golden: VideoGolden = serde_json::from_str(&text).unwrap();
    let Some(path) = sample_video(test, &golden.video) else {
        return;
    };
    let mut video = VideoCapture::from_file(path.to_str().unwrap(), CAP_ANY).unwrap();
    let mut detector = detector(model, Some(golden.score_threshold), Some(golden.nms_iou));
    let mut picture = Mat::default();
    let mut next = 0;
    assert!(!golden.frames.is_empty());
    for frame in &golden.frames {
        while next <= frame.index {
            assert!(
                video.read(&mut picture).unwrap(),
                "{}: ends at {next}",
                path.display()
            );
            next += 1;
        }
        let digest = Sha256::digest(picture.data_bytes().unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let same = digest == frame.bgr_sha256;
        let tolerance = if same {
            Tolerance {
                above_threshold: golden.tolerance.score,
                ..golden.tolerance
            }
        } else {
            golden.tolerance_other_bgr
        };
        let ours = detector
            .detect(&BgrView::from_mat(&picture).unwrap())
            .unwrap();
        let name = format!("frame {}", frame.index);
        let mut further = find_all(
            &name,
            ours,
            &frame.detections,
            golden.score_threshold,
            tolerance,
        );
        further.retain(|d| same && d.score > golden.score_threshold + tolerance.score);
        assert!(further.is_empty(), "{name}: not in the golden: {further:?}");
    }
}

#[test]
fn fastestdet_sees_in_the_sample_video_what_the_reference_sees() {
    let test = "fastestdet_sees_in_the_sample_video_what_the_reference_sees";
    video_goldens_hold(test, "fastestdet_352");
}

#[test]
fn nanodet_sees_in_the_sample_video_what_the_reference_sees() {
    let test = "nanodet_sees_in_the_sample_video_what_the_reference_sees";
    video_goldens_hold(test, "nanodet_m_416");
}
