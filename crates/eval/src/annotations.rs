//! COCO annotations to be written: what `label` hands to people and their tools. CVAT and Label Studio import it;
//! `topic`, `stamp_ns`, `frame_id`, `score` and `review` are keys of our own, which they pass over.

use std::io::{self, BufWriter};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Category;
use shuffledet_core::whole_file::{beside, keep};

/// A whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Annotations {
    pub info: Info,
    /// CVAT's importer asks for it; always empty.
    #[serde(default)]
    pub licenses: Vec<serde_json::Value>,
    pub categories: Vec<LabelledCategory>,
    pub images: Vec<LabelledImage>,
    pub annotations: Vec<Annotation>,
}

/// Where the labels come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Info {
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledCategory {
    #[serde(flatten)]
    pub category: Category,
    /// Always empty; importers ask for it.
    #[serde(default)]
    pub supercategory: String,
}

/// A picture as a file, and the message that it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledImage {
    pub id: u64,
    /// In the folder of images.
    pub file_name: String,
    pub width: u32,
    pub height: u32,
    /// `None` for a picture of a folder.
    #[serde(flatten)]
    pub message: Option<RecordedMessage>,
}

/// A message of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedMessage {
    pub topic: String,
    pub stamp_ns: i64,
    #[serde(default)]
    pub frame_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    pub id: u64,
    pub image_id: u64,
    pub category_id: u64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    pub area: f64,
    /// 0 or 1.
    pub iscrowd: u8,
    /// Always empty: boxes alone.
    #[serde(default)]
    pub segmentation: Vec<Vec<f64>>,
    /// Of the detection that it was; absent in labels that people have corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Whether a person is to look at it, because its score is too low to take it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
}

impl Annotations {
    /// Writes the file, which is there when it is whole.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(beside(path)?);
        serde_json::to_writer(&mut out, self)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        keep(file, path)
    }
}
