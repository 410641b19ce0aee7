//! Labelled pictures: what a training learns from and what it is measured on.

pub mod check;
mod extras;
pub mod folders;
pub mod location;
pub mod picture;
pub mod pseudo;
mod read;
pub mod split;

use std::io;
use std::path::PathBuf;

use shuffledet_core::BBox;
use shuffledet_core::data_path::OutsideFolder;
use shuffledet_eval::truth::TruthError;
use thiserror::Error;

pub use location::DataLocation;
pub use picture::Picture;
pub use pseudo::PseudoBoxes;
pub use read::{DataSet, read};
pub use split::{HeldOut, Split};

/// A picture file with its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// As in the annotations.
    pub file_name: String,
    pub path: PathBuf,
    /// Width and height in pixels as annotated; 0 if the annotations do not say.
    pub size: (u32, u32),
    pub objects: Vec<LabelledBox>,
    /// By class: whether a place without a box of the class has no object of it. The loss ignores the other classes.
    pub annotated: Vec<bool>,
    /// Pictures of one scene are on the same side of a split.
    pub scene: String,
}

/// An object of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledBox {
    pub class: usize,
    /// In pixels of the picture.
    pub bbox: BBox,
    /// From 0 to 1: 1 for a person's box, less for a teacher's box that may be wrong.
    pub weight: f32,
    /// Neither an object nor background: a crowd, or a teacher's box that it is unsure of.
    pub ignored: bool,
    pub origin: Origin,
}

/// Who drew a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Person,
    Teacher,
}

/// Why there are no samples.
#[derive(Debug, Error)]
pub enum DataError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Labels(#[from] TruthError),
    #[error(transparent)]
    Outside(#[from] OutsideFolder),
    #[error("{}: {reason}", path.display())]
    Images { path: PathBuf, reason: String },
    #[error("{}: expected a file of COCO annotations, or a folder with labels.json, annotations.json or a folder `labels`; found none of them", path.display())]
    NoLabels { path: PathBuf },
    #[error("{}: none of its categories ({categories}) is one of the classes {classes}; name the classes with --classes", path.display())]
    NoClass {
        path: PathBuf,
        categories: String,
        classes: String,
    },
    #[error("{}: {problem}", path.display())]
    Boxes { path: PathBuf, problem: String },
    #[error("{}: names no picture of {}: expected a file name in each line, such as {example}, found {found}", list.display(), data.display())]
    List {
        list: PathBuf,
        data: PathBuf,
        example: String,
        found: String,
    },
    #[error("{}: {count} pictures cannot be split; at least two scenes are needed, or the held-out part with --val", path.display())]
    Few { path: PathBuf, count: usize },
}
