//! COCO's JSON of detections: `images`, `annotations`, `categories`. An image may be a file (`file_name`) or a message of
//! a recording (`topic` and `stamp_ns`). As with pycocotools, `iscrowd` excuses and a key `ignore` has no meaning.
//!
//! Entries are read one by one. One that pycocotools reads has the meaning that it has there, whatever its types; one that
//! cannot be understood is left out, counted and told.

mod id;
mod json;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use self::id::{Id, numbered, renamed};
use self::json::{Entry, Loose, RawCoco};
use super::checks::checked;
use super::{AnnotatedIds, ReadCounts, Truth, TruthError, TruthImage};
use crate::problems::{Problem, Problems};
use crate::{Category, ImageSource, Object};
use shuffledet_core::text;

/// Reads a file of annotations.
pub fn read(path: &Path) -> Result<(Truth, Problems), TruthError> {
    parse(&fs::read(path).map_err(TruthError::io(path))?, path)
}

/// Reads annotations from the content of the file `path`.
pub fn parse(file: &[u8], path: &Path) -> Result<(Truth, Problems), TruthError> {
    let json = text::decode(file).map_err(TruthError::io(path))?;
    let raw = RawCoco::parse(&json).map_err(|source| TruthError::Coco {
        path: path.to_owned(),
        source,
    })?;
    let mut problems = Problems::default();
    let (mut images, image_numbers) = images(&raw.images, &mut problems);
    let (categories, category_numbers) = categories(&raw.categories, &mut problems);
    let at: HashMap<u64, usize> = (images.iter().enumerate())
        .map(|(at, image)| (image.id, at))
        .collect();
    let mut ids = HashSet::new();
    for (index, entry) in raw.annotations.iter().enumerate() {
        let understood = entry_of(entry).and_then(|entry| Annotation::new(entry, index));
        let annotation = match understood {
            Ok(annotation) => annotation,
            Err(problem) => {
                problems.add(
                    Problem::Malformed,
                    format!("annotation {}: {problem}", title(entry, index)),
                );
                continue;
            }
        };
        let place = || format!("annotation {}", title(entry, index));
        if let Some(id) = annotation.id
            && !ids.insert(id)
        {
            problems.add(Problem::DuplicateAnnotation, place());
        }
        let Some(image) = image_numbers.get(&annotation.image) else {
            let image = annotation.image;
            problems.add(Problem::UnknownImage, format!("{}: image {image}", place()));
            continue;
        };
        let Some(&category_id) = category_numbers.get(&annotation.category) else {
            let category = annotation.category;
            let place = format!("{}: category {category}", place());
            problems.add(Problem::UnknownCategory, place);
            continue;
        };
        let image = &mut images[at[image]];
        if annotation.crowd_is_text {
            problems.add(Problem::CrowdText, place());
        }
        let object = Object {
            category_id,
            ..annotation.object
        };
        let size = (image.width, image.height);
        image
            .objects
            .extend(checked(object, size, place, &mut problems));
    }
    let seen = ReadCounts {
        annotations: raw.annotations.len() as u64,
        ..ReadCounts::default()
    };
    let truth = Truth {
        categories,
        images,
        annotated: AnnotatedIds {
            images: renamed(&image_numbers),
            categories: renamed(&category_numbers),
        },
    };
    truth.checked_for_objects(path, seen, problems)
}

/// Returns the entry if it is an object.
fn entry_of(entry: &Loose) -> Result<&Entry, String> {
    match entry {
        Loose::Object(entry) => Ok(entry),
        other => Err(format!("expected an object, found {other}")),
    }
}

/// Names an entry by its id, or by its position if it has none.
fn title(entry: &Loose, index: usize) -> String {
    let id = match entry {
        Loose::Object(entry) => entry.get("id").and_then(Id::from_value),
        _ => None,
    };
    id.map_or_else(|| format!("number {}", index + 1), |id| id.to_string())
}

/// Returns the value under `key` as an id.
fn id_of(entry: &Entry, key: &str) -> Result<Id, String> {
    let value = entry.get(key).ok_or_else(|| format!("has no {key}"))?;
    Id::from_value(value)
        .ok_or_else(|| format!("{key}: expected a number or a text, found {value}"))
}

/// Returns the images in the order of their ids, and their numbers by id.
fn images(entries: &[Loose], problems: &mut Problems) -> (Vec<TruthImage>, BTreeMap<Id, u64>) {
    let (mut images, mut sources) = (BTreeMap::new(), HashSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let place = || format!("image {}", title(entry, index));
        match entry_of(entry).and_then(image) {
            Err(problem) => problems.add(Problem::Malformed, format!("{}: {problem}", place())),
            Ok((id, image)) => {
                if images.contains_key(&id) || !sources.insert(image.source.clone()) {
                    problems.add(Problem::DuplicateImage, place());
                    continue;
                }
                images.insert(id, image);
            }
        }
    }
    let numbers = numbered(images.keys().cloned());
    let images = images.into_iter().map(|(id, image)| TruthImage {
        id: numbers[&id],
        ..image
    });
    (images.collect(), numbers)
}

