//! Ground truth, from the forms in which people have it.

mod bag;
mod checks;
mod coco;
mod format;
mod kitti;
mod label_files;
mod yolo;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Category, ImageSource, Object, Problems};
use shuffledet_bag::BagError;
use shuffledet_image::folder::ImageFileError;

pub use bag::read as read_bag;
pub use checks::reaches_beyond;
pub use coco::read as read_coco;
pub use format::Format;
pub use kitti::read as read_kitti;
pub use yolo::read as read_yolo;

/// A data set: what there is to be found, and in which images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    pub categories: Vec<Category>,
    /// In the order in which they are evaluated.
    pub images: Vec<TruthImage>,
}

/// One image and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthImage {
    pub id: u64,
    pub source: ImageSource,
    /// In pixels; 0 where the annotations do not say.
    pub width: u32,
    pub height: u32,
    pub objects: Vec<Object>,
}

/// Why there is no ground truth.
#[derive(Debug, Error)]
pub enum TruthError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected COCO annotations (an object with images, annotations and categories): {source}", path.display())]
    Coco {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{}: {image} has neither file_name nor topic and stamp_ns, one of which says where it is from", path.display())]
    NoSource { path: PathBuf, image: String },
    #[error("{}: no images: expected annotations of at least one", path.display())]
    Empty { path: PathBuf },
    #[error("{}: nothing to be found: expected objects of at least one category that the class map does not leave out", path.display())]
    NoObjects { path: PathBuf },
    #[error("{}: expected a folder with a .txt file for each image, found none that has the name of an image", path.display())]
    NoLabelFiles { path: PathBuf },
    #[error("{}: neither KITTI's labels nor YOLO's; say with --format what they are", path.display())]
    UnknownFormat { path: PathBuf },
    #[error("{}: the classes have no names: expected {} with `names`, or numbers to names under `truth` in --class-map", path.display(), names.display())]
    NoNames { path: PathBuf, names: PathBuf },
    #[error("{}: {problem}", path.display())]
    Names { path: PathBuf, problem: String },
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Image(#[from] ImageFileError),
    #[error("{topic}: expected vision_msgs/msg/Detection2DArray as ground truth, found {found}")]
    NotTruth { topic: String, found: String },
    #[error(
        "the recording has several image topics ({topics}); say with --topic which one the ground truth is of"
    )]
    SeveralCameras { topics: String },
}

impl TruthError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| TruthError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl Truth {
    /// Fails where there is nothing to evaluate against; `path` has the annotations.
    fn of_something(
        self,
        path: &Path,
        problems: Problems,
    ) -> Result<(Truth, Problems), TruthError> {
        let path = path.to_owned();
        if self.images.is_empty() {
            return Err(TruthError::Empty { path });
        }
        if self.categories.is_empty() {
            return Err(TruthError::NoObjects { path });
        }
        Ok((self, problems))
    }
}

/// `region` once for each category, so that it excuses whatever is found in it: a place that nobody annotated.
pub(super) fn excuse(categories: &[Category], region: &Object) -> impl Iterator<Item = Object> {
    categories.iter().map(|category| Object {
        category_id: category.id,
        iscrowd: true,
        ignore: true,
        ..region.clone()
    })
}
