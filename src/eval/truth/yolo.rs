//! YOLO's labels: a folder of text files, one for each image of the same stem; a line has a class's number and the box's
//! centre and size as shares of the image's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage};
use crate::eval::class_map::ClassMap;
use crate::eval::problems::{Problem, Problems};
use crate::eval::{ImageSource, Object};
use crate::image::folder::images_in;
use crate::image::size::image_size;

/// Where the names stand, in the folder of labels or above it.
const NAMES_FILE: &str = "data.yaml";

/// `names` of a `data.yaml`: a list, or a name for each number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Numbered(BTreeMap<usize, String>),
}

#[derive(Deserialize)]
struct DataYaml {
    names: Names,
}

/// Reads the labels in `folder` of the images in `images`. An image without a file of labels has no objects.
pub fn read(folder: &Path, images: &Path, map: &ClassMap) -> Result<(Truth, Problems), TruthError> {
    let names = names(folder)?;
    let mut problems = Problems::default();
    let categories = map.categories_of(names.values().map(String::as_str));
    let id_of = |name: &str| categories.iter().find(|c| c.name == name).map(|c| c.id);
    let (mut truth_images, mut next_id, mut any) = (Vec::new(), 0, false);
    for (index, path) in images_in(images)?.into_iter().enumerate() {
        let Some(stem) = path.file_stem() else {
            continue;
        };
        let mut labels = folder.join(stem);
        labels.as_mut_os_string().push(".txt");
        let text = match fs::read_to_string(&labels) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(TruthError::io(&labels)(error)),
        };
        any |= labels.exists();
        // one that cannot be read is told of when it is evaluated
        let (width, height) = image_size(&path).unwrap_or_default();
        let mut objects = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            if line.trim().is_empty() {
                continue;
            }
            let place = || format!("{}:{number}", labels.display());
            next_id += 1;
            let Some((class, [x, y, w, h])) = object(line) else {
                problems.add(Problem::Malformed, place());
                continue;
            };
            let Some(name) = names.get(&class) else {
                problems.add(
                    Problem::UnknownCategory,
                    format!("{}: class {class}", place()),
                );
                continue;
            };
            let Some(category_id) = map.category_of_truth(name).and_then(id_of) else {
                continue;
            };
            let (image_w, image_h) = (f64::from(width), f64::from(height));
            let bbox = [
                (x - w / 2.0) * image_w,
                (y - h / 2.0) * image_h,
                w * image_w,
                h * image_h,
            ];
            let object = Object {
                id: next_id,
                category_id,
                bbox,
                area: bbox[2] * bbox[3],
                iscrowd: false,
                ignore: false,
            };
            objects.extend(checked(object, (width, height), place, &mut problems));
        }
        let file_name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        truth_images.push(TruthImage {
            id: index as u64 + 1,
            source: ImageSource::File { file_name },
            width,
            height,
            objects,
        });
    }
    if !any {
        return Err(TruthError::NoLabelFiles {
            path: folder.to_owned(),
        });
    }
    let truth = Truth {
        categories,
        images: truth_images,
    };
    Ok((truth, problems))
}

/// The names of the classes by their numbers.
fn names(folder: &Path) -> Result<BTreeMap<usize, String>, TruthError> {
    let candidates = [
        Some(folder),
        folder.parent(),
        folder.parent().and_then(Path::parent),
    ];
    let found = candidates
        .into_iter()
        .flatten()
        .map(|dir| dir.join(NAMES_FILE))
        .find(|file| file.exists());
    let Some(file) = found else {
        return Err(TruthError::NoNames {
            path: folder.to_owned(),
            names: folder.join(NAMES_FILE),
        });
    };
    let text = fs::read_to_string(&file).map_err(TruthError::io(&file))?;
    let data: DataYaml = serde_yaml::from_str(&text).map_err(|error| TruthError::Names {
        path: file,
        problem: format!("expected `names`, a list or a name for each number: {error}"),
    })?;
    Ok(match data.names {
        Names::List(names) => names.into_iter().enumerate().collect(),
        Names::Numbered(names) => names,
    })
}

/// A line's class, and its box as centre and size.
fn object(line: &str) -> Option<(usize, [f64; 4])> {
    let mut fields = line.split_ascii_whitespace();
    let class = fields.next()?.parse().ok()?;
    let mut number = || fields.next()?.parse::<f64>().ok();
    let bbox = [number()?, number()?, number()?, number()?];
    // a confidence may follow
    (fields.count() <= 1).then_some((class, bbox))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels");
        fs::create_dir(&labels).unwrap();
        // a PNG's header is all that is read
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend([200u32, 100].iter().flat_map(|side| side.to_be_bytes()));
        png.extend([8, 2, 0, 0, 0]);
        fs::write(folder.path().join("a.png"), &png).unwrap();
        fs::write(folder.path().join("b.png"), &png).unwrap();
        assert!(matches!(
            read(&labels, folder.path(), &ClassMap::default()),
            Err(TruthError::NoNames { .. })
        ));
        fs::write(
            folder.path().join("data.yaml"),
            "names: {0: person, 2: car}",
        )
        .unwrap();
        assert!(matches!(
            read(&labels, folder.path(), &ClassMap::default()),
            Err(TruthError::NoLabelFiles { .. })
        ));
        fs::write(
            labels.join("a.txt"),
            "2 0.5 0.5 0.1 0.2\n\n1 0.5 0.5 0.1 0.1\n0 0.5 nan 0.1 0.1\n0 1\n",
        )
        .unwrap();
        let (truth, problems) = read(&labels, folder.path(), &ClassMap::default()).unwrap();
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
}
