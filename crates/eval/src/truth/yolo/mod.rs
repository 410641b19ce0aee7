//! YOLO's labels: a folder of text files, one for each image of the same stem; a line has a class's number and the box's
//! centre and size as shares of the image's, or a polygon ([`row`]). The classes' names are those of `data.yaml`,
//! `classes.txt` or `obj.names`, in the folder of labels or one or two above it, and of the class map's section `truth`,
//! whose numbers win.

mod key_points;
mod names;
mod row;

use std::path::Path;

use self::key_points::KeyPoints;
use self::names::{Classes, NAMES_FILE};
pub(super) use self::row::class;
use self::row::row;
use super::checks::checked;
use super::label_files::LabelledFile;
use super::{ImageFiles, ReadCounts, Truth, TruthError, TruthImage, label_files};
use crate::class_map::{ClassMap, numbered};
use crate::problems::{Problem, Problems};
use crate::{ImageSource, Object};

/// Reads the labels in `folder` of the images in `images`. An image without a file of labels has no objects; of one that
/// is no picture the labels are left out, as they have no size.
pub fn read(
    folder: &Path,
    images: ImageFiles<'_>,
    map: &ClassMap,
) -> Result<(Truth, Problems), TruthError> {
    let classes = Classes::read(folder, map)?;
    let names = classes.categories.values().filter_map(Option::as_deref);
    let categories = numbered(names);
    let id_of = |name: &String| categories.iter().find(|c| c.name == *name).map(|c| c.id);
    let mut problems = Problems::default();
    let (mut truth_images, mut next_id, mut seen) = (Vec::new(), 0, ReadCounts::default());
    let labelled = label_files::read(folder, images, &mut problems)?;
    if !classes.states_key_points {
        refuse_key_points(folder, &labelled)?;
    }
    for (id, image) in (1..).zip(labelled) {
        // one that cannot be read is told of when it is evaluated
        let (width, height) = (images.size)(&image.image).unwrap_or_default();
        let mut objects = Vec::new();
        seen.files += u64::from(image.text.is_some());
        for line in image.lines() {
            next_id += 1;
            seen.annotations += 1;
            let place = line.place;
            let read = match line.problem {
                Some(problem) => Err(problem.to_owned()),
                None => row(&line.fields, classes.key_points),
            };
            let (class, [x, y, w, h]) = match read {
                Ok(read) => read,
                Err(problem) => {
                    problems.add(Problem::Malformed, format!("{place}: {problem}"));
                    continue;
                }
            };
            let Some(name) = classes.categories.get(&class) else {
                problems.add(Problem::UnknownCategory, format!("{place}: class {class}"));
                continue;
            };
            // a class that the map leaves out is nothing to be found
            let Some(category_id) = name.as_ref().and_then(id_of).filter(|_| width > 0) else {
                seen.unwanted += 1;
                continue;
            };
            let (image_w, image_h) = (f64::from(width), f64::from(height));
            let bbox = [x * image_w, y * image_h, w * image_w, h * image_h];
            let object = Object::in_box(next_id, category_id, bbox);
            objects.extend(checked(object, (width, height), || place, &mut problems));
        }
        truth_images.push(TruthImage {
            id,
            source: ImageSource::File {
                file_name: image.file_name,
            },
            width,
            height,
            objects,
        });
    }
    let truth = Truth {
        categories,
        images: truth_images,
        ..Truth::default()
    };
    truth.checked_for_objects(folder, seen, problems)
}

