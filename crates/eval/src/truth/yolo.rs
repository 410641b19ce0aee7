//! YOLO's labels: a folder of text files, one for each image of the same stem; a line has a class's number and the box's
//! centre and size as shares of the image's. The classes' names are those of `data.yaml`, in the folder of labels or one or
//! two above it, and of the class map's section `truth`, whose numbers win.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage, label_files};
use crate::class_map::{ClassMap, numbered};
use crate::problems::{Problem, Problems};
use crate::{ImageSource, Object};
use shuffledet_image::size::image_size;

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

/// Reads the labels in `folder` of the images in `images`. An image without a file of labels has no objects; of one that
/// is no picture the labels are left out, as they have no size.
pub fn read(folder: &Path, images: &Path, map: &ClassMap) -> Result<(Truth, Problems), TruthError> {
    let named = names(folder, map)?;
    let names = named.values().filter_map(Option::as_deref);
    let categories = numbered(names);
    let id_of = |name: &String| categories.iter().find(|c| c.name == *name).map(|c| c.id);
    let mut problems = Problems::default();
    let (mut truth_images, mut next_id) = (Vec::new(), 0);
    for (id, image) in (1..).zip(label_files::read(folder, images, &mut problems)?) {
        // one that cannot be read is told of when it is evaluated
        let (width, height) = image_size(&image.image).unwrap_or_default();
        let mut objects = Vec::new();
        for (place, line) in image.lines() {
            next_id += 1;
            let Some((class, [x, y, w, h])) = object(line) else {
                problems.add(Problem::Malformed, place);
                continue;
            };
            let Some(name) = named.get(&class) else {
                problems.add(Problem::UnknownCategory, format!("{place}: class {class}"));
                continue;
            };
            // a class that the map leaves out is nothing to be found
            let Some(category_id) = name.as_ref().and_then(id_of).filter(|_| width > 0) else {
                continue;
            };
            let (image_w, image_h) = (f64::from(width), f64::from(height));
            let bbox = [
                (x - w / 2.0) * image_w,
                (y - h / 2.0) * image_h,
                w * image_w,
                h * image_h,
            ];
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
    };
    truth.of_something(folder, problems)
}

/// The categories of the classes by their numbers; `None` for those that the map leaves out.
fn names(folder: &Path, map: &ClassMap) -> Result<BTreeMap<usize, Option<String>>, TruthError> {
    let above = folder.ancestors().take(3);
    let file = above
        .map(|dir| dir.join(NAMES_FILE))
        .find(|file| file.exists());
    let given = file.map(|file| names_in(&file)).transpose()?;
    if given.is_none() && map.numbers().next().is_none() {
        return Err(TruthError::NoNames {
            path: folder.to_owned(),
            names: folder.join(NAMES_FILE),
        });
    }
    let given = given.unwrap_or_default().into_iter();
    let owned = |name: &str| name.to_owned();
    let mut names: BTreeMap<_, _> = given
        .map(|(number, name)| (number, map.category_of_truth(&name).map(owned)))
        .collect();
    for number in map.numbers() {
        if let Some(name) = map.category_of_number(number) {
            names.insert(number, name.map(owned));
        }
    }
    Ok(names)
}

/// The names in a `data.yaml`.
fn names_in(file: &Path) -> Result<BTreeMap<usize, String>, TruthError> {
    let text = fs::read_to_string(file).map_err(TruthError::io(file))?;
    let data: DataYaml = serde_yaml::from_str(&text).map_err(|error| TruthError::Names {
        path: file.to_owned(),
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
    use proptest::prelude::*;

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
    #[test]
    fn the_class_map_names_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let yaml = folder.path().join("map.yaml");
        let labels = crate::class_map::tests::labels(&["car"]);
        let read = |text: &str| {
            fs::write(&yaml, text).unwrap();
            let map = ClassMap::read(&yaml, &labels).unwrap();
            names(folder.path(), &map).unwrap()
        };
        let some = |name: &str| Some(name.to_owned());
        let found = read("truth: {0: car, 3: null}");
        assert_eq!(found, BTreeMap::from([(0, some("car")), (3, None)]));
        fs::write(folder.path().join(NAMES_FILE), "names: [van, lorry]").unwrap();
        let found = read("truth: {0: car, Lorry: truck}");
        assert_eq!(
            found,
            BTreeMap::from([(0, some("car")), (1, some("truck"))])
        );
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,40}|([-0-9.einfNa]{1,4} ){4,7}") {
            let _ = object(&line);
        }
    }
}
