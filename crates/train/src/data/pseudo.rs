//! Boxes that a teacher found where nobody drew any.

use std::collections::{BTreeMap, HashSet};
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
    /// Those of them that only the teacher has, such as frames of a recording.
    pub further: usize,
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
    /// It cannot be read, or has none of the classes. A recording or a video has no boxes yet: the error names the
    /// command that makes them.
    pub fn read(path: &Path, classes: &[String]) -> Result<Self, DataError> {
        if let Some(commands) = commands_for(path) {
            return Err(DataError::Boxes {
                path: path.to_owned(),
                problem: format!(
                    "is a recording; expected a teacher's boxes: make them with {commands}, and name that folder with `--pseudo TEACHER`"
                ),
            });
        }
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
    /// not annotated for. Those classes count as annotated then. Pictures that lie with the boxes and are not in `data`
    /// are added to both. Held-out pictures are measured by people's boxes alone.
    ///
    /// # Errors
    /// The teacher has no picture to learn from.
    pub fn add_to(
        &self,
        data: &mut DataSet,
        to_learn: &mut Vec<usize>,
    ) -> Result<Share, DataError> {
        let knows = |class: &String| {
            let has = |names: &[String]| names.iter().any(|name| same_name(name, class));
            has(&self.classes) && !has(&self.absent)
        };
        let known: Vec<bool> = data.classes.iter().map(knows).collect();
        let further = self.further_than(data);
        let count = further.len();
        to_learn.extend(data.samples.len()..data.samples.len() + count);
        data.samples.extend(further);
        let mut pictures = 0;
        for &at in to_learn.iter() {
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
                problem: "has boxes of none of the pictures; expected the same file names, or the teacher's own pictures beside the boxes".to_owned(),
            });
        }
        let samples = to_learn.iter().map(|&at| &data.samples[at]);
        Ok(share(samples, pictures, count))
    }

    /// Returns the teacher's pictures that are not in `data`, without annotations.
    fn further_than(&self, data: &DataSet) -> Vec<Sample> {
        let names = data
            .samples
            .iter()
            .map(|sample| base_name(&sample.file_name));
        let names: HashSet<&str> = names.collect();
        let further = self.samples.iter();
        further
            .filter(|(name, sample)| !names.contains(name.as_str()) && sample.path.is_file())
            .map(|(_, sample)| Sample {
                objects: Vec::new(),
                annotated: vec![false; data.classes.len()],
                ..sample.clone()
            })
            .collect()
    }
}

const RECORDINGS: [&str; 4] = ["mcap", "db3", "zstd", "bag"];
const VIDEOS: [&str; 5] = ["mp4", "mkv", "avi", "mov", "webm"];

/// Returns the commands that make a teacher's boxes of a recording or a video; `None` if `path` is neither.
fn commands_for(path: &Path) -> Option<String> {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is = |endings: &[&str]| endings.iter().any(|&other| ending == other);
    let path_text = path.display();
    let (first, recording) = if is(&VIDEOS) {
        let import = format!("`shuffledet import {path_text} --output RECORDING`, then ");
        (import, "RECORDING".to_owned())
    } else if is(&RECORDINGS) || path.join("metadata.yaml").is_file() {
        (String::new(), path_text.to_string())
    } else {
        return None;
    };
    Some(format!(
        "{first}`shuffledet label export {recording} --output TEACHER --multi-scale`"
    ))
}

fn share<'a>(samples: impl Iterator<Item = &'a Sample>, pictures: usize, further: usize) -> Share {
    let mut share = Share {
        people: 0,
        teacher: 0,
        unsure: 0,
        pictures,
        further,
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
        let share = boxes.add_to(&mut data, &mut vec![0]).unwrap();
        assert_eq!(
            share,
            Share {
                people: 1,
                teacher: 1,
                unsure: 1,
                pictures: 1,
                further: 0
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
        let error = boxes
            .add_to(&mut data, &mut vec![0])
            .unwrap_err()
            .to_string();
        assert!(error.contains("none of the pictures"), "{error}");

        // the teacher's own picture lies with its boxes
        fs::create_dir(folder.path().join("images")).unwrap();
        fs::write(folder.path().join("images/a.jpg"), "").unwrap();
        let mut to_learn = vec![0];
        let share = boxes.add_to(&mut data, &mut to_learn).unwrap();
        assert_eq!(
            (to_learn, share.pictures, share.further),
            (vec![0, 1], 1, 1)
        );
        assert_eq!((share.people, share.teacher, share.unsure), (1, 3, 2));
        assert_eq!(data.samples[1].annotated, [true, true]);
    }

    #[test]
    fn a_recording_is_sent_to_the_teacher_first() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metadata.yaml"), "").unwrap();
        for (path, command) in [
            (folder.path(), "`shuffledet label export /"),
            (
                Path::new("drive.mcap"),
                "`shuffledet label export drive.mcap --output TEACHER",
            ),
            (
                Path::new("drive.mp4"),
                "`shuffledet import drive.mp4 --output RECORDING`",
            ),
        ] {
            let error = PseudoBoxes::read(path, &[]).unwrap_err().to_string();
            assert!(
                error.contains(command) && error.contains("--pseudo TEACHER"),
                "{error}"
            );
        }
    }
}
