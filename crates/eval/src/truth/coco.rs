//! COCO's JSON of detections: `images`, `annotations`, `categories`. An image may be a file (`file_name`) or a message of
//! a recording (`topic` and `stamp_ns`). As with pycocotools, `iscrowd` excuses and a key `ignore` has no meaning.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage};
use crate::problems::{Problem, Problems};
use crate::{Category, ImageSource, Object};

#[derive(Deserialize)]
struct RawCoco {
    images: Vec<RawImage>,
    #[serde(default)]
    annotations: Vec<RawAnnotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct RawImage {
    id: u64,
    file_name: Option<String>,
    topic: Option<String>,
    stamp_ns: Option<i64>,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
}

#[derive(Deserialize)]
struct RawAnnotation {
    id: Option<u64>,
    image_id: u64,
    category_id: u64,
    /// `null` where the file has NaN. Absent, it is as malformed as one of another length.
    #[serde(default)]
    bbox: Vec<Option<f64>>,
    area: Option<f64>,
    #[serde(default)]
    iscrowd: Flag,
}

/// 0 and 1, or false and true.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Number(f64),
    #[default]
    Absent,
}

impl Flag {
    fn is_set(&self) -> bool {
        match *self {
            Flag::Bool(set) => set,
            Flag::Number(number) => number != 0.0,
            Flag::Absent => false,
        }
    }
}

/// Reads a file of annotations.
pub fn read(path: &Path) -> Result<(Truth, Problems), TruthError> {
    let bytes = fs::read(path).map_err(TruthError::io(path))?;
    parse(&bytes, path)
}

/// The annotations in `bytes`, which are of `path`.
fn parse(bytes: &[u8], path: &Path) -> Result<(Truth, Problems), TruthError> {
    let parsed = serde_json::from_slice(bytes).or_else(|error| {
        // Python's json writes NaN and Infinity, which JSON does not have
        match without_nan(bytes) {
            Some(mended) => serde_json::from_slice(&mended).map_err(|_| error),
            None => Err(error),
        }
    });
    let raw: RawCoco = parsed.map_err(|source| TruthError::Coco {
        path: path.to_owned(),
        source,
    })?;
    let mut problems = Problems::default();
    let mut images: Vec<TruthImage> = Vec::with_capacity(raw.images.len());
    let mut by_id = HashMap::new();
    let mut sources = HashSet::new();
    for image in raw.images {
        let id = image.id;
        let source = match (image.topic, image.stamp_ns, image.file_name) {
            (Some(topic), Some(stamp_ns), _) => ImageSource::Message { topic, stamp_ns },
            (_, _, Some(file_name)) => ImageSource::File { file_name },
            _ => {
                return Err(TruthError::NoSource {
                    path: path.to_owned(),
                    image: format!("image {id}"),
                });
            }
        };
        if by_id.contains_key(&id) || !sources.insert(source.clone()) {
            problems.add(Problem::DuplicateImage, format!("image {id}"));
            continue;
        }
        by_id.insert(id, images.len());
        images.push(TruthImage {
            id,
            source,
            width: image.width,
            height: image.height,
            objects: Vec::new(),
        });
    }
    // pycocotools goes by the ids, too
    let mut known = HashSet::new();
    let mut categories = raw.categories;
    categories.retain(|category| {
        let first = known.insert(category.id);
        if !first {
            let place = format!("category {}: {}", category.id, category.name);
            problems.add(Problem::DuplicateCategory, place);
        }
        first
    });
    let mut ids = HashSet::new();
    for (index, annotation) in raw.annotations.iter().enumerate() {
        let id = annotation.id.unwrap_or(index as u64 + 1);
        let place = || format!("annotation {id}");
        if annotation.id.is_some() && !ids.insert(id) {
            problems.add(Problem::DuplicateAnnotation, place());
        }
        let Some(&image) = by_id.get(&annotation.image_id) else {
            let image = annotation.image_id;
            problems.add(Problem::UnknownImage, format!("{}: image {image}", place()));
            continue;
        };
        if !known.contains(&annotation.category_id) {
            let category = annotation.category_id;
            let place = format!("{}: category {category}", place());
            problems.add(Problem::UnknownCategory, place);
            continue;
        }
        let &[x, y, w, h] = annotation.bbox.as_slice() else {
            let place = format!("{}: a bbox of {} numbers", place(), annotation.bbox.len());
            problems.add(Problem::Malformed, place);
            continue;
        };
        let bbox = [x, y, w, h].map(|number| number.unwrap_or(f64::NAN));
        let object = Object {
            id,
            category_id: annotation.category_id,
            bbox,
            area: annotation.area.unwrap_or(bbox[2] * bbox[3]),
            iscrowd: annotation.iscrowd.is_set(),
            ignore: false,
            outline: None,
        };
        let size = (images[image].width, images[image].height);
        if let Some(object) = checked(object, size, place, &mut problems) {
            images[image].objects.push(object);
        }
    }
    images.sort_by_key(|image| image.id);
    let truth = Truth { categories, images };
    truth.of_something(path, problems)
}

