//! COCO's figures against pycocotools, on random and on real data.

use shuffledet_testing::{self as support, detector, python};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};

use detector::detector;
use shuffledet_eval::{
    AccuracySettings, Category, DetectionResult, Figure, ImageRecord, ImageSource, Object, accuracy,
};
use shuffledet_image::ImageDecoder;

const TOLERANCE: f64 = 1e-9;

/// What an evaluation file holds of a data set.
struct Case {
    categories: Vec<Category>,
    images: Vec<ImageRecord>,
}

fn record(index: usize, id: u64) -> ImageRecord {
    ImageRecord {
        index: index as u64,
        id,
        source: ImageSource::File {
            file_name: format!("{id}.jpg"),
        },
        width: 640,
        height: 480,
        objects: Vec::new(),
        detections: Vec::new(),
        annotated_size: None,
        input_sizes: Vec::new(),
        stages_ms: BTreeMap::new(),
        damage: None,
        failure: None,
    }
}

fn category(id: u64) -> Category {
    let name = format!("class {id}");
    Category { id, name }
}

/// Fails where a figure of ours is not the one that pycocotools gives.
fn compare(test: &str, cases: &[Case]) {
    let Some(mut python) = python::python(test) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    python.arg(support::repository("tests/reference/coco_figures.py"));
    for (number, case) in cases.iter().enumerate() {
        let file = json!({"dataset": {"categories": case.categories}, "images": case.images});
        let path = folder.path().join(format!("{number}.json"));
        fs::write(&path, file.to_string()).unwrap();
        python.arg(path);
    }
    let output = python.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), cases.len());
    for (number, (case, theirs)) in cases.iter().zip(&lines).enumerate() {
        let images: Vec<_> = case.images.iter().collect();
        let ours = accuracy(&case.categories, &images, &AccuracySettings::default());
        let ours = serde_json::to_value(ours).unwrap();
        close(&format!("case {number}"), &ours, &theirs["figures"]);
        // theirs are sorted by id
        for theirs in theirs["per_class"].as_array().unwrap() {
            let mut classes = ours["per_class"].as_array().unwrap().iter();
            let ours = classes.find(|class| class["id"] == theirs["id"]).unwrap();
            close(
                &format!("case {number}, class {}", ours["id"]),
                ours,
                theirs,
            );
        }
    }
}

/// Every number of `theirs` is in `ours`.
fn close(place: &str, ours: &Value, theirs: &Value) {
    match theirs {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, theirs)| close(&format!("{place}: {key}"), &ours[key], theirs)),
        Value::Array(list) => {
            assert_eq!(ours.as_array().map(Vec::len), Some(list.len()), "{place}");
            (0..).zip(list).for_each(|(at, theirs)| {
                close(&format!("{place}[{at}]"), &ours[at as usize], theirs);
            });
        }
        _ => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            assert!(
                (ours - theirs).abs() < TOLERANCE,
                "{place}: ours {ours}, pycocotools {theirs}"
            );
        }
    }
}

/// Few different scores, whole pixels, crowds, ignored objects, areas on the edges of the ranges, empty images, classes
/// without objects or without detections, ids in no order, now and then more than 100 detections of a class.
fn random_case(seed: u64) -> Case {
    let rng = &mut Rng::with_seed(seed);
    let mut categories: Vec<_> = (1..=rng.u64(1..6)).map(|n| category(n * 7)).collect();
    rng.shuffle(&mut categories);
    let ids: Vec<_> = categories.iter().map(|category| category.id).collect();
    let mut image_ids: Vec<_> = (0..rng.u64(1..25)).map(|n| n * 13 % 101).collect();
    rng.shuffle(&mut image_ids);
    let whole = rng.bool();
    let crowded = rng.u8(0..8) == 0;
    let images = (0..).zip(image_ids).map(|(index, id)| {
        let mut image = record(index, id);
        // the last class is found but never there
        let there = &ids[..ids.len().max(2) - 1];
        for number in 0..rng.u64(0..9) {
            let size = [8, 32, 96, 200][rng.usize(0..4)];
            let mut bbox = [rng.i32(0..400), rng.i32(0..300), rng.i32(0..=size), size];
            if rng.bool() {
                bbox[2] = size;
            }
            let area = match rng.u8(0..4) {
                0 => [1024.0, 9216.0][rng.usize(0..2)],
                1 => f64::from(bbox[2] * bbox[3]) * rng.f64(),
                _ => f64::from(bbox[2] * bbox[3]),
            };
            image.objects.push(Object {
                id: number,
                category_id: there[rng.usize(0..there.len())],
                bbox: bbox.map(f64::from),
                area,
                iscrowd: rng.u8(0..6) == 0,
                ignore: rng.u8(0..8) == 0,
                outline: None,
            });
        }
        for _ in 0..rng.usize(0..if crowded { 400 } else { 30 }) {
            let near = rng.usize(0..image.objects.len() + 1);
            let mut bbox = match image.objects.get(near) {
                Some(object) => object
                    .bbox
                    .map(|side| side + f64::from(rng.i32(-6..7)) * rng.f64().round()),
                None => [
                    rng.i32(0..400),
                    rng.i32(0..300),
                    rng.i32(0..150),
                    rng.i32(0..150),
                ]
                .map(f64::from),
            };
            bbox[2] = bbox[2].max(0.0);
            bbox[3] = bbox[3].max(0.0);
            if !whole {
                bbox = bbox.map(|side| side + rng.f64());
            }
            let own = image.objects.get(near).map(|object| object.category_id);
            let any = ids[rng.usize(0..ids.len())];
            image.detections.push(DetectionResult {
                category_id: own.filter(|_| rng.u8(0..4) > 0).unwrap_or(any),
                bbox,
                score: f64::from(rng.u8(1..10)) / 10.0,
            });
        }
        image
    });
    Case {
        images: images.collect(),
        categories,
    }
}

