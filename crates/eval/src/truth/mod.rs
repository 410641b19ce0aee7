//! Ground truth, from the forms in which people have it.

mod bag;
mod checks;
mod coco;
mod format;
mod kitti;
mod label_files;
mod yolo;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::{Category, ClassMap, ImageRecord, ImageSource, Object, Problem, Problems};
use shuffledet_bag::BagError;

pub use bag::read as read_bag;
pub use checks::reaches_beyond;
pub use coco::{parse as parse_coco, read as read_coco};
pub use format::Format;
pub use kitti::read as read_kitti;
pub use label_files::ImageFiles;
pub use yolo::read as read_yolo;

/// A data set: what there is to be found, and in which images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    pub categories: Vec<Category>,
    /// In the order in which they are evaluated.
    pub images: Vec<TruthImage>,
    /// Ids in the annotations that are no whole numbers.
    pub annotated: AnnotatedIds,
}

/// The annotations' own ids of images and categories, by the numbers that stand for them here. Those that are whole
/// numbers from 0 up stand for themselves, and are absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnnotatedIds {
    images: BTreeMap<u64, Value>,
    categories: BTreeMap<u64, Value>,
}

impl AnnotatedIds {
    /// Returns the id of an image as in the annotations.
    pub fn image(&self, id: u64) -> Value {
        self.images.get(&id).cloned().unwrap_or_else(|| id.into())
    }

    /// Returns the id of a category as in the annotations.
    pub fn category(&self, id: u64) -> Value {
        self.categories
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.into())
    }
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

impl TruthImage {
    /// Returns the annotated image without detections; `index` is its position in the data set.
    pub fn record(&self, index: u64) -> ImageRecord {
        ImageRecord {
            index,
            id: self.id,
            source: self.source.clone(),
            width: self.width,
            height: self.height,
            annotated_size: None,
            objects: self.objects.clone(),
            detections: Vec::new(),
            input_sizes: Vec::new(),
            stages_ms: Default::default(),
            damage: None,
            failure: None,
        }
    }
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
    #[error("{}: no images; expected annotations of at least one{}", path.display(), reasons(left_out))]
    Empty { path: PathBuf, left_out: Problems },
    #[error("{}: no objects to evaluate: none annotated, or the class map excludes every category", path.display())]
    NoObjects { path: PathBuf },
    #[error("{}: expected a folder with a .txt file for each image, found {found}", path.display())]
    NoLabelFiles { path: PathBuf, found: String },
    #[error("{}: no image has an object, because every label file is empty ({count}): export the labels again, or confirm with --format yolo", path.display())]
    AllEmpty { path: PathBuf, count: u64 },
    #[error("{}: no line of the labels is valid: expected KITTI's lines (a type and 14 or 15 numbers) or YOLO's (a class's number, then 4 numbers or a polygon), found {found}", path.display())]
    UnknownFormat { path: PathBuf, found: String },
    #[error("{}: no annotation is usable ({count} found): {problems}", path.display())]
    NothingUnderstood {
        path: PathBuf,
        count: u64,
        problems: String,
    },
    #[error("{}: the classes have no names: expected {} with `names`, or numbers to names under `truth` in --class-map", path.display(), names.display())]
    NoNames { path: PathBuf, names: PathBuf },
    #[error("{}: {problem}", path.display())]
    Names { path: PathBuf, problem: String },
    #[error(
        "{}: the labels are boxes with {points} key points each, but kpt_shape is missing; add `kpt_shape: [{points}, {dimensions}]` to {}, or `kpt_shape: null` if they are polygons",
        path.display(), file.display()
    )]
    UnstatedKeyPoints {
        path: PathBuf,
        file: PathBuf,
        points: usize,
        dimensions: usize,
    },
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error("{topic}: expected vision_msgs/msg/Detection2DArray as ground truth, found {found}")]
    NotTruth { topic: String, found: String },
    #[error(
        "{topic}: no ground truth: expected messages of vision_msgs/msg/Detection2DArray, found none{}",
        reasons(left_out)
    )]
    NoMessages { topic: String, left_out: Problems },
}

