//! Why there is no ground truth for a model.

use std::error::Error as StdError;
use std::path::PathBuf;

use thiserror::Error;

use crate::class_map::ClassMapError;
use crate::regions::RegionsError;
use crate::truth::TruthError;

/// Why the ground truth cannot be read, or cannot be compared with a model.
#[derive(Debug, Error)]
pub enum GroundTruthError {
    #[error(transparent)]
    Truth(#[from] TruthError),
    #[error(
        "{annotations}: none of its categories ({categories}) is a class of the model ({classes}); map their names with --class-map"
    )]
    NoClass {
        annotations: String,
        categories: String,
        classes: String,
    },
    #[error(
        "the recording has several image topics ({topics}); name the one that the ground truth belongs to with --topic"
    )]
    SeveralCameras { topics: String },
    #[error("{}: {format} labels cannot be assigned to the messages of a recording; use COCO JSON with topic and stamp_ns", path.display())]
    LabelsOfFiles { path: PathBuf, format: &'static str },
    #[error(
        "{annotations}: {image} refers to a message of a recording; give the recording instead of --images"
    )]
    ImagesInRecording { annotations: String, image: String },
    #[error(
        "{annotations}: {image} refers to an image file; give its folder with --images, or add topic and stamp_ns to each image"
    )]
    ImagesInFiles { annotations: String, image: String },
    #[error("{annotations}: contains no images to evaluate")]
    NoImages { annotations: String },
    #[error("--strict: {annotations}: {problem}")]
    Strict {
        annotations: String,
        problem: String,
    },
    #[error(transparent)]
    ClassMap(#[from] ClassMapError),
    #[error(transparent)]
    Regions(#[from] RegionsError),
    /// The folder of images cannot be listed.
    #[error(transparent)]
    Images(Box<dyn StdError + Send + Sync>),
}

impl GroundTruthError {
    /// Returns whether there are labels, and nothing to evaluate comes of them.
    pub fn yields_nothing(&self) -> bool {
        match self {
            GroundTruthError::Truth(error) => error.yields_nothing(),
            other => matches!(other, GroundTruthError::NoClass { .. }),
        }
    }
}