/// Fails if the rows that look like polygons have key points.
fn refuse_key_points(folder: &Path, images: &[LabelledFile]) -> Result<(), TruthError> {
    let rows = images
        .iter()
        .flat_map(LabelledFile::lines)
        .filter_map(|line| {
            let numbers = line.fields.iter().skip(1).map(|field| field.parse().ok());
            let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
            // others are boxes, or refused one by one
            (numbers.len() >= 6 && numbers.len().is_multiple_of(2)).then_some(numbers)
        });
    let rows: Vec<Vec<f64>> = rows.collect();
    match key_points::recognise(rows.iter().map(Vec::as_slice)) {
        None => Ok(()),
        Some(KeyPoints { points, dimensions }) => Err(TruthError::UnstatedKeyPoints {
            path: folder.to_owned(),
            file: folder.join(NAMES_FILE),
            points,
            dimensions,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixtures::image_files;

    #[test]
    fn shares_become_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels");
        fs::create_dir(&labels).unwrap();
        fs::write(folder.path().join("a.png"), "200x100").unwrap();
        fs::write(folder.path().join("b.png"), "200x100").unwrap();
        assert!(matches!(
            read(
                &labels,
                image_files(folder.path()).as_files(),
                &ClassMap::default()
            ),
            Err(TruthError::NoNames { .. })
        ));
        fs::write(
            folder.path().join("data.yaml"),
            "names: {0: person, 2: car}",
        )
        .unwrap();
        assert!(matches!(
            read(
                &labels,
                image_files(folder.path()).as_files(),
                &ClassMap::default()
            ),
            Err(TruthError::NoLabelFiles { .. })
        ));
        fs::write(
            labels.join("a.txt"),
            "2 0.5 0.5 0.1 0.2\n\n1 0.5 0.5 0.1 0.1\n0 0.5 nan 0.1 0.1\n0 1\n",
        )
        .unwrap();
        let (truth, problems) = read(
            &labels,
            image_files(folder.path()).as_files(),
            &ClassMap::default(),
        )
        .unwrap();
        assert_eq!((truth.images.len(), truth.images[1].objects.len()), (2, 0));
        let [object] = truth.images[0].objects.as_slice() else {
            panic!("{:?}", truth.images[0]);
        };
        let expected = [90.0, 40.0, 20.0, 20.0];
        assert!(
            object
                .bbox
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-9)
        );
        assert_eq!(
            (object.category_id, truth.categories[0].name.as_str()),
            (1, "car")
        );
        for problem in [
            Problem::UnknownCategory,
            Problem::NotANumber,
            Problem::Malformed,
        ] {
            assert_eq!(problems.count(problem), 1, "{problem:?}");
        }
    }

    /// Reads the labels `text` of one image.
    fn labelled(text: &[u8]) -> Result<(Truth, Problems), TruthError> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.png"), "200x100").unwrap();
        fs::write(
            path("data.yaml"),
            "\u{feff}names: [car, Fußga\u{308}nger]\r\n",
        )
        .unwrap();
        fs::write(path("a.txt"), text).unwrap();
        read(
            folder.path(),
            image_files(folder.path()).as_files(),
            &ClassMap::default(),
        )
    }

    #[test]
    fn polygons_and_boxes_may_be_mixed() {
        let (truth, problems) =
            labelled(b"0 0.45 0.4 0.55 0.4 0.55 0.6 0.45 0.6\n1 0.5 0.5 0.1 0.2\n0 0.45 0.4 0.55 0.6 0.5 0.5\n").unwrap();
        assert_eq!(problems.total(), 0, "{problems:?}");
        let boxes: Vec<_> = truth.images[0]
            .objects
            .iter()
            .map(|object| object.bbox)
            .collect();
        for bbox in &boxes {
            assert!(
                bbox.iter()
                    .zip([90.0, 40.0, 20.0, 20.0])
                    .all(|(a, b)| (a - b).abs() < 1e-9),
                "{boxes:?}"
            );
        }
        assert_eq!(boxes.len(), 3);
        assert_eq!(truth.categories[0].name, "Fußg\u{e4}nger");
    }

    #[test]
    fn a_byte_order_mark_costs_no_object() {
        let text = "0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2\n";
        let (expected, _) = labelled(text.as_bytes()).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let utf16: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mac = text.replace('\n', "\r").into_bytes();
        for bytes in [windows.into_bytes(), utf16, mac] {
            let (truth, problems) = labelled(&bytes).unwrap();
            assert_eq!((truth, problems.total()), (expected.clone(), 0));
        }
    }

    #[test]
    fn key_points_need_their_shape() {
        let plate = "0 0.7 0.6 0.1 0.04 0.66 0.59 0.74 0.59 0.74 0.61 0.66 0.61\n";
        let error = labelled(plate.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("add `kpt_shape: [4, 2]` to "), "{error}");
        // a row beside them that can only be a polygon decides
        let both = format!("{plate}0 0.4 0.3 0.6 0.3 0.5 0.7\n");
        assert_eq!(
            labelled(both.as_bytes()).unwrap().0.images[0].objects.len(),
            2
        );
    }

    #[test]
    fn labels_of_which_none_can_be_understood_say_why() {
        let error = labelled(b"car 0.5 0.5 0.1 0.2\n0 0.5\n").unwrap_err();
        assert!(error.yields_nothing());
        let error = error.to_string();
        assert!(
            error.contains("no annotation is usable (2 found)")
                && error.contains("a.txt:1: expected the number of a class"),
            "{error}"
        );
        let error = labelled(b"7 0.5 0.5 0.1 0.2\n").unwrap_err().to_string();
        assert!(error.contains("class 7"), "{error}");
        let (truth, problems) = labelled(b" \r\n").unwrap();
        assert!(truth.images[0].objects.is_empty());
        assert!(
            problems
                .strictly()
                .unwrap_err()
                .contains("every label file is empty (1)"),
            "{problems:?}"
        );
    }
}