/// Returns an image without its number.
fn image(entry: &Entry) -> Result<(Id, TruthImage), String> {
    let id = id_of(entry, "id")?;
    let stamp_ns = entry.given("stamp_ns").map(|stamp| {
        let whole = stamp.integer().and_then(|ns| i64::try_from(ns).ok());
        whole.ok_or_else(|| format!("stamp_ns: expected nanoseconds, found {stamp}"))
    });
    let words = |key: &str| entry.given(key).and_then(Loose::text);
    let source = match (words("topic"), stamp_ns.transpose()?, words("file_name")) {
        (Some(topic), Some(stamp_ns), _) => ImageSource::Message { topic, stamp_ns },
        (_, _, Some(file_name)) => ImageSource::File { file_name },
        _ => {
            return Err(
                "expected file_name, or topic and stamp_ns, to say where it is from".to_owned(),
            );
        }
    };
    // pycocotools does not look at it
    let side = |key: &str| {
        let side = entry.given(key).and_then(Loose::number);
        side.map_or(0, |side| side as u32)
    };
    let image = TruthImage {
        id: 0,
        source,
        width: side("width"),
        height: side("height"),
        objects: Vec::new(),
    };
    Ok((id, image))
}

/// Returns the categories in the order of the file, and their numbers by id.
fn categories(entries: &[Loose], problems: &mut Problems) -> (Vec<Category>, BTreeMap<Id, u64>) {
    let (mut named, mut known) = (Vec::new(), HashSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let place = || format!("category {}", title(entry, index));
        let (entry, id) = match entry_of(entry).and_then(|entry| Ok((entry, id_of(entry, "id")?))) {
            Ok(understood) => understood,
            Err(problem) => {
                problems.add(Problem::Malformed, format!("{}: {problem}", place()));
                continue;
            }
        };
        // pycocotools goes by the ids alone, and takes one without a name
        let name = entry.given("name").and_then(Loose::text);
        let name = name.unwrap_or_else(place);
        if known.insert(id.clone()) {
            named.push((id, text::name(&name).into_owned()));
        } else {
            let place = format!("{}: {name}", place());
            problems.add(Problem::DuplicateCategory, place);
        }
    }
    let numbers = numbered(named.iter().map(|(id, _)| id.clone()));
    let categories = named.into_iter().map(|(id, name)| Category {
        id: numbers[&id],
        name,
    });
    (categories.collect(), numbers)
}

/// An annotation as far as it can be understood by itself.
struct Annotation {
    id: Option<Id>,
    image: Id,
    category: Id,
    /// Without its category.
    object: Object,
    crowd_is_text: bool,
}

impl Annotation {
    fn new(entry: &Entry, index: usize) -> Result<Self, String> {
        let (image, category) = (id_of(entry, "image_id")?, id_of(entry, "category_id")?);
        let id = entry.given("id").map(|_| id_of(entry, "id")).transpose()?;
        let bbox = bbox(entry.get("bbox"))?;
        let area = entry.given("area").map(|area| {
            let number = area.number();
            number.ok_or_else(|| format!("area: expected a number, found {area}"))
        });
        let crowd = entry.given("iscrowd");
        let excused = crowd.map_or(Ok(CrowdFlags::default()), CrowdFlags::new)?;
        let own_number = id.as_ref().and_then(Id::whole);
        Ok(Self {
            object: Object {
                id: own_number.unwrap_or(index as u64 + 1),
                category_id: 0,
                bbox,
                area: area.transpose()?.unwrap_or(bbox[2] * bbox[3]),
                iscrowd: excused.is_crowd,
                ignore: excused.is_ignored,
                outline: None,
            },
            crowd_is_text: matches!(crowd, Some(Loose::Text(_))),
            id,
            image,
            category,
        })
    }
}

/// Returns four numbers. Null becomes NaN, because it replaced NaN in the file.
fn bbox(value: Option<&Loose>) -> Result<[f64; 4], String> {
    let Some(Loose::List(values)) = value else {
        let found = value.map_or("nothing".to_owned(), Loose::to_string);
        return Err(format!("bbox: expected a list of 4 numbers, found {found}"));
    };
    let number = |value: &Loose| match value {
        Loose::Null => Ok(f64::NAN),
        other => {
            let number = other.number();
            number.ok_or_else(|| format!("bbox: expected 4 numbers, found {other}"))
        }
    };
    match values.as_slice() {
        [x, y, w, h] => Ok([number(x)?, number(y)?, number(w)?, number(h)?]),
        other => Err(format!("bbox: expected 4 numbers, found {}", other.len())),
    }
}

/// What `iscrowd` makes of an object.
#[derive(Default)]
struct CrowdFlags {
    is_crowd: bool,
    /// Beyond that: an object that need not be found, though it is no crowd.
    is_ignored: bool,
}

impl CrowdFlags {
    /// Reads `iscrowd` as pycocotools does. An object is ignored if the value is true in Python,
    /// and it is a crowd if Python's `int` also gives another number than 0. So "0", a text that is
    /// not empty, is ignored.
    fn new(value: &Loose) -> Result<Self, String> {
        let integer = value.integer().filter(|number| (0..=255).contains(number));
        let Some(integer) = integer else {
            return Err(format!("iscrowd: expected 0 or 1, found {value}"));
        };
        let is_true = match value {
            Loose::Text(_) => true,
            other => other.number() != Some(0.0),
        };
        Ok(Self {
            is_crowd: integer != 0,
            is_ignored: is_true && integer == 0,
        })
    }
}

#[cfg(test)]
mod tests;
