//! Detections and tensors against those of an independent implementation (numpy, cv2, onnxruntime).

mod support;

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use shuffledet::detect::settings::Thresholds;
use shuffledet::detect::{BBox, Detection, Detector, DetectorSettings};
use shuffledet::image::ImageDecoder;
use shuffledet::infer::{Provider, Runtime, SessionOptions};
use shuffledet::model::Model;

/// How close is close enough, as the goldens state it.
const MIN_IOU: f32 = 0.98;
const MAX_SCORE_DIFFERENCE: f32 = 0.01;

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
struct GoldenDetection {
    class_id: usize,
    score: f32,
    clipped: [f32; 4],
}

fn detector(model: &str, score: f32, nms_iou: f32) -> Detector {
    let runtime = Runtime::load().unwrap();
    let model = Model::load(model).unwrap();
    let thresholds = Thresholds {
        score: Some(score),
        nms_iou: Some(nms_iou),
        max_detections: 100,
        classes: Vec::new(),
        class_scores: BTreeMap::new(),
    };
    let settings = DetectorSettings::new(&thresholds, &model.description).unwrap();
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        strict: true,
        intra_op_threads: 1,
    };
    Detector::new(&runtime, &model, &options, settings).unwrap()
}

fn compare(image: &str, ours: &[Detection], golden: &[GoldenDetection], threshold: f32) {
    let mut unmatched = ours.to_vec();
    for expected in golden {
        let [x1, y1, x2, y2] = expected.clipped;
        let bbox = BBox { x1, y1, x2, y2 };
        let position = unmatched.iter().position(|d| {
            d.class_id == expected.class_id
                && d.bbox.iou(&bbox) >= MIN_IOU
                && (d.score - expected.score).abs() <= MAX_SCORE_DIFFERENCE
        });
        // the reference's own strict threshold may fall either way within the tolerance
        if position.is_none() && expected.score <= threshold + MAX_SCORE_DIFFERENCE {
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
    unmatched.retain(|d| d.score > threshold + MAX_SCORE_DIFFERENCE);
    assert!(
        unmatched.is_empty(),
        "{image}: not in the golden: {unmatched:?}"
    );
}

fn goldens_hold(test: &str, model: &str) {
    let Some(assets) = support::asset(test, "") else {
        return;
    };
    let text = fs::read_to_string(assets.join(format!("golden/{model}.json"))).unwrap();
    let golden: Golden = serde_json::from_str(&text).unwrap();
    let mut detector = detector(model, golden.conf_threshold, golden.nms_iou);
    let mut decoder = ImageDecoder::new().unwrap();
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
    goldens_hold("fastestdet_matches_the_reference", "fastestdet_352");
}

#[test]
fn nanodet_matches_the_reference() {
    goldens_hold("nanodet_matches_the_reference", "nanodet_m_416");
}
