//! KITTI's object labels: a folder of text files, one for each image of the same stem, one object a line. `DontCare`
//! regions excuse what is found in them.

use std::fs;
use std::path::Path;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage, excuse};
use crate::eval::class_map::ClassMap;
use crate::eval::problems::{Problem, Problems};
use crate::eval::{ImageSource, Object};
use crate::image::folder::images_in;

const DONT_CARE: &str = "DontCare";

/// Fields of a line: type, truncated, occluded, alpha, left, top, right, bottom, and seven in space (and a score).
const FIELDS: std::ops::RangeInclusive<usize> = 15..=16;

/// Reads the labels in `folder` of the images in `images`. Categories are the types that occur, in the order of their
/// names, as `map` renames them.
pub fn read(folder: &Path, images: &Path, map: &ClassMap) -> Result<(Truth, Problems), TruthError> {
    let mut problems = Problems::default();
    let mut parsed = Vec::new();
    for path in images_in(images)? {
        let Some(stem) = path.file_stem() else {
            continue;
        };
        let mut labels = folder.join(stem);
        labels.as_mut_os_string().push(".txt");
        let text = match fs::read_to_string(&labels) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(TruthError::io(&labels)(error)),
        };
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let lines = text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !line.trim().is_empty());
        let mut objects = Vec::new();
        for (line, number) in lines {
            let place = format!("{}:{number}", labels.display());
            match object(line) {
                Some((kind, bbox)) => objects.push((kind, bbox, place)),
                None => problems.add(Problem::Malformed, place),
            }
        }
        parsed.push((name, objects));
    }
    if parsed.is_empty() {
        return Err(TruthError::NoLabelFiles {
            path: folder.to_owned(),
        });
    }

    let kinds = parsed
        .iter()
        .flat_map(|(_, objects)| objects.iter().map(|(kind, ..)| kind.as_str()));
    let categories = map.categories_of(kinds.filter(|&kind| kind != DONT_CARE));
    let id_of = |name: &str| categories.iter().find(|c| c.name == name).map(|c| c.id);
    let mut next_id = 0;
    let mut truth_images = Vec::with_capacity(parsed.len());
    for (index, (file_name, lines)) in parsed.into_iter().enumerate() {
        let mut objects = Vec::new();
        for (kind, bbox, place) in lines {
            next_id += 1;
            if kind == DONT_CARE {
                objects.extend(excuse(&categories, next_id, bbox));
                continue;
            }
            // a class that the map leaves out is nothing to be found
            let Some(category_id) = map.category_of_truth(&kind).and_then(id_of) else {
                continue;
            };
            let object = Object {
                id: next_id,
                category_id,
                bbox,
                area: bbox[2] * bbox[3],
                iscrowd: false,
                ignore: false,
            };
            objects.extend(checked(object, (0, 0), || place.clone(), &mut problems));
        }
        truth_images.push(TruthImage {
            id: index as u64 + 1,
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
    Ok((truth, problems))
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
                "Car 0.00 0 1.5 10 20 30.5 40 1 1 1 1 1 1 0\nDontCare -1 -1 -10 0 0 5 5 -1 -1 -1 -1 -1 -1 -1\n",
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
        assert_eq!(problems.count(Problem::Malformed), 1);
        assert_eq!(problems.count(Problem::BoxEmpty), 1);
    }
}
