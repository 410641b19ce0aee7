//! Boxes that a teacher found where nobody drew any.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shuffledet_core::text::same_name;

use super::{DataError, DataLocation, DataSet, LabelledBox, Origin, Sample};

/// Boxes below this score are left out: fewer than one of five is right.
const LEAST: f64 = 0.25;
/// Boxes from this score on are learned. Those between are neither objects nor background.
const TAKEN: f64 = 0.5;
/// Boxes above this score are as good as a person's: 99 % are right (measured with the multi-scale teacher).
const CERTAIN: f64 = 0.65;

/// The boxes of a teacher, by file name.
#[derive(Debug)]
pub struct PseudoBoxes {
    path: PathBuf,
    samples: BTreeMap<String, Sample>,
    classes: Vec<String>,
    absent: Vec<String>,
}

/// How many boxes of a data set are a teacher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub people: usize,
    pub teacher: usize,
    /// Boxes that the teacher is unsure of.
    pub unsure: usize,
    /// Pictures that the teacher has looked at.
    pub pictures: usize,
}

/// Returns the box as its `score` lets it count.
pub(super) fn judged(found: LabelledBox, score: f64) -> LabelledBox {
    LabelledBox {
        weight: (score / CERTAIN).clamp(0.0, 1.0) as f32,
        ignored: found.ignored || score.is_nan() || score < TAKEN,
        origin: Origin::Teacher,
        ..found
    }
}

impl PseudoBoxes {
    /// Reads what `shuffledet label export` wrote: a file of COCO annotations whose boxes have a `score`, or the folder
    /// that holds it.
    ///
    /// # Errors
    /// It cannot be read, or has none of the classes.
    pub fn read(path: &Path, classes: &[String]) -> Result<Self, DataError> {
        let location = DataLocation::find(path, None)?;
        let data = super::read(&location, classes)?;
        let samples = data.samples.into_iter();
        Ok(Self {
            path: location.labels,
            samples: samples
                .map(|sample| (base_name(&sample.file_name).to_owned(), sample))
                .collect(),
            classes: data.classes,
            absent: data.absent,
        })
    }

    /// Adds the teacher's boxes to the pictures of `data` at the positions `to_learn`, for the classes that a picture is
    /// not annotated for. Those classes count as annotated then. Held-out pictures are measured by people's boxes alone.
    ///
    /// # Errors
    /// The teacher has looked at none of the pictures.
    pub fn add_to(&self, data: &mut DataSet, to_learn: &[usize]) -> Result<Share, DataError> {
        let knows = |class: &String| {
            let has = |names: &[String]| names.iter().any(|name| same_name(name, class));
            has(&self.classes) && !has(&self.absent)
        };
        let known: Vec<bool> = data.classes.iter().map(knows).collect();
        let mut pictures = 0;
        for &at in to_learn {
            let sample = &mut data.samples[at];
            let Some(found) = self.samples.get(base_name(&sample.file_name)) else {
                continue;
            };
            pictures += 1;
            let fills: Vec<bool> = (sample.annotated.iter().zip(&known))
                .map(|(annotated, known)| !annotated && *known)
                .collect();
            let scale = scale(found.size, sample.size);
            let boxes = found.objects.iter().filter(|object| {
                fills.get(object.class) == Some(&true)
                    && f64::from(object.weight) * CERTAIN >= LEAST - 1e-6
            });
            sample
                .objects
                .extend(boxes.map(|object| scaled(object, scale)));
            for (annotated, fills) in sample.annotated.iter_mut().zip(fills) {
                *annotated |= fills;
            }
        }
        if pictures == 0 {
            return Err(DataError::Boxes {
                path: self.path.clone(),
                problem: "has boxes of none of the pictures; expected the same file names"
                    .to_owned(),
            });
        }
        let samples = to_learn.iter().map(|&at| &data.samples[at]);
        Ok(share(samples, pictures))
    }
}

