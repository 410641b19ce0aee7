//! From labels to samples, by the readers of `shuffledet eval`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shuffledet_core::BBox;
use shuffledet_core::text::same_name;
use shuffledet_eval::truth::{Format, ImageFiles, parse_coco, read_kitti, read_yolo};
use shuffledet_eval::{Category, ClassMap, ImageSource, Problems, Truth, TruthImage, image_path};
use shuffledet_image::folder::images_in;
use shuffledet_image::size::image_size;

use super::extras::{Extras, ImageExtras};
use super::{DataError, DataLocation, LabelledBox, Origin, Sample};

/// Labelled pictures.
#[derive(Debug, Clone)]
pub struct DataSet {
    pub samples: Vec<Sample>,
    /// The names by class.
    pub classes: Vec<String>,
    /// Classes that the labels have no category for. Only a teacher's boxes can show them.
    pub absent: Vec<String>,
    /// Categories of the labels that are not among the classes, with the number of their boxes.
    pub unused: BTreeMap<String, usize>,
    /// What the reader of the labels found wrong.
    pub problems: Problems,
}

/// Reads the data at `location` for a network with `classes`; without any, those of the labels in their order.
///
/// # Errors
/// There are no labels of a known format, or none of their categories is one of `classes`.
pub fn read(location: &DataLocation, classes: &[String]) -> Result<DataSet, DataError> {
    let (truth, problems, extras) = read_truth(location)?;
    let classes = match classes {
        [] => truth.categories.iter().map(|c| c.name.clone()).collect(),
        given => given.to_vec(),
    };
    let class_of = |category: &Category| -> Option<usize> {
        classes
            .iter()
            .position(|class| same_name(class, &category.name))
    };
    let by_category: BTreeMap<u64, Option<usize>> = (truth.categories.iter())
        .map(|category| (category.id, class_of(category)))
        .collect();
    let known = |class: usize| by_category.values().any(|&of| of == Some(class));
    let absent: Vec<usize> = (0..classes.len()).filter(|&class| !known(class)).collect();
    if absent.len() == classes.len() {
        return Err(DataError::NoClass {
            path: location.labels.clone(),
            categories: names(truth.categories.iter().map(|c| c.name.as_str())),
            classes: names(classes.iter().map(String::as_str)),
        });
    }
    let mut unused: BTreeMap<String, usize> = BTreeMap::new();
    for object in truth.images.iter().flat_map(|image| &image.objects) {
        if by_category.get(&object.category_id) == Some(&None) {
            let category = truth.categories.iter().find(|c| c.id == object.category_id);
            let name = category.map_or_else(String::new, |c| c.name.clone());
            *unused.entry(name).or_default() += 1;
        }
    }
    let none = ImageExtras::default();
    let samples = truth.images.iter().map(|image| {
        let extras_of = extras.images.get(&image.id).unwrap_or(&none);
        let annotated = (0..classes.len()).map(|class| {
            let listed = extras_of.annotated_classes.as_ref();
            known(class)
                && listed.is_none_or(|names| names.iter().any(|n| same_name(n, &classes[class])))
        });
        sample(
            location,
            image,
            annotated.collect(),
            extras_of.scene.clone(),
            &by_category,
            &extras,
        )
    });
    Ok(DataSet {
        samples: samples.collect::<Result<_, DataError>>()?,
        absent: absent.iter().map(|&class| classes[class].clone()).collect(),
        classes,
        unused,
        problems,
    })
}

fn sample(
    location: &DataLocation,
    image: &TruthImage,
    annotated: Vec<bool>,
    scene: Option<String>,
    classes: &BTreeMap<u64, Option<usize>>,
    extras: &Extras,
) -> Result<Sample, DataError> {
    let file_name = match &image.source {
        ImageSource::File { file_name } => file_name.clone(),
        ImageSource::Message { .. } => image.source.title(),
    };
    let objects = image.objects.iter().filter_map(|object| {
        let class = classes.get(&object.category_id).copied().flatten()?;
        let [x, y, w, h] = object.bbox;
        let bbox = BBox {
            x1: x as f32,
            y1: y as f32,
            x2: (x + w) as f32,
            y2: (y + h) as f32,
        };
        let ignored = object.iscrowd || object.ignore;
        let by_person = LabelledBox {
            class,
            bbox,
            weight: 1.0,
            ignored,
            origin: Origin::Person,
        };
        Some(match extras.scores.get(&object.id) {
            Some(&score) => super::pseudo::judged(by_person, score),
            None => by_person,
        })
    });
    Ok(Sample {
        path: image_path(&location.images, &file_name)?,
        size: (image.width, image.height),
        objects: objects.collect(),
        annotated,
        scene: scene.unwrap_or_else(|| file_name.clone()),
        file_name,
    })
}

