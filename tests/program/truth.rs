//! Ground truth in every form, against real data and against each other.

use shuffledet_testing::{self as support, python};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shuffledet_bag::Recording;
use shuffledet_core::Labels;
use shuffledet_core::labels::Label;
use shuffledet_eval::truth::{
    ImageFiles, Truth, TruthImage, read_bag, read_coco, read_kitti, read_yolo,
};
use shuffledet_eval::{ClassMap, ImageSource, Object, Problem};
use shuffledet_image::folder::images_in;
use shuffledet_image::size::image_size;
use support::asset;

const COCO: &str = "images/instances_coco_part.json";

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// The images of a folder, as long as the statement that it stands in.
macro_rules! image_files {
    ($folder:expr) => {
        ImageFiles {
            folder: $folder,
            files: &images_in($folder).unwrap(),
            size: &|path| image_size(path).ok(),
        }
    };
}

#[test]
fn pycocotools_reads_the_same_objects() {
    const TEST: &str = "pycocotools_reads_the_same_objects";
    let (Some(file), Some(mut python)) = (asset(TEST, COCO), python::python(TEST)) else {
        return;
    };
    python.arg(support::repository("tests/reference/coco_objects.py"));
    let expected: Value = serde_json::from_slice(&output(python.arg(&file))).unwrap();
    let (truth, problems) = read_coco(&file).unwrap();
    let categories: BTreeMap<_, _> = (truth.categories.iter())
        .map(|category| (category.id.to_string(), &category.name))
        .collect();
    assert_eq!(json!(categories), expected["categories"]);
    let row = |o: &Object| json!([o.id, o.category_id, o.bbox, o.area, u8::from(o.iscrowd)]);
    let images: BTreeMap<_, Vec<Value>> = (truth.images.iter())
        .map(|image| {
            (
                image.id.to_string(),
                image.objects.iter().map(row).collect(),
            )
        })
        .collect();
    assert_eq!(json!(images), as_floats(&expected["images"]));
    let crowds = |image: &TruthImage| image.objects.iter().filter(|o| o.iscrowd).count();
    let crowds: usize = truth.images.iter().map(crowds).sum();
    assert_eq!((truth.images.len(), crowds), (64, 4));
    assert!(problems.total() == 0, "{problems:?}");
}

/// Boxes and areas are floats of ours; Python writes those that came without a point as integers.
fn as_floats(images: &Value) -> Value {
    let float = |value: &Value| json!(value.as_f64().unwrap());
    let mut images = images.clone();
    for image in images.as_object_mut().unwrap().values_mut() {
        for row in image.as_array_mut().unwrap() {
            row[2] = row[2].as_array().unwrap().iter().map(float).collect();
            row[3] = float(&row[3]);
        }
    }
    images
}

/// By file name, name of category and box of every object that is no crowd.
fn boxes(truth: &Truth) -> BTreeMap<String, Vec<(String, [f64; 4])>> {
    let name = |id: u64| {
        let category = truth.categories.iter().find(|c| c.id == id).unwrap();
        category.name.clone()
    };
    let objects = |image: &TruthImage| {
        let own = image.objects.iter().filter(|object| !object.iscrowd);
        own.map(|o| (name(o.category_id), o.bbox)).collect()
    };
    let images = truth.images.iter();
    images
        .filter(|image| !image.objects.is_empty())
        .map(|image| (image.source.title(), objects(image)))
        .collect()
}

fn assert_same(ours: &Truth, coco: &Truth) {
    let (ours, coco) = (boxes(ours), boxes(coco));
    assert_eq!(ours.len(), coco.len());
    for ((name, ours), (of, expected)) in ours.iter().zip(&coco) {
        assert_eq!((name, ours.len()), (of, expected.len()));
        for ((category, bbox), (other, expected)) in ours.iter().zip(expected) {
            assert_eq!(category, other);
            let near = bbox.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(near, "{name}: {bbox:?}, in COCO {expected:?}");
        }
    }
}

