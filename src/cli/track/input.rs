//! The files that `track` reads.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use shuffledet_core::bounded_file::DATA_LIMIT;
use shuffledet_core::{BBox, Detection, text};
use shuffledet_track::CameraMotion;

/// The largest file that is read, in bytes: about a million detections.
const LARGEST: u64 = 256 << 20;
/// The most classes that detections may have.
const MOST_CLASSES: usize = 100_000;

/// The detections of a file, in its order.
pub struct Detections {
    path: String,
    rows: Vec<Row>,
    /// By class id: the label and its `category_id`.
    classes: Vec<(String, Option<Value>)>,
}

/// One detection.
pub struct Row {
    /// The entry as it was read.
    pub entry: Map<String, Value>,
    pub detection: Detection,
    topic: String,
    stamp_ns: i64,
    image_id: Option<u64>,
}

/// A frame and the indices of its rows.
pub struct Frame<'a> {
    pub topic: &'a str,
    pub stamp_ns: i64,
    pub image_id: Option<u64>,
    pub rows: Vec<usize>,
}

/// The keys of an entry that tracking needs.
#[derive(Deserialize)]
struct Keys {
    image_id: Option<u64>,
    category_id: Option<Value>,
    bbox: [f64; 4],
    score: f64,
    label: Option<String>,
    #[serde(default)]
    topic: String,
    stamp_ns: i64,
}

impl Detections {
    /// Reads a file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is too large or is not a JSON array, or if an entry lacks a
    /// key or has a box or a score that is no number.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let entries: Vec<Map<String, Value>> = read_array(path)?;
        let mut detections = Self {
            path: path.display().to_string(),
            rows: Vec::with_capacity(entries.len()),
            classes: Vec::new(),
        };
        let mut class_ids = BTreeMap::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let row = detections.row(entry, &mut class_ids);
            let row = row.with_context(|| format!("{}: entry {index}", path.display()))?;
            detections.rows.push(row);
        }
        Ok(detections)
    }

    fn row(
        &mut self,
        entry: Map<String, Value>,
        class_ids: &mut BTreeMap<String, usize>,
    ) -> anyhow::Result<Row> {
        let keys = Keys::deserialize(&entry).context(
            "expected bbox (4 numbers), score, stamp_ns and label or category_id, as replay --detections writes them",
        )?;
        let [x, y, width, height] = keys.bbox;
        let sensible =
            keys.bbox.iter().all(|side| side.abs() < 1e6) && width >= 0.0 && height >= 0.0;
        ensure!(
            sensible,
            "expected bbox as [x, y, width, height] in pixels, found {:?}; correct or remove it",
            keys.bbox
        );
        let label = match (keys.label, &keys.category_id) {
            (Some(label), _) => label,
            (None, Some(category)) => category.to_string(),
            (None, None) => bail!("expected label or category_id, found neither; add one"),
        };
        let class_id = match class_ids.get(&label) {
            Some(&class_id) => class_id,
            None => {
                let class_id = self.classes.len();
                ensure!(
                    class_id < MOST_CLASSES,
                    "expected at most {MOST_CLASSES} classes; correct the labels"
                );
                self.classes.push((label.clone(), keys.category_id));
                class_ids.insert(label, class_id);
                class_id
            }
        };
        let bbox = BBox {
            x1: x as f32,
            y1: y as f32,
            x2: (x + width) as f32,
            y2: (y + height) as f32,
        };
        Ok(Row {
            entry,
            detection: Detection::new(class_id, keys.score as f32, bbox),
            topic: keys.topic,
            stamp_ns: keys.stamp_ns,
            image_id: keys.image_id,
        })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn row_at(&self, index: usize) -> &Row {
        &self.rows[index]
    }

    /// Returns the labels by class id.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|(label, _)| label.as_str())
    }

    /// Returns a class's label and its `category_id`.
    pub fn class(&self, class_id: usize) -> (&str, Option<&Value>) {
        self.classes
            .get(class_id)
            .map_or(("", None), |(label, category)| (label, category.as_ref()))
    }

    /// Returns the detections of rows.
    pub fn boxes(&self, rows: &[usize]) -> Vec<Detection> {
        rows.iter()
            .map(|&index| self.rows[index].detection)
            .collect()
    }

    /// Returns the frames in which something was found: rows of a topic that follow each other and
    /// have the same `image_id` and stamp.
    pub fn frames(&self) -> Vec<Frame<'_>> {
        let mut frames: Vec<Frame<'_>> = Vec::new();
        let mut latest: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let known = latest.get(row.topic.as_str()).copied().filter(|&place| {
                let frame = &frames[place];
                frame.stamp_ns == row.stamp_ns && frame.image_id == row.image_id
            });
            match known {
                Some(place) => frames[place].rows.push(index),
                None => {
                    latest.insert(&row.topic, frames.len());
                    frames.push(Frame {
                        topic: &row.topic,
                        stamp_ns: row.stamp_ns,
                        image_id: row.image_id,
                        rows: vec![index],
                    });
                }
            }
        }
        frames
            .iter_mut()
            .for_each(|frame| self.sort(&mut frame.rows));
        frames
    }

    /// Puts the highest score first, as detectors do.
    fn sort(&self, rows: &mut [usize]) {
        let score = |index: usize| self.rows[index].detection.score;
        rows.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    }
}

