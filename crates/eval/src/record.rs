//! What an evaluation knows of each image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use shuffledet_core::text;
use shuffledet_msg::stamp;

/// A class of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// As in the annotations; COCO's own ids have gaps.
    pub id: u64,
    pub name: String,
}

/// Where an image is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImageSource {
    /// A message of a recording.
    Message { topic: String, stamp_ns: i64 },
    /// A file, relative to the folder of images.
    File { file_name: String },
}

/// Where the file is in its folder. A name that is not there as it is may be one of Windows, with backslashes, or one in
/// another Unicode normal form than the folder has it.
pub fn image_path(folder: &Path, file_name: &str) -> PathBuf {
    let plain = folder.join(file_name);
    if plain.exists() {
        return plain;
    }
    let slashes = file_name.replace('\\', "/");
    let forms = text::other_forms(&slashes).collect::<Vec<_>>();
    let mut names = std::iter::once(slashes).chain(forms);
    let there = names.find_map(|name| Some(folder.join(name)).filter(|path| path.exists()));
    there.unwrap_or(plain)
}

/// An annotated object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    pub id: u64,
    pub category_id: u64,
    /// Left, top, width, height in pixels of the image.
    pub bbox: [f64; 4],
    /// In square pixels: what decides whether it is small, medium or large. COCO's is the area of the mask.
    pub area: f64,
    /// A group of objects: any number of detections may lie in it, and none of them counts.
    #[serde(default)]
    pub iscrowd: bool,
    /// Not to be found and not wrong to find: neither a hit nor a miss.
    #[serde(default)]
    pub ignore: bool,
    /// Of a crowd that is no rectangle: its corners, x and y in pixels. `bbox` encloses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<Vec<[f64; 2]>>,
}

impl Object {
    /// One that counts, as large as its box.
    pub fn in_box(id: u64, category_id: u64, bbox: [f64; 4]) -> Self {
        Object {
            id,
            category_id,
            bbox,
            area: bbox[2] * bbox[3],
            iscrowd: false,
            ignore: false,
            outline: None,
        }
    }
}

/// A detection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Of the data set, after the class map.
    pub category_id: u64,
    /// Left, top, width, height in pixels of the image.
    pub bbox: [f64; 4],
    /// In [0, 1].
    pub score: f64,
}

/// One image: what is there, what was found, and how long that took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Position in the data set, from 0; the same whichever shard the image was in.
    pub index: u64,
    /// The annotations' id of the image.
    pub id: u64,
    #[serde(flatten)]
    pub source: ImageSource,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Width and height that the annotations say, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotated_size: Option<[u32; 2]>,
    pub objects: Vec<Object>,
    /// Best first.
    pub detections: Vec<Found>,
    /// Milliseconds by stage.
    pub stages_ms: BTreeMap<String, f64>,
    /// Why it could not be processed, as `REASON: TEXT`; it counts as an image in which nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl ImageSource {
    /// For people: the file's name, or the message's topic and stamp.
    pub fn title(&self) -> String {
        match self {
            ImageSource::Message { topic, stamp_ns } => format!("{topic} at {}", stamp(*stamp_ns)),
            ImageSource::File { file_name } => file_name.clone(),
        }
    }
}

impl ImageRecord {
    /// The failure of an image that is not there.
    pub const MISSING: &str = "image_missing";

    /// Whether it failed since it is not there.
    pub fn is_missing(&self) -> bool {
        self.failure_reason() == Some(Self::MISSING)
    }

    /// The name that its failure counts under.
    pub fn failure_reason(&self) -> Option<&str> {
        let failure = self.failure.as_deref()?;
        Some(
            failure
                .split_once(": ")
                .map_or(failure, |(reason, _)| reason),
        )
    }
}

/// The number that the shortest decimal of a 32-bit float means: what everybody reads who reads it as text.
pub fn as_written(value: f32) -> f64 {
    // the text of a float is one
    value.to_string().parse().unwrap_or(f64::from(value))
}