/// The data set as a folder of text files, a line for each object by `line`.
fn write_labels(
    truth: &Truth,
    folder: &Path,
    line: impl Fn(&TruthImage, &str, &Object) -> String,
) -> PathBuf {
    let labels = folder.join("labels");
    fs::create_dir(&labels).unwrap();
    for image in &truth.images {
        let mut text = String::new();
        for object in &image.objects {
            let id = object.category_id;
            let category = truth.categories.iter().find(|c| c.id == id).unwrap();
            writeln!(text, "{}", line(image, &category.name, object)).unwrap();
        }
        let file = labels.join(image.source.title()).with_extension("txt");
        fs::write(file, text).unwrap();
    }
    labels
}

fn class_map(folder: &Path, yaml: &str) -> ClassMap {
    let file = folder.join("map.yaml");
    fs::write(&file, yaml).unwrap();
    let car = Label {
        name: "car".to_owned(),
        category_id: 3,
    };
    ClassMap::read(&file, &Labels::new(vec![car]).unwrap()).unwrap()
}

#[test]
fn kitti_labels_made_of_coco_are_the_same() {
    const TEST: &str = "kitti_labels_made_of_coco_are_the_same";
    let Some(file) = asset(TEST, COCO) else {
        return;
    };
    let (truth, _) = read_coco(&file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // KITTI's types have no spaces
    let labels = write_labels(&truth, folder.path(), |_, name, object| {
        let [x, y, w, h] = object.bbox;
        let kind = if object.iscrowd { "DontCare" } else { name };
        let kind = kind.replace(' ', "_");
        format!(
            "{kind} 0.00 0 -10 {x} {y} {} {} -1 -1 -1 -1000 -1000 -1000 -10",
            x + w,
            y + h
        )
    });
    let spaced = truth.categories.iter().filter(|c| c.name.contains(' '));
    let spaced = spaced.map(|c| format!("  {}: {}\n", c.name.replace(' ', "_"), c.name));
    let yaml = format!("truth:\n{}", spaced.collect::<String>());
    let map = class_map(folder.path(), &yaml);
    let (ours, problems) = read_kitti(&labels, image_files!(file.parent().unwrap()), &map).unwrap();
    assert_same(&ours, &truth);
    // the dashcam's frames, which COCO does not list either
    assert_eq!(problems.count(Problem::Unlabelled), problems.total());
    let regions = |image: &TruthImage| image.objects.iter().filter(|o| o.ignore).count();
    let regions: usize = ours.images.iter().map(regions).sum();
    assert_eq!(regions, 4 * ours.categories.len());
}

#[test]
fn yolo_labels_made_of_coco_are_the_same() {
    const TEST: &str = "yolo_labels_made_of_coco_are_the_same";
    let Some(file) = asset(TEST, COCO) else {
        return;
    };
    let (mut truth, _) = read_coco(&file).unwrap();
    for image in &mut truth.images {
        image.objects.retain(|object| !object.iscrowd);
    }
    let folder = tempfile::tempdir().unwrap();
    let labels = write_labels(&truth, folder.path(), |image, _, object| {
        let [x, y, w, h] = object.bbox;
        let (width, height) = (f64::from(image.width), f64::from(image.height));
        let (x, y) = ((x + w / 2.0) / width, (y + h / 2.0) / height);
        format!(
            "{} {x} {y} {} {}",
            object.category_id,
            w / width,
            h / height
        )
    });
    let names: BTreeMap<_, _> = truth.categories.iter().map(|c| (c.id, &c.name)).collect();
    let lines = names.iter().map(|(id, name)| format!("  {id}: {name}\n"));
    let data = format!(
        "path: ../x\ntrain: images\nnames:\n{}",
        lines.collect::<String>()
    );
    fs::write(folder.path().join("data.yaml"), data).unwrap();
    let images = file.parent().unwrap();
    let (ours, problems) = read_yolo(&labels, image_files!(images), &ClassMap::default()).unwrap();
    assert_same(&ours, &truth);
    assert!(problems.total() == 0, "{problems:?}");
    for image in &ours.images {
        let same = truth
            .images
            .iter()
            .find(|other| other.source == image.source);
        if let Some(other) = same {
            assert_eq!((image.width, image.height), (other.width, other.height));
        }
    }
    // the same names in the class map, with cars and buses joined
    fs::remove_file(folder.path().join("data.yaml")).unwrap();
    let joined = |name: &str| if name == "bus" { "car" } else { name }.to_owned();
    let names: BTreeMap<_, _> = names.iter().map(|(id, name)| (id, joined(name))).collect();
    let map = class_map(folder.path(), &json!({"truth": names}).to_string());
    let (ours, _) = read_yolo(&labels, image_files!(images), &map).unwrap();
    truth.rename(&class_map(folder.path(), "truth: {bus: car}"));
    assert_same(&ours, &truth);
}

#[test]
fn detections_of_a_replay_are_ground_truth() {
    const TEST: &str = "detections_of_a_replay_are_ground_truth";
    const CAMERA: &str = "/camera/front/image_raw/compressed";
    let Some(bag) = asset(TEST, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mcap, json) = (folder.path().join("o.mcap"), folder.path().join("o.json"));
    let mut replay = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    replay.arg("replay").arg(&bag).arg("--output").arg(&mcap);
    output(
        replay
            .arg("--detections")
            .arg(&json)
            .args(["--limit", "40"]),
    );
    let expected: Vec<Value> = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();

    let recording = Recording::open(&mcap).unwrap();
    let topic = format!("{CAMERA}/detections");
    let (truth, problems) = read_bag(&recording, &topic, CAMERA, &ClassMap::default()).unwrap();
    assert_eq!(truth.images.len(), 40);
    assert!(problems.total() == 0, "{problems:?}");
    let mut found = truth.images.iter().flat_map(|image| {
        let ImageSource::Message { topic, stamp_ns } = &image.source else {
            panic!("{:?}", image.source);
        };
        assert_eq!(topic, CAMERA);
        image.objects.iter().map(|object| (*stamp_ns, object))
    });
    for row in &expected {
        let (stamp_ns, object) = found.next().unwrap();
        assert_eq!(json!(stamp_ns), row["stamp_ns"]);
        let label = truth.categories.iter().find(|c| c.id == object.category_id);
        assert_eq!(json!(label.unwrap().name), row["label"]);
        let near =
            |(k, side): (usize, &f64)| (side - row["bbox"][k].as_f64().unwrap()).abs() < 1e-3;
        assert!(
            object.bbox.iter().enumerate().all(near),
            "{object:?}, {row}"
        );
    }
    assert!(found.next().is_none());
    let other = read_bag(
        &Recording::open(&bag).unwrap(),
        CAMERA,
        CAMERA,
        &ClassMap::default(),
    );
    assert!(other.unwrap_err().to_string().contains("Detection2DArray"));
}

#[test]
fn large_sets_are_read_at_once() {
    let outline: Vec<f64> = (0..40).map(f64::from).collect();
    let images: Vec<Value> = (0..5000)
        .map(|id| json!({"id": id, "file_name": format!("{id:012}.jpg"), "width": 640, "height": 480}))
        .collect();
    let annotations: Vec<Value> = (0..40_000)
        .map(|id| json!({
            "id": id, "image_id": id % 5000, "category_id": id % 80, "bbox": [1.5, 2.5, 30.25, 40.125],
            "area": 900.0, "iscrowd": 0, "segmentation": [outline],
        }))
        .collect();
    let categories: Vec<Value> = (0..80)
        .map(|id| json!({"id": id, "name": format!("c{id}")}))
        .collect();
    let coco = json!({"images": images, "annotations": annotations, "categories": categories});
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, coco.to_string()).unwrap();
    let start = Instant::now();
    let (truth, problems) = read_coco(file.path()).unwrap();
    let taken = start.elapsed();
    assert_eq!(truth.images.len(), 5000);
    assert!(problems.total() == 0);
    eprintln!("read in {taken:?}");
    // a tenth of it on a machine that has nothing else to do
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}