/// All frames of a recording.
pub struct FrameList {
    path: String,
    frames: Vec<ListedFrame>,
}

#[derive(Deserialize)]
struct ListedFrame {
    #[serde(default)]
    topic: String,
    stamp_ns: i64,
}

impl FrameList {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.display().to_string(),
            frames: read_array(path)?,
        })
    }

    /// Returns the listed frames with their detections. A stamp that is listed several times takes
    /// its detections in the order of the file.
    ///
    /// # Errors
    /// Fails if there are detections of a frame that is not listed.
    pub fn join<'a>(&'a self, detections: &'a Detections) -> anyhow::Result<Vec<Frame<'a>>> {
        let mut times: BTreeMap<(&str, i64), usize> = BTreeMap::new();
        for frame in &self.frames {
            *times.entry((&frame.topic, frame.stamp_ns)).or_default() += 1;
        }
        let mut found: BTreeMap<(&str, i64), VecDeque<Frame<'_>>> = BTreeMap::new();
        for frame in detections.frames() {
            let key = (frame.topic, frame.stamp_ns);
            let Some(&times) = times.get(&key) else {
                bail!(
                    "{}: expected the frame of topic {:?} with stamp_ns {}, of which {} has detections; found none; \
                     list every frame",
                    self.path,
                    frame.topic,
                    frame.stamp_ns,
                    detections.path
                );
            };
            let queue = found.entry(key).or_default();
            match queue.back_mut().filter(|_| times == 1) {
                // the file is not in the order of time
                Some(same) => same.rows.extend(frame.rows),
                None => queue.push_back(frame),
            }
        }
        let frames = self.frames.iter().map(|listed| {
            let key = (listed.topic.as_str(), listed.stamp_ns);
            let frame = found.get_mut(&key).and_then(VecDeque::pop_front);
            let mut frame = frame.unwrap_or(Frame {
                topic: &listed.topic,
                stamp_ns: listed.stamp_ns,
                image_id: None,
                rows: Vec::new(),
            });
            detections.sort(&mut frame.rows);
            frame
        });
        Ok(frames.collect())
    }
}

/// The motion of the picture, by topic and stamp.
#[derive(Default)]
pub struct MotionList(BTreeMap<String, BTreeMap<i64, CameraMotion>>);

#[derive(Deserialize)]
struct Motion {
    #[serde(default)]
    topic: String,
    stamp_ns: i64,
    affine: [f64; 6],
}

impl MotionList {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut list = Self::default();
        for (index, motion) in read_array::<Motion>(path)?.into_iter().enumerate() {
            let Some(affine) = CameraMotion::new(motion.affine) else {
                bail!(
                    "{}: entry {index}: expected affine as 6 numbers that scale areas by 1/4 to 4, sides by at most 4, and shift by less than 1e6, found {:?}; \
                     correct or remove it",
                    path.display(),
                    motion.affine
                );
            };
            list.0
                .entry(motion.topic)
                .or_default()
                .insert(motion.stamp_ns, affine);
        }
        Ok(list)
    }

    /// Returns the motion from one frame of a topic to a later one: all that lies between them, so
    /// that the motion of frames that were lost counts, too. `None` if nothing is known.
    pub fn between(&self, topic: &str, from_ns: i64, to_ns: i64) -> Option<CameraMotion> {
        let after = from_ns.checked_add(1).filter(|&after| after <= to_ns)?;
        let motions = self.0.get(topic)?.range(after..=to_ns);
        motions
            .map(|(_, motion)| *motion)
            .reduce(|first, next| first.then(&next))
    }
}

/// Reads a JSON array.
fn read_array<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let name = || path.display().to_string();
    let size = fs::metadata(path).with_context(name)?.len();
    ensure!(
        size <= LARGEST,
        "{}: expected at most {} MiB, found {} MiB; split it by topic or time",
        path.display(),
        LARGEST >> 20,
        size >> 20
    );
    let text = text::read(path, DATA_LIMIT).with_context(name)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: expected a JSON array of objects", path.display()))
}
