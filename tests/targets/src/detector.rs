//! The detector's own files: parameters, manifests, descriptions; and the outputs of networks.

use std::path::Path;
use std::sync::LazyLock;

use shuffledet_core::yaml;
use shuffledet_detector::config::{Config, check_ros_file};
use shuffledet_detector::detect::{ObjectGroups, nms::Suppressor};
use shuffledet_detector::model::manifest::ManifestError;
use shuffledet_detector::model::{Manifest, ModelDescription, OutputDecoder};

use crate::draw::Draw;
use crate::scratch;

/// The first check: the file is YAML with the node's parameters in it, right or wrong.
pub fn parameter_yaml(input: &[u8]) -> bool {
    let path = scratch::file("parameters.yaml", input);
    let _ = check_ros_file(&path, "/shuffledet");
    match Config::load(Some(&path), None, &[]) {
        Ok(config) => {
            let again = Config::from_tree(config.to_tree(), "again");
            assert!(again.is_ok(), "{again:?}");
            true
        }
        Err(error) => !error.to_string().contains("YAML"),
    }
}

pub fn manifest(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    let Ok(manifest) = yaml::parse::<Manifest>(text) else {
        return false;
    };
    for entry in &manifest.models {
        let _ = manifest.describe(entry);
    }
    true
}

pub fn sidecar(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else {
        return false;
    };
    describe(text).is_ok()
}

fn describe(text: &str) -> Result<ModelDescription, ManifestError> {
    static SHIPPED: LazyLock<Manifest> =
        LazyLock::new(|| Manifest::shipped().expect("the shipped manifest is right"));
    SHIPPED.describe_sidecar(text, Path::new("model.yaml"))
}

/// The families with small inputs of two classes, and the ranks of their outputs.
const FAMILIES: [(&str, &[usize]); 6] = [
    ("family: fastestdet", &[3]),
    ("family: nanodet", &[2; 6]),
    ("family: nanodet_plus", &[2]),
    (
        "family: yolo_fastestv2\nanchors: [[10, 10], [20, 20], [30, 30], [40, 40], [50, 50], [60, 60]]",
        &[3; 6],
    ),
    (
        "family: boxes\nboxes: {axes: [boxes, features], form: xyxy, unit: pixels, objectness_at: 4, classes_at: 5, boxes_per_cell: 3}",
        &[2],
    ),
    (
        "family: boxes\nboxes: {axes: [features, boxes], form: cxcywh, unit: shares, classes_at: 4, class_activation: softmax, boxes_per_cell: 1}",
        &[2],
    ),
];

const INPUT: &str = "
input: {width: 64, height: 32, colour: bgr, resize: stretch, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [car, person]
score_threshold: 0.3
nms_iou_threshold: 0.5
";

/// A family, a threshold, and values that fill the outputs again and again. The first check: every value is valid.
pub fn outputs_to_boxes(input: &[u8]) -> bool {
    let mut draw = Draw(input);
    let (family, ranks) = FAMILIES[usize::from(draw.byte()) % FAMILIES.len()];
    let threshold = f32::from(draw.byte()) / 255.0;
    if draw.is_empty() {
        return false;
    }
    let model =
        describe(&format!("{family}{INPUT}")).unwrap_or_else(|error| panic!("{family}: {error}"));
    let open: Vec<_> = ranks.iter().map(|&rank| vec![-1; rank]).collect();
    let (decoder, lengths) = OutputDecoder::for_model(&model, (64, 32), &open)
        .unwrap_or_else(|error| panic!("{family}: {error}"));
    let values = draw.0;
    let mut draw = Draw(values);
    let mut value = || {
        if draw.is_empty() {
            draw = Draw(values);
        }
        // most are scores; any floats are too seldom right to reach the boxes
        match draw.byte() {
            255 => draw.f32(),
            byte => f32::from(byte) / 254.0,
        }
    };
    let outputs: Vec<Vec<f32>> = lengths
        .iter()
        .map(|&length| (0..length).map(|_| value()).collect())
        .collect();
    let outputs: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
    let mut found = Vec::new();
    if decoder
        .decode(&outputs, threshold, |_| threshold, &mut found)
        .is_err()
    {
        return false;
    }
    for detection in &found {
        let bbox = detection.bbox;
        let sides = [bbox.x1, bbox.y1, bbox.x2, bbox.y2];
        assert!(
            detection.class_id < 2 && detection.score > threshold && detection.score <= 1.0,
            "{detection:?}"
        );
        assert!(sides.iter().all(|side| side.is_finite()), "{detection:?}");
    }
    let before = found.len();
    Suppressor::default().suppress(
        &mut found,
        model.nms_iou_threshold,
        &ObjectGroups::default(),
    );
    assert!(found.len() <= before);
    true
}

pub mod seeds {
    use super::*;

    pub fn parameter_yaml() -> Vec<Vec<u8>> {
        let shipped = include_bytes!("../../../config/shuffledet.yaml").to_vec();
        let small = b"/**:\n  ros__parameters:\n    model.name: road\n    detector:\n      score_threshold: 0.5\n      classes: [car, person]\n    camera:\n      front:\n        topic: /front/image_raw\n        regions: [\"0,0,0.5,1\"]\n".to_vec();
        vec![shipped, small]
    }

    pub fn manifest() -> Vec<Vec<u8>> {
        let shipped = include_str!("../../../models/manifest.yaml");
        let entry = "label_sets:\n  two:\n    - {name: car, category_id: 3}\n    - {name: person, category_id: 1}\nclass_sets: {}\nsamples: []\nmodels: []\n";
        vec![shipped.as_bytes().to_vec(), entry.as_bytes().to_vec()]
    }

    pub fn sidecar() -> Vec<Vec<u8>> {
        let small = FAMILIES.map(|(family, _)| format!("{family}{INPUT}").into_bytes());
        let road = include_bytes!("../../../models/road.yaml").to_vec();
        let classifier = "family: classifier\nclass_activation: softmax\ncrop: 0.875\ninput: {width: 224, height: 224, colour: rgb, resize: stretch, mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]}\nlabels: [red, green]\n";
        let mut seeds = small.to_vec();
        seeds.extend([road, classifier.as_bytes().to_vec()]);
        seeds
    }

    pub fn outputs_to_boxes() -> Vec<Vec<u8>> {
        let kinds = 0..FAMILIES.len() as u8;
        let values: Vec<u8> = (0..97).map(|at| (at * 37 % 255) as u8).collect();
        kinds
            .map(|kind| [&[kind, 80], values.as_slice()].concat())
            .collect()
    }
}
