use serde_json::{Value, json};

use super::*;

fn read_json(json: &str) -> Result<(Truth, Problems), TruthError> {
    parse(json.as_bytes(), Path::new("a.json"))
}

#[test]
fn every_problem_is_counted_under_its_name() {
    let image =
        |id: u64, name: &str| json!({"id": id, "file_name": name, "width": 100, "height": 50});
    let annotation = |id: u64, image: u64, category: u64, bbox: serde_json::Value| json!({"id": id, "image_id": image, "category_id": category, "bbox": bbox, "area": 4.0});
    let coco = json!({
        "images": [image(2, "b.jpg"), image(1, "a.jpg"), image(1, "c.jpg"), image(3, "a.jpg")],
        "categories": [{"id": 5, "name": "car", "supercategory": "vehicle"}, {"id": 5, "name": "bus"}],
        "annotations": [
            annotation(1, 1, 5, json!([1, 2, 3, 4])),
            annotation(1, 1, 5, json!([90, 2, 30, 4])),
            annotation(2, 9, 5, json!([1, 2, 3, 4])),
            annotation(3, 1, 6, json!([1, 2, 3, 4])),
            annotation(4, 1, 5, json!([1, 2, 0, 4])),
            annotation(5, 1, 5, json!([1, 2, 3])),
            annotation(6, 1, 5, json!([1, 2, "NAN", 4])),
        ],
    });
    let text = coco.to_string().replace("\"NAN\"", "NaN");
    let (truth, problems) = read_json(&text).unwrap();
    let ids: Vec<_> = truth.images.iter().map(|image| image.id).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(truth.images[0].objects.len(), 2);
    for (problem, count) in [
        (Problem::DuplicateImage, 2),
        (Problem::DuplicateAnnotation, 1),
        (Problem::DuplicateCategory, 1),
        (Problem::BoxOutside, 1),
        (Problem::UnknownImage, 1),
        (Problem::UnknownCategory, 1),
        (Problem::BoxEmpty, 1),
        (Problem::Malformed, 1),
        (Problem::NotANumber, 1),
    ] {
        assert_eq!(problems.count(problem), count, "{problem:?}");
    }
}