fn share<'a>(samples: impl Iterator<Item = &'a Sample>, pictures: usize) -> Share {
    let mut share = Share {
        people: 0,
        teacher: 0,
        unsure: 0,
        pictures,
    };
    for object in samples.flat_map(|sample| &sample.objects) {
        match (object.origin, object.ignored) {
            (Origin::Person, false) => share.people += 1,
            (Origin::Person, true) => {}
            (Origin::Teacher, false) => share.teacher += 1,
            (Origin::Teacher, true) => share.unsure += 1,
        }
    }
    share
}

/// The exporter may name a file by itself or with its folder.
fn base_name(file_name: &str) -> &str {
    file_name.rsplit(['/', '\\']).next().unwrap_or(file_name)
}

/// Returns the factors from pictures of `from` to pictures of `to`; 1 if a size is not known.
fn scale(from: (u32, u32), to: (u32, u32)) -> (f32, f32) {
    let factor = |from: u32, to: u32| match (from, to) {
        (0, _) | (_, 0) => 1.0,
        (from, to) => to as f32 / from as f32,
    };
    (factor(from.0, to.0), factor(from.1, to.1))
}

fn scaled(object: &LabelledBox, (x, y): (f32, f32)) -> LabelledBox {
    let mut object = *object;
    object.bbox.x1 *= x;
    object.bbox.x2 *= x;
    object.bbox.y1 *= y;
    object.bbox.y2 *= y;
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn location(folder: &Path, name: &str, json: &str) -> DataLocation {
        fs::write(folder.join(name), json).unwrap();
        DataLocation::find(&folder.join(name), None).unwrap()
    }

    #[test]
    fn a_teacher_fills_in_classes_that_nobody_annotated() {
        let folder = tempfile::tempdir().unwrap();
        let people = location(
            folder.path(),
            "labels.json",
            r#"{"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}],
            "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 100, "annotated_classes": ["car"]}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}]}"#,
        );
        let found = |id, category, score| {
            format!(
                r#"{{"id": {id}, "image_id": 1, "category_id": {category}, "bbox": [2, 2, 4, 4], "area": 16, "iscrowd": 0, "score": {score}}}"#
            )
        };
        let teacher = format!(
            r#"{{"categories": [{{"id": 1, "name": "car"}}, {{"id": 2, "name": "bus"}}],
            "images": [{{"id": 1, "file_name": "images/a.jpg", "width": 200, "height": 100}}],
            "annotations": [{}, {}, {}, {}]}}"#,
            found(1, 1, 0.9),
            found(2, 2, 0.585),
            found(3, 2, 0.3),
            found(4, 2, 0.1)
        );
        let teacher = location(folder.path(), "teacher.json", &teacher);
        let classes = ["car".to_owned(), "bus".to_owned()];
        let mut data = super::super::read(&people, &classes).unwrap();
        let boxes = PseudoBoxes::read(&teacher.labels, &classes).unwrap();
        let share = boxes.add_to(&mut data, &[0]).unwrap();
        assert_eq!(
            share,
            Share {
                people: 1,
                teacher: 1,
                unsure: 1,
                pictures: 1
            }
        );
        let sample = &data.samples[0];
        assert_eq!(sample.annotated, [true, true]);
        let buses: Vec<&LabelledBox> = sample.objects.iter().filter(|o| o.class == 1).collect();
        assert!((buses[0].weight - 0.9).abs() < 1e-6 && !buses[0].ignored);
        assert!(buses[1].ignored);
        // half as wide as the teacher's picture
        assert_eq!((buses[0].bbox.x2, buses[0].bbox.y2), (3.0, 6.0));
        data.samples[0].file_name = "b.jpg".to_owned();
        let error = boxes.add_to(&mut data, &[0]).unwrap_err().to_string();
        assert!(error.contains("none of the pictures"), "{error}");
    }
}