#[test]
fn random_data_has_the_figures_of_pycocotools() {
    let cases: Vec<_> = (0..200).map(random_case).collect();
    compare("random_data_has_the_figures_of_pycocotools", &cases);
}

#[derive(Deserialize)]
struct Annotations {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    area: f64,
    iscrowd: u8,
}

/// The images of the assets with what the detector finds in them.
fn real_case(folder: &Path) -> Case {
    let text = fs::read_to_string(folder.join("instances_coco_part.json")).unwrap();
    let truth: Annotations = serde_json::from_str(&text).unwrap();
    let mut detector = detector("nanodet_m_416", Some(0.001), Some(0.6));
    let mut decoder = ImageDecoder::new();
    let labels: Vec<_> = truth
        .categories
        .iter()
        .map(|category| category.id)
        .collect();
    let images = truth.images.iter().enumerate().map(|(index, image)| {
        let file = fs::read(folder.join(&image.file_name)).unwrap();
        let found = detector
            .detect(&decoder.decode_file(&file).unwrap())
            .unwrap();
        let objects = truth.annotations.iter().filter(|a| a.image_id == image.id);
        ImageRecord {
            objects: objects
                .map(|a| Object {
                    id: a.id,
                    category_id: a.category_id,
                    bbox: a.bbox,
                    area: a.area,
                    iscrowd: a.iscrowd != 0,
                    ignore: false,
                    outline: None,
                })
                .collect(),
            detections: found
                .iter()
                .map(|d| DetectionResult {
                    category_id: labels[d.class_id],
                    bbox: [d.bbox.x1, d.bbox.y1, d.bbox.width(), d.bbox.height()].map(f64::from),
                    score: f64::from(d.score),
                })
                .collect(),
            ..record(index, image.id)
        }
    });
    Case {
        images: images.collect(),
        categories: truth.categories,
    }
}

#[test]
fn real_data_has_the_figures_of_pycocotools() {
    let test = "real_data_has_the_figures_of_pycocotools";
    let Some(folder) = support::asset(test, "images") else {
        return;
    };
    let real = real_case(&folder);
    let images: Vec<_> = real.images.iter().collect();
    let figures = accuracy(&real.categories, &images, &AccuracySettings::default()).figures;
    // the assets' own figures
    for (figure, expected) in [(Figure::Ap, 0.3226), (Figure::Ap50, 0.5087)] {
        let ours = figures[figure].unwrap();
        assert!((ours - expected).abs() < 0.002, "{figures:?}");
    }
    let mut cases = vec![real];
    for seed in 0..5 {
        let rng = &mut Rng::with_seed(seed);
        let mut images = cases[0].images.clone();
        for found in images.iter_mut().flat_map(|image| &mut image.detections) {
            found.bbox = found.bbox.map(|side| side + 8.0 * rng.f64() - 4.0);
            found.score = (found.score * 20.0 + rng.f64()).round() / 21.0;
        }
        let categories = cases[0].categories.clone();
        cases.push(Case { categories, images });
    }
    compare(test, &cases);
}

/// As large as COCO's validation set with as many detections as it counts.
fn large_case() -> Case {
    let rng = &mut Rng::with_seed(1);
    let categories: Vec<_> = (1..=80).map(category).collect();
    let images = (0..5000).map(|index| {
        let mut image = record(index, index as u64 + 1);
        let bbox = |rng: &mut Rng| {
            let side = 10.0 + 150.0 * rng.f64() * rng.f64();
            [640.0 * rng.f64(), 480.0 * rng.f64(), side, side]
        };
        for number in 0..7 {
            let bbox = bbox(rng);
            // a third of all is of the first class, as people are in COCO
            let class = rng.u64(1..=120).saturating_sub(40).max(1);
            image.objects.push(Object {
                id: number,
                category_id: class,
                bbox,
                area: bbox[2] * bbox[3] * 0.6,
                iscrowd: rng.u8(0..100) == 0,
                ignore: false,
                outline: None,
            });
        }
        for number in 0..100 {
            let object = image.objects.get(number / 3);
            let found = match object {
                Some(object) => DetectionResult {
                    category_id: object.category_id,
                    bbox: object.bbox.map(|side| side + 8.0 * rng.f64() - 4.0),
                    score: rng.f64(),
                },
                None => DetectionResult {
                    category_id: rng.u64(1..=80),
                    bbox: bbox(rng),
                    score: rng.f64() * rng.f64(),
                },
            };
            image.detections.push(found);
        }
        image
    });
    Case {
        images: images.collect(),
        categories,
    }
}

#[test]
fn a_set_as_large_as_cocos_takes_seconds() {
    let case = large_case();
    let images: Vec<_> = case.images.iter().collect();
    let started = Instant::now();
    let ours = accuracy(&case.categories, &images, &AccuracySettings::default());
    let took = started.elapsed();
    assert!(ours.figures[Figure::Ap] > Some(0.0));
    println!("5,000 images with 100 detections each: {took:?}");
    // what it must keep to; it takes a fraction of a second
    assert!(took < Duration::from_secs(10), "{took:?}");
}
