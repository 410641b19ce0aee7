//! What an evaluation knows of each image.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use shuffledet_core::data_path::{self, OutsideFolder};
use shuffledet_core::{Resolution, text};
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

/// Returns the path of an image in its folder. A name that does not exist may have the backslashes
/// of Windows, or a Unicode normal form that differs from the folder's.
///
/// # Errors
/// The name leads out of the folder.
pub fn image_path(folder: &Path, file_name: &str) -> Result<PathBuf, OutsideFolder> {
    let plain = data_path::join(folder, file_name)?;
    if plain.exists() {
        return Ok(plain);
    }
    let slashes = file_name.replace('\\', "/");
    let forms = text::other_forms(&slashes).collect::<Vec<_>>();
    let mut names = std::iter::once(slashes).chain(forms);
    match names.find(|name| folder.join(name).exists()) {
        Some(name) => data_path::join(folder, &name),
        None => Ok(plain),
    }
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
    /// Returns an object that counts, as large as its box.
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
pub struct DetectionResult {
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
    pub detections: Vec<DetectionResult>,
    /// The size of the network's input in each run of the model, in the order of the regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_sizes: Vec<Resolution>,
    /// Milliseconds by stage.
    pub stages_ms: BTreeMap<String, f64>,
    /// The damage of an image that was decoded nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Why it could not be processed; it counts as an image in which nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl ImageSource {
    /// Returns a text for people: the file's name, or the message's topic and stamp.
    pub fn title(&self) -> String {
        match self {
            ImageSource::Message { topic, stamp_ns } => format!("{topic} at {}", stamp(*stamp_ns)),
            ImageSource::File { file_name } => file_name.clone(),
        }
    }
}

/// Why an image could not be processed. In JSON and for people it is the text `REASON: TEXT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Failure {
    /// The name to count by: `image_missing`, `malformed_message`, ...
    pub reason: String,
    /// What was expected and found.
    pub text: String,
}

impl Failure {
    const MISSING: &str = "image_missing";

    /// Returns the failure of an image that is absent.
    pub fn missing(text: String) -> Self {
        Failure {
            reason: Self::MISSING.to_owned(),
            text,
        }
    }

    /// Returns whether the image is not there.
    pub fn is_missing(&self) -> bool {
        self.reason == Self::MISSING
    }
}

impl From<&shuffledet_core::Failure> for Failure {
    fn from(failure: &shuffledet_core::Failure) -> Self {
        Failure {
            reason: failure.reason.to_owned(),
            text: failure.message.clone().into_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure { reason, text } if text.is_empty() => f.write_str(reason),
            Failure { reason, text } => write!(f, "{reason}: {text}"),
        }
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.to_string()
    }
}

impl From<String> for Failure {
    /// Parses `REASON: TEXT`. A text without a colon is the reason.
    fn from(text: String) -> Self {
        let (reason, text) = text.split_once(": ").unwrap_or((&text, ""));
        Failure {
            reason: reason.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Returns the value of the shortest decimal of a 32-bit float, which is the value that a reader of
/// the text gets.
pub fn as_written(value: f32) -> f64 {
    // the text of a float is one
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_text_in_json() {
        let failure = Failure::missing("2.jpg: gone".to_owned());
        let json = serde_json::to_string(&failure).unwrap();
        assert_eq!(json, r#""image_missing: 2.jpg: gone""#);
        assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), failure);
        let bare = Failure::from("damaged".to_owned());
        assert_eq!((bare.reason.as_str(), bare.text.as_str()), ("damaged", ""));
        assert_eq!(bare.to_string(), "damaged");
    }

    #[test]
    fn file_names_of_annotations_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jpg"), "").unwrap();
        let path = |name| image_path(folder.path(), name);
        assert_eq!(path("a.jpg").unwrap(), folder.path().join("a.jpg"));
        for name in ["../a.jpg", "/etc/hostname", "b/../../a.jpg", "..\\a.jpg"] {
            let error = path(name).unwrap_err().to_string();
            assert!(error.contains("leads out of the folder"), "{name}: {error}");
        }
    }
}