impl TruthError {
    /// Whether there are labels, and nothing to evaluate comes of them.
    pub fn yields_nothing(&self) -> bool {
        matches!(
            self,
            TruthError::NoLabelFiles { .. }
                | TruthError::AllEmpty { .. }
                | TruthError::UnknownFormat { .. }
                | TruthError::NothingUnderstood { .. }
                | TruthError::NoObjects { .. }
                | TruthError::NoMessages { .. }
        )
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| TruthError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// What was read on the way to the objects.
#[derive(Debug, Clone, Copy, Default)]
struct ReadCounts {
    /// Annotations, or lines of labels.
    annotations: u64,
    /// Those that are not to be found: of a class that the class map leaves out, or of a file that is no picture.
    unwanted: u64,
    /// Files of labels.
    files: u64,
}

/// Returns the end of a sentence that names what was left out, if anything was.
fn reasons(left_out: &Problems) -> String {
    match left_out.total() {
        0 => String::new(),
        _ => format!("; left out: {left_out}"),
    }
}

impl Truth {
    /// Joins and renames the categories as `map` says. A joined category has the id of the first.
    pub fn rename(&mut self, map: &ClassMap) {
        if !map.names_truth() {
            return;
        }
        let (mut kept, mut becomes): (Vec<Category>, BTreeMap<u64, Option<u64>>) =
            Default::default();
        for category in &self.categories {
            let name = map.category_of_truth(&category.name);
            let id = name.map(|name| match kept.iter().find(|c| c.name == name) {
                Some(first) => first.id,
                None => {
                    kept.push(Category {
                        id: category.id,
                        name: name.to_owned(),
                    });
                    category.id
                }
            });
            becomes.insert(category.id, id);
        }
        self.categories = kept;
        for image in &mut self.images {
            image.objects.retain_mut(|object| {
                let id = becomes.get(&object.category_id).copied().flatten();
                object.category_id = id.unwrap_or(object.category_id);
                id.is_some()
            });
        }
    }

    fn has_objects(&self) -> bool {
        self.images.iter().any(|image| !image.objects.is_empty())
    }

    /// Looks again at annotations of `path` whose categories a class map has renamed or left out.
    ///
    /// # Errors
    /// It has left out all of them.
    pub fn check_renamed(&self, path: &Path, problems: &mut Problems) -> Result<(), TruthError> {
        let path = path.to_owned();
        if self.categories.is_empty() {
            return Err(TruthError::NoObjects { path });
        }
        if !self.has_objects() && problems.count(Problem::NoObjects) == 0 {
            let place = format!("{}: the class map leaves all of them out", path.display());
            problems.add(Problem::NoObjects, place);
        }
        Ok(())
    }

    /// Fails where there is nothing to evaluate against; `path` has the annotations.
    fn checked_for_objects(
        self,
        path: &Path,
        seen: ReadCounts,
        mut problems: Problems,
    ) -> Result<(Truth, Problems), TruthError> {
        let path = path.to_owned();
        let has_objects = self.has_objects();
        let left_out = problems.left_out();
        if !has_objects && left_out.total() > 0 && seen.unwanted == 0 && seen.annotations > 0 {
            return Err(TruthError::NothingUnderstood {
                path,
                count: seen.annotations,
                problems: left_out.to_string(),
            });
        }
        if self.images.is_empty() {
            return Err(TruthError::Empty { path, left_out });
        }
        if self.categories.is_empty() {
            return Err(TruthError::NoObjects { path });
        }
        if !has_objects {
            let found = match (seen.annotations, seen.files) {
                (0, 0) => "no image has an annotation".to_owned(),
                (0, files) => format!("every label file is empty ({files})"),
                (count, _) => format!("no annotation counts ({count} found)"),
            };
            problems.add(Problem::NoObjects, format!("{}: {found}", path.display()));
        }
        Ok((self, problems))
    }
}

/// Repeats `region` for each category, so that it excuses every detection in it. Nobody annotated
/// that place.
pub(super) fn excuse(categories: &[Category], region: &Object) -> impl Iterator<Item = Object> {
    categories.iter().map(|category| Object {
        category_id: category.id,
        iscrowd: true,
        ignore: true,
        ..region.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class_map::tests::{categories, map};

    #[test]
    fn categories_that_are_joined_have_the_id_of_the_first() {
        let mut truth = Truth {
            categories: categories(&["Car", "Van", "Misc"]),
            images: Vec::new(),
            ..Truth::default()
        };
        truth.rename(&map("truth: {Van: Car, Misc: }").unwrap());
        assert_eq!(truth.categories, categories(&["Car"]));
    }
}
