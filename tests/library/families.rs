//! Other files of the model families: older exports, graphs without activations, plain boxes.

use std::fs;
use std::path::Path;

use prost::Message;
use shuffledet_core::Detection;
use shuffledet_image::ImageDecoder;
use shuffledet_onnx::proto::{AttributeProto, ModelProto, NodeProto, ValueInfoProto};
use shuffledet_testing::{self as support, detector::detector, python};

use crate::golden::{self, GoldenDetection};

const NANODET: &str = "family: nanodet\nlabels: coco\nscore_threshold: 0.3\nnms_iou_threshold: 0.6\n\
    input: {width: 416, height: 416, colour: bgr, resize: letterbox, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395]}\n";

/// Writes `model` to `folder` with its description, and detects in an image of the assets.
fn detect(folder: &Path, model: &ModelProto, yaml: &str, image: &Path) -> Vec<Detection> {
    let path = folder.join("changed.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    fs::write(path.with_extension("yaml"), yaml).unwrap();
    let mut detector = detector(path.to_str().unwrap(), None, None);
    let file = fs::read(image).unwrap();
    let mut decoder = ImageDecoder::new();
    let picture = decoder.decode_file(&file).unwrap();
    detector.detect(&picture).unwrap().to_vec()
}

/// Removes the batch axis of each output, and gives the outputs in the order of `order`.
fn as_older_exports(model: &mut ModelProto, order: [usize; 6], without_batch: bool) {
    let graph = model.graph.as_mut().unwrap();
    if without_batch {
        for info in &mut graph.output {
            let squeezed = format!("cells_of_{}", info.name);
            graph.node.push(NodeProto {
                input: vec![info.name.clone()],
                output: vec![squeezed.clone()],
                op_type: "Squeeze".to_owned(),
                attribute: vec![AttributeProto::from_ints("axes", &[0])],
                ..NodeProto::default()
            });
            info.name = squeezed;
            let tensor = info.r#type.as_mut().unwrap().tensor_type.as_mut();
            tensor.unwrap().shape.as_mut().unwrap().dim.remove(0);
        }
    }
    let outputs: Vec<ValueInfoProto> = order.map(|index| graph.output[index].clone()).to_vec();
    graph.output = outputs;
}

#[test]
fn older_exports_of_nanodet_give_the_same_detections() {
    let test = "older_exports_of_nanodet_give_the_same_detections";
    let Some(assets) = support::asset(test, "") else {
        return;
    };
    let image = assets.join("golden/png/coco_000000000257.png");
    let onnx = fs::read(assets.join("models/nanodet_m_416.onnx")).unwrap();
    let model = ModelProto::decode(onnx.as_slice()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let expected = detect(folder.path(), &model, NANODET, &image);
    assert!(expected.len() > 3);
    for (order, without_batch) in [
        ([0, 1, 2, 3, 4, 5], true),
        ([0, 3, 1, 4, 2, 5], true),
        ([5, 4, 3, 2, 1, 0], false),
    ] {
        let mut older = model.clone();
        as_older_exports(&mut older, order, without_batch);
        let found = detect(folder.path(), &older, NANODET, &image);
        assert_eq!(found, expected, "{order:?}");
    }
}

#[test]
fn nanodet_plus_without_its_sigmoid_gives_the_same_detections() {
    let test = "nanodet_plus_without_its_sigmoid_gives_the_same_detections";
    let Some(assets) = support::asset(test, "") else {
        return;
    };
    let image = assets.join("golden/png/coco_000000000257.png");
    let onnx = fs::read(assets.join("models/nanodet_plus_m_416.onnx")).unwrap();
    let mut model = ModelProto::decode(onnx.as_slice()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let yaml = golden::NANODET_PLUS;
    let expected = detect(folder.path(), &model, yaml, &image);
    let nodes = &mut model.graph.as_mut().unwrap().node;
    let sigmoids: Vec<_> = nodes
        .iter_mut()
        .filter(|node| node.op_type == "Sigmoid")
        .collect();
    assert_eq!(sigmoids.len(), 4, "one for each stride");
    for sigmoid in sigmoids {
        sigmoid.op_type = "Identity".to_owned();
    }
    let yaml = format!("class_activation: sigmoid\n{yaml}");
    let found = detect(folder.path(), &model, &yaml, &image);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found.score - expected.score).abs() < 1e-4);
        assert_eq!(found.class_id, expected.class_id);
        assert!(found.bbox.iou(&expected.bbox) > 0.999);
    }
}

#[test]
fn boxes_of_every_layout_match_the_reference() {
    let test = "boxes_of_every_layout_match_the_reference";
    let folder = tempfile::tempdir().unwrap();
    let Some(mut python) = python::python(test) else {
        return;
    };
    let script = support::repository("tests/reference/boxes_models.py");
    let output = python.arg(script).arg(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let mut decoder = ImageDecoder::new();
    let picture = fs::read(folder.path().join("picture.png")).unwrap();
    for name in ["yolov5", "yolov8", "no_batch", "shares", "corner", "logits"] {
        let path = folder.path().join(name);
        let expected = fs::read(path.with_extension("json")).unwrap();
        let expected: Vec<GoldenDetection> = serde_json::from_slice(&expected).unwrap();
        assert!(expected.len() > 5, "{name}");
        let model = path.with_extension("onnx");
        let mut detector = detector(model.to_str().unwrap(), None, None);
        let picture = decoder.decode_file(&picture).unwrap();
        let found = detector.detect(&picture).unwrap();
        golden::compare(name, found, &expected, 0.3);
    }
}