#[test]
fn messages_are_known_by_topic_and_stamp() {
    let text = r#"{"images": [{"id": 7, "topic": "/a", "stamp_ns": 12, "file_name": "x.jpg"}], "categories": [{"id": 1, "name": "car"}]}"#;
    let (truth, _) = read_json(text).unwrap();
    let source = ImageSource::Message {
        topic: "/a".into(),
        stamp_ns: 12,
    };
    assert_eq!(truth.images[0].source, source);
    let error = read_json(r#"{"images": [{"id": 7}], "categories": []}"#).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("image 7: expected file_name, or topic and stamp_ns"),
        "{error}"
    );
    assert!(matches!(
        read_json(r#"{"images": [], "categories": []}"#),
        Err(TruthError::Empty { .. })
    ));
    assert!(matches!(
        read_json(r#"{"images": [{"id": 7, "file_name": "a"}], "categories": []}"#),
        Err(TruthError::NoObjects { .. })
    ));
}

/// Returns two images with one object each, after `change`.
fn changed(change: impl FnOnce(&mut Value)) -> Result<(Truth, Problems), TruthError> {
    let annotation = |id: u64, image: u64| json!({"id": id, "image_id": image, "category_id": 5, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0});
    let mut coco = json!({
        "images": [{"id": 1, "file_name": "a.jpg", "width": 0}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 5, "name": "car"}, {"id": 6, "name": "bus"}],
        "annotations": [annotation(1, 1), annotation(2, 2)],
    });
    change(&mut coco);
    read_json(&coco.to_string())
}

/// Returns the text about one problem of the kind `problem` that leaves one object.
fn told(problem: Problem, change: impl FnOnce(&mut Value)) -> String {
    let (truth, problems) = changed(change).unwrap();
    let objects: usize = truth.images.iter().map(|image| image.objects.len()).sum();
    assert_eq!(
        (objects, problems.total()),
        (1, 1),
        "{truth:?}, {problems:?}"
    );
    let (kind, told) = problems.iter().next().unwrap();
    assert_eq!(kind, problem);
    told.first[0].clone()
}

#[test]
fn one_bad_entry_is_left_out_and_told() {
    let set = |key: &'static str, value: Value| {
        move |coco: &mut Value| coco["annotations"][1][key] = value
    };
    for (key, value, problem, expected) in [
        (
            "category_id",
            json!(null),
            Problem::Malformed,
            "annotation 2: category_id: expected a number or a text, found null",
        ),
        (
            "category_id",
            json!([5]),
            Problem::Malformed,
            "annotation 2: category_id: expected a number or a text, found a list of 1",
        ),
        (
            "category_id",
            json!("5"),
            Problem::UnknownCategory,
            "annotation 2: category \"5\"",
        ),
        (
            "category_id",
            json!(5.5),
            Problem::UnknownCategory,
            "annotation 2: category 5.5",
        ),
        (
            "image_id",
            json!({}),
            Problem::Malformed,
            "annotation 2: image_id: expected a number or a text, found an object",
        ),
        (
            "image_id",
            json!("2"),
            Problem::UnknownImage,
            "annotation 2: image \"2\"",
        ),
        (
            "bbox",
            json!(["a", 2, 3, 4]),
            Problem::Malformed,
            "annotation 2: bbox: expected 4 numbers, found \"a\"",
        ),
        (
            "bbox",
            json!("1,2,3,4"),
            Problem::Malformed,
            "annotation 2: bbox: expected a list of 4 numbers, found \"1,2,3,4\"",
        ),
        (
            "bbox",
            json!([[1], 2, 3, 4]),
            Problem::Malformed,
            "annotation 2: bbox: expected 4 numbers, found a list of 1",
        ),
        (
            "bbox",
            json!(null),
            Problem::Malformed,
            "annotation 2: bbox: expected a list of 4 numbers, found null",
        ),
        (
            "bbox",
            json!([1, 2, 3, null]),
            Problem::NotANumber,
            "annotation 2",
        ),
        (
            "area",
            json!("large"),
            Problem::Malformed,
            "annotation 2: area: expected a number, found \"large\"",
        ),
        (
            "iscrowd",
            json!("x"),
            Problem::Malformed,
            "annotation 2: iscrowd: expected 0 or 1, found \"x\"",
        ),
        (
            "iscrowd",
            json!(-1),
            Problem::Malformed,
            "annotation 2: iscrowd: expected 0 or 1, found -1",
        ),
        (
            "id",
            json!([]),
            Problem::Malformed,
            "annotation number 2: id: expected a number or a text, found a list of 0",
        ),
    ] {
        assert_eq!(told(problem, set(key, value)), expected);
    }
    for entry in [json!(null), json!(7), json!("x"), json!([1, 2]), json!({})] {
        let said = told(Problem::Malformed, |coco| coco["annotations"][1] = entry);
        assert!(said.starts_with("annotation number 2: "), "{said}");
    }
}

#[test]
fn one_bad_image_or_category_is_left_out_and_told() {
    for (list, entry, said) in [
        (
            "images",
            json!(null),
            "image number 3: expected an object, found null",
        ),
        (
            "images",
            json!({"id": null, "file_name": "c.jpg"}),
            "image number 3: id: expected a number or a text, found null",
        ),
        (
            "images",
            json!({"file_name": "c.jpg"}),
            "image number 3: has no id",
        ),
        (
            "images",
            json!({"id": 3}),
            "image 3: expected file_name, or topic and stamp_ns, to say where it is from",
        ),
        (
            "images",
            json!({"id": 3, "topic": "/a", "stamp_ns": "now"}),
            "image 3: stamp_ns: expected nanoseconds, found \"now\"",
        ),
        (
            "categories",
            json!("car"),
            "category number 3: expected an object, found \"car\"",
        ),
        (
            "categories",
            json!({"id": {}, "name": "x"}),
            "category number 3: id: expected a number or a text, found an object",
        ),
    ] {
        let (truth, problems) =
            changed(|coco| coco[list].as_array_mut().unwrap().push(entry)).unwrap();
        assert_eq!(
            (truth.images.len(), truth.categories.len()),
            (2, 2),
            "{said}"
        );
        let (kind, told) = problems.iter().next().unwrap();
        assert_eq!(
            (kind, told.count, told.first[0].as_str()),
            (Problem::Malformed, 1, said)
        );
    }
}