/// Reads COCO, YOLO or KITTI, whichever the content is.
fn read_truth(location: &DataLocation) -> Result<(Truth, Problems, Extras), DataError> {
    let labels = location.labels.as_path();
    match Format::guess(labels)? {
        Format::Coco => {
            let bytes = fs::read(labels).map_err(|source| DataError::Io {
                path: labels.to_owned(),
                source,
            })?;
            let (truth, problems) = parse_coco(&bytes, labels)?;
            let extras = Extras::parse(&bytes).map_err(|error| DataError::Boxes {
                path: labels.to_owned(),
                problem: format!("annotated_classes, scene and score: {error}"),
            })?;
            Ok((truth, problems, extras))
        }
        format => {
            let files = list(&location.images)?;
            let size = |path: &Path| image_size(path).ok();
            let images = ImageFiles {
                folder: &location.images,
                files: &files,
                size: &size,
            };
            let map = ClassMap::default();
            let (truth, problems) = match format {
                Format::Kitti => read_kitti(labels, images, &map)?,
                _ => read_yolo(labels, images, &map)?,
            };
            Ok((truth, problems, Extras::default()))
        }
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    images_in(folder).map_err(|error| DataError::Images {
        path: folder.to_owned(),
        reason: error.to_string(),
    })
}

/// Joins the first eight names.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = names.take(SHOWN + 1).collect();
    if let Some(last) = names.get_mut(SHOWN) {
        *last = "...";
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &str = r#"{
        "categories": [{"id": 3, "name": "car"}, {"id": 4, "name": "Van"}],
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 50, "annotated_classes": ["car"], "scene": "s"},
            {"id": 2, "file_name": "b.jpg", "width": 100, "height": 50}
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 10, 20, 10], "area": 200, "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 3, "bbox": [50, 10, 20, 10], "area": 200, "iscrowd": 1},
            {"id": 3, "image_id": 2, "category_id": 4, "bbox": [0, 0, 20, 10], "area": 200, "iscrowd": 0}
        ]}"#;

    fn data(classes: &[&str]) -> Result<DataSet, DataError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("labels.json"), LABELS).unwrap();
        let location = DataLocation::find(folder.path(), None).unwrap();
        let classes: Vec<String> = classes.iter().map(|&name| name.to_owned()).collect();
        read(&location, &classes)
    }

    #[test]
    fn classes_are_found_by_name_and_crowds_are_ignored() {
        let data = data(&["bus", "car", "van"]).unwrap();
        assert_eq!(data.absent, ["bus"]);
        let [a, b] = data.samples.as_slice() else {
            panic!("two pictures");
        };
        assert_eq!(a.annotated, [false, true, false]);
        assert_eq!(b.annotated, [false, true, true]);
        assert_eq!((a.scene.as_str(), b.scene.as_str()), ("s", "b.jpg"));
        let ignored: Vec<bool> = a.objects.iter().map(|object| object.ignored).collect();
        assert_eq!(ignored, [false, true]);
        assert_eq!((b.objects[0].class, b.objects[0].bbox.x2), (2, 20.0));
    }

    #[test]
    fn without_classes_the_labels_name_them() {
        assert_eq!(data(&[]).unwrap().classes, ["car", "Van"]);
        let one = data(&["car"]).unwrap();
        assert_eq!(one.unused, [("Van".to_owned(), 1)].into());
        let error = data(&["tram"]).unwrap_err().to_string();
        assert!(
            error.contains("none of its categories (car, Van)"),
            "{error}"
        );
    }
}