/// The text with `null` for NaN and Infinity outside strings; `None` where there are none.
fn without_nan(json: &[u8]) -> Option<Vec<u8>> {
    const NUMBERS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut mended = Vec::with_capacity(json.len());
    let (mut at, mut in_string, mut any) = (0, false, false);
    while at < json.len() {
        let rest = &json[at..];
        let number = NUMBERS
            .iter()
            .find(|number| !in_string && rest.starts_with(number));
        if let Some(number) = number {
            mended.extend_from_slice(b"null");
            at += number.len();
            any = true;
            continue;
        }
        let escaped = in_string && rest[0] == b'\\' && rest.len() > 1;
        if rest[0] == b'"' {
            in_string = !in_string;
        }
        let length = if escaped { 2 } else { 1 };
        mended.extend_from_slice(&rest[..length]);
        at += length;
    }
    any.then_some(mended)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_json(json: &str) -> Result<(Truth, Problems), TruthError> {
        parse(json.as_bytes(), Path::new("a.json"))
    }

    #[test]
    fn every_problem_is_counted_under_its_name() {
        let image =
            |id: u64, name: &str| json!({"id": id, "file_name": name, "width": 100, "height": 50});
        let annotation = |id: u64, image: u64, category: u64, bbox: serde_json::Value| json!({"id": id, "image_id": image, "category_id": category, "bbox": bbox, "area": 4.0});
        let coco = json!({
            "images": [image(2, "b.jpg"), image(1, "a.jpg"), image(1, "c.jpg"), image(3, "a.jpg")],
            "categories": [{"id": 5, "name": "car", "supercategory": "vehicle"}, {"id": 5, "name": "bus"}],
            "annotations": [
                annotation(1, 1, 5, json!([1, 2, 3, 4])),
                annotation(1, 1, 5, json!([90, 2, 30, 4])),
                annotation(2, 9, 5, json!([1, 2, 3, 4])),
                annotation(3, 1, 6, json!([1, 2, 3, 4])),
                annotation(4, 1, 5, json!([1, 2, 0, 4])),
                annotation(5, 1, 5, json!([1, 2, 3])),
                annotation(6, 1, 5, json!([1, 2, "NAN", 4])),
            ],
        });
        let text = coco.to_string().replace("\"NAN\"", "NaN");
        let (truth, problems) = read_json(&text).unwrap();
        let ids: Vec<_> = truth.images.iter().map(|image| image.id).collect();
        assert_eq!(ids, [1, 2]);
        assert_eq!(truth.images[0].objects.len(), 2);
        for (problem, count) in [
            (Problem::DuplicateImage, 2),
            (Problem::DuplicateAnnotation, 1),
            (Problem::DuplicateCategory, 1),
            (Problem::BoxOutside, 1),
            (Problem::UnknownImage, 1),
            (Problem::UnknownCategory, 1),
            (Problem::BoxEmpty, 1),
            (Problem::Malformed, 1),
            (Problem::NotANumber, 1),
        ] {
            assert_eq!(problems.count(problem), count, "{problem:?}");
        }
    }

    #[test]
    fn messages_are_known_by_topic_and_stamp() {
        let text = r#"{"images": [{"id": 7, "topic": "/a", "stamp_ns": 12, "file_name": "x.jpg"}], "categories": [{"id": 1, "name": "car"}]}"#;
        let (truth, _) = read_json(text).unwrap();
        let source = ImageSource::Message {
            topic: "/a".into(),
            stamp_ns: 12,
        };
        assert_eq!(truth.images[0].source, source);
        assert!(matches!(
            read_json(r#"{"images": [{"id": 7}], "categories": []}"#),
            Err(TruthError::NoSource { .. })
        ));
        assert!(matches!(
            read_json(r#"{"images": [], "categories": []}"#),
            Err(TruthError::Empty { .. })
        ));
        assert!(matches!(
            read_json(r#"{"images": [{"id": 7, "file_name": "a"}], "categories": []}"#),
            Err(TruthError::NoObjects { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, Path::new("a.json"));
            let _ = without_nan(&bytes);
        }

        #[test]
        fn text_in_strings_is_left_alone(text in "[a-zA-Z\"\\\\ ]{0,20}") {
            let string = json!([text, "NaN"]).to_string();
            prop_assert!(without_nan(string.as_bytes()).is_none());
        }
    }
}
