use super::super::family::{Activation, ClassifierForm};
use super::super::manifest_file::Origin;
use super::*;

const SIDECAR: &str = "family: nanodet\nlabels: [car, bus]\nscore_threshold: 0.4\nnms_iou_threshold: 0.5\n\
    input: {width: 320, height: 320, colour: rgb, resize: letterbox, mean: [0, 0, 0], std: [255, 255, 255]}\n";

fn describe(yaml: &str) -> Result<ModelDescription, ManifestError> {
    Manifest::shipped()
        .unwrap()
        .describe_sidecar(yaml, Path::new("a/mine.yaml"))
}

#[test]
fn every_shipped_model_is_described() {
    let manifest = Manifest::shipped().unwrap();
    for entry in &manifest.models {
        let description = manifest.describe(entry).unwrap();
        let last = description.labels.count() - 1;
        let expected = if entry.name == "road" {
            (8, 13)
        } else {
            (79, 90)
        };
        assert_eq!((last, description.labels.category_id(last)), expected);
        if let Origin::Ncnn(network) = &entry.file.origin {
            let size = (network.input_width, network.input_height);
            assert_eq!(size, (entry.input.width, entry.input.height));
        }
    }
}

#[test]
fn the_first_model_is_built_in_and_the_file_beside_it_describes_it() {
    let manifest = Manifest::shipped().unwrap();
    let first = &manifest.models[0];
    assert_eq!(
        super::super::resolve(&manifest, super::super::AUTO),
        first.name
    );
    let content = first.file.built_in().unwrap();
    assert_eq!(shuffledet_core::sha256(content), first.file.sha256);
    assert_eq!(content.len() as u64, first.file.size_bytes);
    let sidecar = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/road.yaml");
    let yaml = std::fs::read_to_string(&sidecar).unwrap();
    let beside = manifest.describe_sidecar(&yaml, &sidecar).unwrap();
    let described = manifest.describe(first).unwrap();
    let sha256 = None;
    assert_eq!(
        beside,
        ModelDescription {
            sha256,
            ..described
        }
    );
}

#[test]
fn the_set_road_is_known_to_every_shipped_model() {
    let manifest = Manifest::shipped().unwrap();
    for entry in &manifest.models {
        let description = manifest.describe(entry).unwrap();
        let [coco, road] = description.class_sets.as_slice() else {
            panic!("{:?}", description.class_sets)
        };
        let count = description.labels.count();
        assert_eq!((coco.name.as_str(), coco.classes.len()), ("coco", count));
        assert_eq!((road.name.as_str(), road.classes.len()), ("road", 9));
        let names = |group: &Vec<usize>| {
            group
                .iter()
                .map(|&id| description.labels.name(id))
                .collect::<Vec<_>>()
        };
        let groups: Vec<_> = road.nms_across.iter().map(names).collect();
        assert_eq!(
            groups,
            [vec!["car", "bus", "truck"], vec!["bicycle", "motorcycle"]]
        );
        assert_eq!((coco.absent.len(), road.absent.len()), (80 - count, 0));
    }
}

#[test]
fn a_sidecar_takes_its_name_from_the_file() {
    let description = describe(SIDECAR).unwrap();
    assert_eq!(description.name, "mine");
    assert_eq!(description.labels.category_id(1), 2);
}

#[test]
fn a_classifier_has_a_crop_and_no_thresholds() {
    const CLASSIFIER: &str = "family: classifier\nlabels: [red, green]\n\
        input: {width: 299, height: 100, colour: rgb, resize: stretch, mean: [0, 0, 0], std: [255, 255, 255]}\n";
    let family = |more: &str| describe(&format!("{CLASSIFIER}{more}")).map(|made| made.family);
    let form = |activation, crop| Family::Classifier(ClassifierForm { activation, crop });
    assert_eq!(family("").unwrap(), form(ClassActivation::None, 1.0));
    let softmax = family("class_activation: softmax\ncrop: 0.875\n").unwrap();
    assert_eq!(softmax, form(ClassActivation::Softmax, 0.875));
    let message = |more: &str| family(more).unwrap_err().to_string();
    assert!(message("score_threshold: 0.3\n").contains("score_threshold: expected no threshold"));
    assert!(message("crop: 0\n").contains("crop: expected a share"));
    assert!(message("boxes: yolov8\n").contains("only with family boxes"));
    let padded = format!("{CLASSIFIER}crop: 0.5\n").replace("stretch", "letterbox");
    assert!(
        describe(&padded)
            .unwrap_err()
            .to_string()
            .contains("crop: expected this key only with")
    );
    // of a detector
    let message = |more: &str| {
        describe(&format!("{SIDECAR}{more}"))
            .unwrap_err()
            .to_string()
    };
    assert!(message("crop: 0.5\n").contains("only with family classifier"));
    assert!(message("class_activation: softmax\n").contains("expected none or sigmoid"));
    let without = SIDECAR.replace("score_threshold: 0.4\n", "");
    let missing = describe(&without).unwrap_err().to_string();
    assert!(missing.contains("score_threshold: expected a number from 0 to 1, found nothing"));
}

