use super::*;
use proptest::prelude::*;

fn value(name: &str, shape: &[i64]) -> Value {
    Value {
        name: name.to_owned(),
        is_f32: true,
        shape: Some(shape.to_vec()),
        has_probabilities: true,
    }
}

fn interface(input: &[i64], outputs: &[&[i64]], metadata: &[(&str, &str)]) -> Interface {
    let metadata = metadata
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    Interface {
        inputs: vec![value("image", input)],
        outputs: outputs.iter().map(|shape| value("out", shape)).collect(),
        metadata: metadata.collect(),
    }
}

fn draft(interface: &Interface) -> Result<Draft, DescribeError> {
    let manifest = Manifest::shipped().unwrap();
    from_interface(&manifest, interface, Path::new("a/street.yaml"))
}

fn entry<'a>(draft: &'a Draft, key: &str) -> &'a Entry {
    draft.entries.iter().find(|entry| entry.key == key).unwrap()
}

#[test]
fn one_row_of_scores_is_a_classifier() {
    let cases: [(&[i64], &[i64], &str); 3] = [
        (&[1, 3, 224, 224], &[1, 1000], "0.875"),
        (&[1, 3, -1, -1], &[-1, 7], "1"),
        (&[1, 3, 99, 50], &[1, 4, 1, 1], "1"),
    ];
    for (input, output, crop) in cases {
        let draft = draft(&interface(input, &[output], &[])).unwrap();
        assert_eq!(draft.description.family.name(), "classifier", "{output:?}");
        assert_eq!(entry(&draft, "crop").value, crop);
        assert_eq!(entry(&draft, "class_activation").value, "none");
        assert_eq!(entry(&draft, "input.colour").value, "rgb");
        assert!(
            draft
                .entries
                .iter()
                .all(|entry| !entry.key.contains("threshold"))
        );
        let side = if input[2] == -1 { 224 } else { input[2] };
        assert_eq!(i64::from(draft.description.input.height), side);
    }
    let mut logits = interface(&[1, 3, 224, 224], &[&[1, 7]], &[]);
    logits.outputs[0].has_probabilities = false;
    let draft_of_logits = draft(&logits).unwrap();
    assert_eq!(entry(&draft_of_logits, "class_activation").value, "softmax");
    // a detector's input has other sides
    assert!(draft(&interface(&[1, 3, 99, 50], &[&[1, 9, 3150]], &[])).is_err());
}

#[test]
fn each_family_is_recognised_by_its_shapes() {
    // 60x40, 30x20 and 15x10 cells
    let nanodet: [&[i64]; 6] = [
        &[2400, 32],
        &[2400, 5],
        &[150, 5],
        &[150, 32],
        &[600, 5],
        &[600, 32],
    ];
    let yolo: [&[i64]; 6] = [
        &[1, 12, 20, 30],
        &[1, 3, 20, 30],
        &[1, 5, 20, 30],
        &[1, 12, 10, 15],
        &[1, 3, 10, 15],
        &[1, 5, 10, 15],
    ];
    let cases: [(&str, &[&[i64]], &str); 7] = [
        ("fastestdet", &[&[1, 10, 20, 30]], ""),
        ("nanodet", &nanodet, ""),
        ("nanodet_plus", &[&[1, 3190, 37]], ""),
        ("nanodet_plus", &[&[3190, 37]], ""),
        ("yolo_fastestv2", &yolo, ""),
        ("boxes", &[&[1, 9, 3150]], "yolov8"),
        ("boxes", &[&[1, 9450, 10], &[1, 3, 40, 60, 10]], "yolov5"),
    ];
    for (family, outputs, layout) in cases {
        let draft = draft(&interface(&[1, 3, 320, 480], outputs, &[])).unwrap();
        let description = &draft.description;
        assert_eq!(description.family.name(), family, "{outputs:?}");
        assert_eq!(
            (description.input.width, description.input.height),
            (480, 320)
        );
        assert_eq!(description.labels.count(), 5);
        assert_eq!(description.labels.name(4), "class_4");
        if !layout.is_empty() {
            assert_eq!(entry(&draft, "boxes").value, layout);
        }
        assert!(matches!(entry(&draft, "labels").basis, Basis::Guess(_)));
        assert!(matches!(entry(&draft, "input.width").basis, Basis::File(_)));
    }
}

