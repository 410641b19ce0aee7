use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::class_map::tests::labels;
use crate::fixtures;
use crate::{ImageSource, Problem};

const RED_CAR: &str = "red car";

/// A folder of files, and the options that read them.
struct Files {
    folder: TempDir,
    coco: PathBuf,
    map: PathBuf,
    ignore: PathBuf,
}

impl Files {
    /// Writes COCO annotations with two images, each with a car.
    fn new(image: impl Fn(u64) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = Files {
            coco: path("coco.json"),
            map: path("map.yaml"),
            ignore: path("ignore.yaml"),
            folder,
        };
        let boxes = [1, 2].map(|id| {
            json!({"id": id, "image_id": id, "category_id": 5, "bbox": [1, 2, 30, 40], "area": 1200, "iscrowd": 0})
        });
        let coco = json!({"images": [image(1), image(2)], "annotations": boxes,
            "categories": [{"id": 5, "name": RED_CAR}, {"id": 6, "name": "bus"}]});
        files.write("coco.json", &coco.to_string());
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn read<'a>(
        &'a self,
        change: impl FnOnce(&mut GroundTruthOptions<'a>),
    ) -> Result<GroundTruth, GroundTruthError> {
        let mut options = GroundTruthOptions {
            annotations: AnnotationSource::Path {
                path: &self.coco,
                format: None,
            },
            images: ImageLocation::Folder(ImageFolder {
                path: self.folder.path(),
                list: &|_| Err("the list is not needed".into()),
                size: &|_| None,
            }),
            images_in: Path::new("images"),
            class_map: self.map.exists().then_some(&self.map),
            ignore: self.ignore.exists().then_some(&self.ignore),
            limit: None,
            strict: false,
        };
        change(&mut options);
        options.read(&labels(&["car", "bus"]), fixtures::subject().settings)
    }
}

fn file(id: u64) -> Value {
    json!({"id": id, "file_name": format!("{id}.jpg"), "width": 100, "height": 80})
}

fn message(id: u64) -> Value {
    json!({"id": id, "topic": "/camera", "stamp_ns": id, "width": 100, "height": 80})
}

#[test]
fn the_class_map_maps_classes_to_categories_by_name() {
    let files = Files::new(file);
    files.write("map.yaml", "car: red car\n");
    let read = files.read(|_| {}).unwrap();
    assert_eq!(read.categories, [Some(5), Some(6)]);
    assert_eq!(read.settings.class_map["car"], RED_CAR);
    assert_eq!(
        read.settings.class_map_sha256,
        Some(sha256(b"car: red car\n"))
    );
    let coco = fs::read(&files.coco).unwrap();
    assert_eq!(read.description.sha256, sha256(&coco));
    assert_eq!(
        (
            read.description.format.as_str(),
            read.description.image_count
        ),
        ("coco", 2)
    );
    assert_eq!(read.description.images_in, "images");
    // what the detector decided stays
    assert_eq!(read.settings.nms_iou_threshold, 0.6);
}

#[test]
fn limit_and_regions_apply_to_the_images() {
    let files = Files::new(file);
    files.write("ignore.yaml", "- {bbox: [0, 0, 50, 50]}\n");
    let read = files.read(|options| options.limit = Some(1)).unwrap();
    assert_eq!((read.truth.images.len(), read.settings.limit), (1, Some(1)));
    let ignored = read.truth.images[0].objects.iter().filter(|o| o.ignore);
    assert!(ignored.count() > 0);
    let error = files.read(|options| options.limit = Some(0)).unwrap_err();
    assert!(
        error.to_string().contains("no images to evaluate"),
        "{error}"
    );
}

#[test]
fn annotations_without_a_class_of_the_model_yield_nothing() {
    let files = Files::new(file);
    files.write("map.yaml", "{car: null, bus: null}");
    let error = files.read(|_| {}).unwrap_err();
    assert!(error.yields_nothing());
    assert!(
        error
            .to_string()
            .contains("(red car, bus) is a class of the model (car, bus)"),
        "{error}"
    );
}

#[test]
fn strict_makes_a_problem_an_error() {
    let files = Files::new(file);
    let read = files.read(|_| {}).unwrap();
    assert_eq!(read.problems.count(Problem::UnmappedCategory), 1);
    let error = files.read(|options| options.strict = true).unwrap_err();
    assert!(
        error.to_string().starts_with("--strict: ") && error.to_string().contains(RED_CAR),
        "{error}"
    );
}

#[test]
fn annotations_must_refer_to_the_kind_of_images_that_is_given() {
    let error = Files::new(message).read(|_| {}).unwrap_err().to_string();
    assert!(
        error.contains("refers to a message of a recording"),
        "{error}"
    );
    let files = Files::new(file);
    let error = files
        .read(|options| options.images = ImageLocation::Recording)
        .unwrap_err();
    assert!(
        error.to_string().contains("1.jpg refers to an image file"),
        "{error}"
    );
    let read = Files::new(message)
        .read(|options| options.images = ImageLocation::Recording)
        .unwrap();
    assert!(matches!(
        read.truth.images[1].source,
        ImageSource::Message { stamp_ns: 2, .. }
    ));
}

#[test]
fn labels_of_files_are_refused_for_a_recording_and_list_the_images_otherwise() {
    let files = Files::new(file);
    let folder = files.folder.path().join("labels");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1.txt"), "Car 0 0 0 1 2 31 42 1 1 1 1 1 1 0\n").unwrap();
    let annotations = || AnnotationSource::Path {
        path: &folder,
        format: None,
    };
    let error = files
        .read(|options| {
            options.annotations = annotations();
            options.images = ImageLocation::Recording;
        })
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("kitti labels cannot be assigned"),
        "{error}"
    );
    let error = files
        .read(|options| options.annotations = annotations())
        .unwrap_err();
    assert_eq!(error.to_string(), "the list is not needed");
    let read = files
        .read(|options| {
            options.annotations = annotations();
            options.images = ImageLocation::Folder(ImageFolder {
                path: Path::new("/images"),
                list: &|folder| Ok(vec![folder.join("1.jpg")]),
                size: &|_| Some((100, 80)),
            });
        })
        .unwrap();
    assert_eq!(read.truth.images[0].objects.len(), 1);
    assert_eq!(read.description.sha256, truth_sha256(&read.truth));
}

#[cfg(unix)]
#[test]
fn annotations_may_come_from_a_pipe() {
    let files = Files::new(file);
    let coco = &files.coco;
    let pipe = files.folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let (from, to) = (coco.clone(), pipe.clone());
    let writer = std::thread::spawn(move || fs::write(to, fs::read(from).unwrap()).unwrap());
    let read = files
        .read(|options| {
            options.annotations = AnnotationSource::Path {
                path: &pipe,
                format: None,
            };
        })
        .unwrap();
    writer.join().unwrap();
    assert_eq!(read.truth.images.len(), 2);
    assert_eq!(read.description.sha256, file_sha256(coco).unwrap());
}