#[test]
fn entries_of_other_types_that_pycocotools_reads_are_the_same() {
    let (expected, _) = changed(|_| {}).unwrap();
    let cases: [(&str, Value); 10] = [
        ("/annotations/0/image_id", json!(1.0)),
        ("/annotations/0/image_id", json!(true)),
        ("/images/0/id", json!(1.0)),
        ("/annotations/0/category_id", json!(5.0)),
        ("/categories/0/id", json!(5.0)),
        ("/annotations/0/bbox", json!(["1", " 2.0", 3, "4e0"])),
        ("/annotations/0/iscrowd", json!(false)),
        ("/annotations/0/id", json!(1.0)),
        ("/images/0/width", json!("wide")),
        ("/annotations/0/area", json!("12")),
    ];
    for (pointer, value) in cases {
        let (truth, problems) =
            changed(|coco| *coco.pointer_mut(pointer).unwrap() = value).unwrap();
        assert_eq!(
            (truth, problems.total()),
            (expected.clone(), 0),
            "{pointer}"
        );
    }
    let (truth, problems) = changed(|coco| {
        drop(
            coco["categories"][0]
                .as_object_mut()
                .unwrap()
                .remove("name"),
        )
    })
    .unwrap();
    assert_eq!(
        (truth.categories[0].name.as_str(), problems.total()),
        ("category 5", 0)
    );
}

#[test]
fn ids_may_be_texts_and_are_given_back() {
    let (truth, problems) = changed(|coco| {
        for (at, id) in [(0, "9"), (1, "10")] {
            coco["images"][at]["id"] = json!(id);
            coco["annotations"][at]["image_id"] = json!(id);
            coco["annotations"][at]["category_id"] = json!("c");
        }
        coco["categories"] = json!([{"id": "c", "name": " car "}]);
    })
    .unwrap();
    assert_eq!(problems.total(), 0, "{problems:?}");
    // texts are in the order of texts, as pycocotools sorts them
    let images: Vec<_> = truth
        .images
        .iter()
        .map(|image| (image.id, image.source.title(), image.objects.len()))
        .collect();
    assert_eq!(
        images,
        [(1, "b.jpg".to_owned(), 1), (2, "a.jpg".to_owned(), 1)]
    );
    assert_eq!(truth.categories[0].name, "car");
    assert_eq!(truth.annotated.image(1), json!("10"));
    assert_eq!(truth.annotated.category(1), json!("c"));
    assert_eq!(truth.annotated.image(7), json!(7));
}

#[test]
fn a_crowd_may_be_a_text() {
    let excused = |value: Value| {
        let (truth, problems) = changed(|coco| coco["annotations"][0]["iscrowd"] = value).unwrap();
        let object = &truth.images[0].objects[0];
        (
            object.iscrowd,
            object.ignore,
            problems.count(Problem::CrowdText),
        )
    };
    assert_eq!(excused(json!("0")), (false, true, 1));
    assert_eq!(excused(json!("1")), (true, false, 1));
    assert_eq!(excused(json!(0.5)), (false, true, 0));
    assert_eq!(excused(json!(2)), (true, false, 0));
    assert_eq!(excused(json!(null)), (false, false, 0));
}

#[test]
fn annotations_of_which_none_can_be_taken_say_why() {
    let error = changed(|coco| {
        for annotation in coco["annotations"].as_array_mut().unwrap() {
            annotation["image_id"] = json!(annotation["image_id"].to_string());
        }
    })
    .unwrap_err();
    assert!(error.yields_nothing());
    let error = error.to_string();
    assert!(
        error.contains("no annotation is usable (2 found)") && error.contains("image \"1\""),
        "{error}"
    );
    let (_, problems) = changed(|coco| coco["annotations"] = json!([])).unwrap();
    assert_eq!(problems.count(Problem::NoObjects), 1);
}

#[test]
fn a_file_may_begin_with_a_mark_and_be_utf_16() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let json = json!({"images": [{"id": 1, "file_name": "ä.jpg"}], "categories": [{"id": 1, "name": "Fußga\u{308}nger"}], "annotations": []});
    let json = format!("\u{feff}{json:#}").replace('\n', "\r\n");
    let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [json.clone().into_bytes(), utf16] {
        std::fs::write(&file, bytes).unwrap();
        let (truth, _) = read(&file).unwrap();
        assert_eq!(truth.images[0].source.title(), "ä.jpg");
        assert_eq!(truth.categories[0].name, "Fußg\u{e4}nger");
    }
    std::fs::write(&file, b"{\"images\": [{\"file_name\": \"\xe4.jpg\"}]}").unwrap();
    let error = read(&file).unwrap_err().to_string();
    assert!(error.contains("a.json: expected UTF-8"), "{error}");
}