#[test]
fn names_and_size_come_from_the_metadata() {
    let metadata = [
        ("names", "{0: 'it\\'s', 1: \"a: #b\", 2: 'é'}"),
        ("imgsz", "[480, 640]"),
    ];
    let open = interface(&[-1, 3, -1, -1], &[&[-1, 7, -1]], &metadata);
    let draft = draft(&open).unwrap();
    assert_eq!(entry(&draft, "boxes").value, "yolov8");
    let labels: Vec<_> = draft.description.labels.names().collect();
    assert_eq!(labels, ["it's", "a: #b", "é"]);
    assert_eq!(
        (
            draft.description.input.width,
            draft.description.input.height
        ),
        (640, 480)
    );
    assert_eq!(draft.description.input.padding, 114);
    assert!(matches!(entry(&draft, "labels").basis, Basis::File(_)));
}

#[test]
fn names_decide_whether_boxes_have_an_objectness() {
    for (outputs, layout) in [
        (
            &[1, 8400, 7][..],
            "axes: [boxes, features], form: cxcywh, unit: pixels, classes_at: 4",
        ),
        (
            &[1, 8, 8400],
            "axes: [features, boxes], form: cxcywh, unit: pixels, objectness_at: 4, classes_at: 5",
        ),
        (&[1, 25200, 8], "yolov5"),
    ] {
        let known = interface(
            &[1, 3, 640, 640],
            &[outputs],
            &[("names", "['a', 'b', 'c']")],
        );
        let draft = draft(&known).unwrap();
        let boxes = &entry(&draft, "boxes").value;
        assert!(boxes.contains(layout), "{boxes}");
    }
    // six features are no 80 classes: suppression was exported, too
    let names = format!("{:?}", (0..80).map(|i| i.to_string()).collect::<Vec<_>>());
    let suppressed = interface(&[1, 3, 640, 640], &[&[1, 300, 6]], &[("names", &names)]);
    let error = draft(&suppressed).unwrap_err().to_string();
    assert!(
        error.contains("out [1, 300, 6]") && error.contains("suppression"),
        "{error}"
    );
}

#[test]
fn logits_are_seen_in_the_graph() {
    for (outputs, expected) in [
        (&[1, 3598, 112][..], "class_activation: sigmoid"),
        (&[1, 84, 3549], "class_activation: sigmoid"),
    ] {
        let mut logits = interface(&[1, 3, 416, 416], &[outputs], &[]);
        logits.outputs[0].has_probabilities = false;
        let yaml = draft(&logits).unwrap().yaml();
        assert!(yaml.contains(expected), "{yaml}");
    }
}

#[test]
fn names_that_cannot_be_used_are_not() {
    for names in [
        "{0: 'a', 1: 'a'}",
        "['a', ' ']",
        "{0: 'a'",
        "['a', 'b', 'c']",
    ] {
        let odd = interface(&[1, 3, 64, 64], &[&[1, 7, 4, 4]], &[("names", names)]);
        let draft = draft(&odd).unwrap();
        assert_eq!(draft.description.labels.name(1), "class_1");
        assert!(draft.yaml().contains("guess: the file"), "{}", draft.yaml());
    }
}

#[test]
fn other_models_are_refused() {
    type Shape<'a> = &'a [i64];
    let wrong: [(Shape<'_>, &[Shape<'_>], &str); 6] = [
        (
            &[1, 3, 300, 300],
            &[&[1, 84, 8400]],
            "image [1, 3, 300, 300]",
        ),
        (
            &[1, 1, 320, 320],
            &[&[1, 84, 8400]],
            "image [1, 1, 320, 320]",
        ),
        (&[1, 320, 320, 3], &[&[1, 84, 8400]], "multiples of 32"),
        (&[1, 3, 320, 320], &[&[1, 2, 3]], "fit no family"),
        (&[1, 3, 320, 320], &[], "its outputs are none"),
        (&[1, 3, 320, 320], &[&[-1, -1, -1]], "fit no family"),
    ];
    for (input, outputs, expected) in wrong {
        let error = draft(&interface(input, outputs, &[]))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut halves = interface(&[1, 3, 320, 320], &[&[1, 84, 2100]], &[]);
    halves.outputs[0].is_f32 = false;
    assert!(draft(&halves).unwrap_err().to_string().contains("not f32"));
}

proptest! {
    #[test]
    fn no_shapes_make_it_panic(
        input in prop::collection::vec(prop_oneof![Just(-1), Just(1), Just(3), Just(64), any::<i64>()], 0..5),
        outputs in prop::collection::vec(prop::collection::vec(prop_oneof![-1i64..50, any::<i64>()], 0..5), 0..7),
        names: String,
    ) {
        let outputs: Vec<&[i64]> = outputs.iter().map(Vec::as_slice).collect();
        for input in [&input[..], &[1, 3, 64, 64]] {
            let _ = draft(&interface(input, &outputs, &[("names", &names)]));
        }
    }
}
