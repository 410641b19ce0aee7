//! KITTI's object labels: a folder of text files, one for each image of the same stem, one object a line. `DontCare`
//! regions excuse what is found in them.

use std::path::Path;

use super::checks::checked;
use super::{ImageFiles, ReadCounts, Truth, TruthError, TruthImage, excuse, label_files};
use crate::class_map::{ClassMap, numbered};
use crate::problems::{Problem, Problems};
use crate::{ImageSource, Object};
use shuffledet_core::text;

const DONT_CARE: &str = "DontCare";

/// Numbers behind the type: truncated, occluded, alpha, left, top, right, bottom, and seven in space (and a score).
const NUMBERS: std::ops::RangeInclusive<usize> = 14..=15;

/// Reads the labels in `folder` of the images in `images`; an image without a file of labels is left out. Categories are
/// the types that occur, in the order of their names, as `map` renames them.
pub fn read(
    folder: &Path,
    images: ImageFiles<'_>,
    map: &ClassMap,
) -> Result<(Truth, Problems), TruthError> {
    let mut problems = Problems::default();
    let (mut parsed, mut seen) = (Vec::new(), ReadCounts::default());
    for image in label_files::read(folder, images, &mut problems)? {
        if image.text.is_none() {
            problems.add(Problem::Unlabelled, image.file_name);
            continue;
        }
        let mut objects = Vec::new();
        seen.files += 1;
        for line in image.lines() {
            seen.annotations += 1;
            let read = match line.problem {
                Some(problem) => Err(problem.to_owned()),
                None => object(&line.fields),
            };
            match read {
                Ok((kind, bbox)) => objects.push((kind, bbox, line.place)),
                Err(problem) => {
                    problems.add(Problem::Malformed, format!("{}: {problem}", line.place));
                }
            }
        }
        parsed.push((image.file_name, objects));
    }
    if seen.annotations == 0 {
        // nothing says of which types there are none
        return Err(TruthError::AllEmpty {
            path: folder.to_owned(),
            count: seen.files,
        });
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
                None => {
                    seen.unwanted += 1;
                    continue;
                }
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
        ..Truth::default()
    };
    truth.checked_for_objects(folder, seen, problems)
}

/// Returns the type of a line, and its box as left, top, width, height. Types may have several
/// words, which tools other than KITTI's write.
pub(super) fn object(fields: &[&str]) -> Result<(String, [f64; 4]), String> {
    let words = fields
        .iter()
        .take_while(|field| field.parse::<f64>().is_err())
        .count()
        .max(1);
    let (kind, rest) = fields.split_at(words.min(fields.len()));
    let numbers: Result<Vec<f64>, String> = (rest.iter())
        .map(|field| {
            let number = field.parse();
            number.map_err(|_| format!("expected a number, found {field:?}"))
        })
        .collect();
    let numbers = numbers?;
    if !NUMBERS.contains(&numbers.len()) {
        return Err(format!(
            "expected a type and 14 or 15 numbers, found {}",
            numbers.len()
        ));
    }
    let [left, top, right, bottom] = [3, 4, 5, 6].map(|at| numbers[at]);
    let kind = text::name(&kind.join(" ")).into_owned();
    Ok((kind, [left, top, right - left, bottom - top]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::image_files;

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
        let (truth, problems) = read(
            folder.path(),
            image_files(folder.path()).as_files(),
            &ClassMap::default(),
        )
        .unwrap();
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
        let nothing = read(folder.path(), image_files(folder.path()).as_files(), &map);
        assert!(matches!(nothing, Err(TruthError::NoObjects { .. })));
    }

    /// Reads the labels `text` of one image.
    fn labelled(text: &[u8]) -> Result<(Truth, Problems), TruthError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0.png"), "").unwrap();
        fs::write(folder.path().join("0.txt"), text).unwrap();
        read(
            folder.path(),
            image_files(folder.path()).as_files(),
            &ClassMap::default(),
        )
    }

    #[test]
    fn a_byte_order_mark_makes_up_no_type() {
        let rest = "0 0 0 1 1 9 9 1 1 1 1 1 1 0";
        let text = format!("Pedestrian {rest}\nFußg\u{e4}nger {rest}\nPedestrian {rest}\n");
        let (expected, _) = labelled(text.as_bytes()).unwrap();
        assert_eq!(expected.categories.len(), 2);
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let utf16: Vec<u8> = windows.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let joined = text.replace('\n', "\n\u{feff}").into_bytes();
        let decomposed = text.replace('\u{e4}', "a\u{308}").into_bytes();
        for bytes in [windows.into_bytes(), utf16, joined, decomposed] {
            let (truth, problems) = labelled(&bytes).unwrap();
            assert_eq!((truth, problems.total()), (expected.clone(), 0));
        }
        // what is no text makes up none either
        let (truth, problems) = labelled(
            format!("Car {rest}\n")
                .as_bytes()
                .iter()
                .copied()
                .chain(*b"Fu\xdfg 0 0 0 1 1 9 9 1 1 1 1 1 1 0")
                .collect::<Vec<u8>>()
                .as_slice(),
        )
        .unwrap();
        assert_eq!(
            (truth.categories.len(), problems.count(Problem::Malformed)),
            (1, 1)
        );
    }

    #[test]
    fn a_type_of_two_words_moves_no_box() {
        let (truth, _) = labelled(b"traffic light 0.5 0 0 1 2 11 22 1 1 1 1 1 1 0\n").unwrap();
        assert_eq!(truth.categories[0].name, "traffic light");
        assert_eq!(truth.images[0].objects[0].bbox, [1.0, 2.0, 10.0, 20.0]);
    }

    #[test]
    fn labels_of_which_none_can_be_understood_say_why() {
        for (text, said) in [
            ("\r\n", "every label file is empty (1)"),
            (
                "Car 0 0 0\n",
                "0.txt:1: expected a type and 14 or 15 numbers, found 3",
            ),
            (
                "Car 0 0 0 1 1 9 9 1 1 1 1 1 1 x\n",
                "expected a number, found \"x\"",
            ),
        ] {
            let error = labelled(text.as_bytes()).unwrap_err();
            assert!(
                error.yields_nothing() && error.to_string().contains(said),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,60}|([a-zA-Z]{1,5} )?([-0-9.einfNa]{1,4} ){13,16}") {
            let _ = object(&line.split_whitespace().collect::<Vec<_>>());
        }
    }
}