#[test]
fn mistakes_are_named() {
    let message = |yaml: &str| describe(yaml).unwrap_err().to_string();
    let wrong_side = message(&SIDECAR.replace("width: 320", "width: 300"));
    assert_eq!(
        wrong_side,
        "a/mine.yaml: input.width: expected a multiple of 32 up to 4096, found 300"
    );
    assert!(message(&SIDECAR.replace("[car, bus]", "kitti")).contains("kitti"));
    assert!(message(&format!("{SIDECAR}input_budget: 0\n")).contains("input_budget"));
    assert!(message(&SIDECAR.replace("0.4", "1.4")).contains("score_threshold"));
    assert!(message(&SIDECAR.replace("[255, 255, 255]", "[255, 0, 255]")).contains("input.std"));
    assert!(message(&SIDECAR.replace("family", "famly")).contains("famly"));
    assert!(message(&SIDECAR.replace("[car, bus]", "[]")).contains("empty"));
    let tuned = |thresholds: &str| message(&format!("{SIDECAR}class_thresholds: {thresholds}"));
    assert!(tuned("{rode: {car: 0.3}}").ends_with("class sets [\"coco\", \"road\"], found rode"));
    assert!(tuned("{road: {cat: 0.3}}").contains("the set \"road\", found cat"));
    assert!(tuned("{road: {car: 3}}").contains("from 0 to 1 for \"car\", found 3"));
    assert!(message(&SIDECAR.replace("[car, bus]", "{a: 1}")).contains("label set"));
}

#[test]
fn each_family_has_its_keys() {
    let family = |keys: &str| describe(&SIDECAR.replace("family: nanodet\n", keys));
    let parsed = |keys: &str| family(keys).unwrap().family;
    let logits = parsed("family: nanodet_plus\nclass_activation: sigmoid\n");
    let class_activation = Activation::Sigmoid;
    assert_eq!(logits, Family::NanoDetPlus { class_activation });
    let anchors = "anchors: [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]\n";
    let Family::YoloFastestV2 { anchors } = parsed(&format!("family: yolo_fastestv2\n{anchors}"))
    else {
        panic!("another family")
    };
    assert_eq!((anchors[0][1], anchors[1][2]), ([3.0, 4.0], [11.0, 12.0]));
    let preset = Family::Boxes(BoxLayout::YOLOV8);
    assert_eq!(parsed("family: boxes\nboxes: yolov8\n"), preset);
    let keys =
        "{axes: [features, boxes], form: cxcywh, unit: pixels, classes_at: 4, boxes_per_cell: 1}";
    assert_eq!(parsed(&format!("family: boxes\nboxes: {keys}\n")), preset);
    assert_eq!(
        family("family: boxes\nboxes: yolov8\n")
            .unwrap()
            .input
            .padding,
        0
    );
}

#[test]
fn mistakes_in_the_keys_of_a_family_are_named() {
    let layout = "{axes: [boxes, features], form: xyxy, unit: pixels, classes_at: 4}";
    let boxes = |from: &str, to: &str| {
        assert!(layout.contains(from));
        format!("family: boxes\nboxes: {}\n", layout.replace(from, to))
    };
    for (keys, expected) in [
        ("family: yolo\n".to_owned(), "unknown variant `yolo`"),
        (
            "family: fastestdet\nclass_activation: none\n".to_owned(),
            "class_activation: expected this key only with family nanodet, nanodet_plus or classifier (of a boxes \
             model it is a key under boxes), found family fastestdet",
        ),
        (
            "family: nanodet\nanchors: []\n".to_owned(),
            "anchors: expected this key only with family yolo_fastestv2, found family nanodet",
        ),
        (
            "family: nanodet\nboxes: yolov5\n".to_owned(),
            "boxes: expected this key only with family boxes, found family nanodet",
        ),
        ("family: nanodet\nclass_activation: softmax\n".to_owned(), "class_activation: expected none or sigmoid, found softmax"),
        ("family: yolo_fastestv2\n".to_owned(), "anchors: expected six pairs"),
        ("family: yolo_fastestv2\nanchors: [[1, 2]]\n".to_owned(), "found 1 pairs"),
        ("family: yolo_fastestv2\nanchors: [[1, 2, 3]]\n".to_owned(), "anchors[0]: invalid length"),
        (
            "family: yolo_fastestv2\nanchors: [[1, 2], [3, 4], [5, 0], [7, 8], [9, 10], [11, 12]]\n".to_owned(),
            "found [[1.0, 2.0]",
        ),
        ("family: boxes\n".to_owned(), "boxes: expected yolov5, yolov8, or the keys of a layout, found nothing"),
        ("family: boxes\nboxes: yolov9\n".to_owned(), "boxes: invalid value: string \"yolov9\", expected yolov5, yolov8"),
        ("family: boxes\nboxes: [4]\n".to_owned(), "boxes: invalid type: sequence, expected yolov5, yolov8"),
        (boxes("form: xyxy", "form: yxyx"), "boxes.form: unknown variant `yxyx`, expected one of `cxcywh`"),
        (boxes("form: xyxy", "from: xyxy"), "boxes: unknown field `from`"),
        (boxes(", unit: pixels", ""), "missing field `unit`"),
        (boxes("features]", "boxes]"), "boxes.axes: expected [boxes, features] or [features, boxes], found"),
        (boxes("classes_at: 4", "classes_at: 3"), "boxes.classes_at: expected a feature after the four of the box"),
        (boxes("classes_at: 4", "classes_at: 5, objectness_at: 5"), "boxes.objectness_at: expected a feature between"),
        (boxes("classes_at: 4", "classes_at: 5, objectness_activation: sigmoid"), "found nothing"),
        (boxes("classes_at: 4", "classes_at: 4, boxes_per_cell: 0"), "boxes.boxes_per_cell: expected 1 to 64"),
    ] {
        let yaml = SIDECAR.replace("family: nanodet\n", &keys);
        let error = describe(&yaml).unwrap_err().to_string();
        assert!(error.starts_with("a/mine.yaml: "), "{error}");
        assert!(error.contains(expected), "{keys}{error}");
    }
    let padding = SIDECAR.replace("resize: letterbox", "resize: letterbox, padding: 256");
    let error = describe(&padding).unwrap_err().to_string();
    assert!(
        error.contains("input.padding: invalid value: integer `256`, expected u8"),
        "{error}"
    );
}
