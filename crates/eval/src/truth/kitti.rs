//! KITTI's object labels: a folder of text files, one for each image of the same stem, one object a line. `DontCare`
//! regions excuse what is found in them.

use std::path::Path;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage, excuse, label_files};
use crate::class_map::{ClassMap, numbered};
use crate::problems::{Problem, Problems};
use crate::{ImageSource, Object};

const DONT_CARE: &str = "DontCare";

/// Fields of a line: type, truncated, occluded, alpha, left, top, right, bottom, and seven in space (and a score).
const FIELDS: std::ops::RangeInclusive<usize> = 15..=16;

/// Reads the labels in `folder` of the images in `images`; an image without a file of labels is left out. Categories are
/// the types that occur, in the order of their names, as `map` renames them.
pub fn read(folder: &Path, images: &Path, map: &ClassMap) -> Result<(Truth, Problems), TruthError> {
    let mut problems = Problems::default();
    let mut parsed = Vec::new();
    for image in label_files::read(folder, images, &mut problems)? {
        if image.text.is_none() {
            problems.add(Problem::Unlabelled, image.file_name);
            continue;
        }
        let mut objects = Vec::new();
        for (place, line) in image.lines() {
            match object(line) {
                Some((kind, bbox)) => objects.push((kind, bbox, place)),
                None => problems.add(Problem::Malformed, place),
            }
        }
        parsed.push((image.file_name, objects));
    }

    let kinds = parsed.iter().flat_map(|(_, objects)| objects);
    let kinds = kinds.filter(|(kind, ..)| kind != DONT_CARE);
    let categories = numbered(kinds.filter_map(|(kind, ..)| map.category_of_truth(kind)));
    let id_of = |name: &str| categories.iter().find(|c| c.name == name).map(|c| c.id);
    let mut next_id = 0;
    let mut truth_images = Vec::with_capacity(parsed.len());
    for (id, (file_name, lines)) in (1..).zip(parsed) {
        let mut objects = Vec::new();
        for (kind, bbox, place) in lines {
            next_id += 1;
            let is_region = kind == DONT_CARE;
            // a class that the map leaves out is nothing to be found
            let category_id = match map.category_of_truth(&kind).and_then(id_of) {
                _ if is_region => 0,
                Some(id) => id,
                None => continue,
            };
            let object = Object::in_box(next_id, category_id, bbox);
            match checked(object, (0, 0), || place, &mut problems) {
                Some(region) if is_region => objects.extend(excuse(&categories, &region)),
                object => objects.extend(object),
            }
        }
        truth_images.push(TruthImage {
            id,
            source: ImageSource::File { file_name },
            width: 0,
            height: 0,
            objects,
        });
    }
    let truth = Truth {
        categories,
        images: truth_images,
    };
    truth.of_something(folder, problems)
}

/// A line's type, and its box as left, top, width, height.
fn object(line: &str) -> Option<(String, [f64; 4])> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if !FIELDS.contains(&fields.len()) {
        return None;
    }
    let number = |index: usize| fields[index].parse::<f64>().ok();
    let (left, top, right, bottom) = (number(4)?, number(5)?, number(6)?, number(7)?);
    Some((
        fields[0].to_owned(),
        [left, top, right - left, bottom - top],
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_become_objects_and_regions() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("0.png", ""),
            ("1.png", ""),
            ("2.png", ""),
            (
                "0.txt",
                "Car 0.00 0 1.5 10 20 30.5 40 1 1 1 1 1 1 0\nDontCare -1 -1 -10 0 0 5 5 -1 -1 -1 -1 -1 -1 -1\nDontCare -1 -1 -10 0 nan 5 5 -1 -1 -1 -1 -1 -1 -1\n",
            ),
            (
                "1.txt",
                "Pedestrian 0 0 0 1 1 9 9 1 1 1 1 1 1 0 0.9\nVan 0 0 0\nCar 0 0 0 9 9 1 1 1 1 1 1 1 1 0\n",
            ),
        ] {
            fs::write(path(name), text).unwrap();
        }
        let (truth, problems) = read(folder.path(), folder.path(), &ClassMap::default()).unwrap();
        let names: Vec<_> = truth.categories.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Car", "Pedestrian"]);
        assert_eq!(truth.images.len(), 2, "2.png has no labels");
        let first = &truth.images[0].objects;
        assert_eq!(first[0].bbox, [10.0, 20.0, 20.5, 20.0]);
        assert!(
            first[1..]
                .iter()
                .all(|object| object.ignore && object.iscrowd)
        );
        assert_eq!(first.len(), 3);
        for problem in [
            Problem::Malformed,
            Problem::BoxEmpty,
            Problem::NotANumber,
            Problem::Unlabelled,
        ] {
            assert_eq!(problems.count(problem), 1, "{problem:?}");
        }
        let all_left_out = ["Car", "Pedestrian"].map(|kind| format!("{kind}: null"));
        let yaml = folder.path().join("map.yaml");
        fs::write(&yaml, format!("truth: {{{}}}", all_left_out.join(", "))).unwrap();
        let labels = crate::class_map::tests::labels(&["car"]);
        let map = ClassMap::read(&yaml, &labels).unwrap();
        let nothing = read(folder.path(), folder.path(), &map);
        assert!(matches!(nothing, Err(TruthError::NoObjects { .. })));
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,60}|([a-zA-Z]{1,5} )?([-0-9.einfNa]{1,4} ){13,16}") {
            let _ = object(&line);
        }
    }
}
