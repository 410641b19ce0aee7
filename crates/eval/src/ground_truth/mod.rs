//! Ground truth for one model: annotations, with the class map, the ignored regions and the limit
//! applied.

mod error;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use shuffledet_core::{Labels, file_sha256, sha256};

pub use self::error::GroundTruthError;
use self::source::AnnotationsRead;
pub use self::source::{AnnotationSource, ImageFolder, ImageList, ImageLocation};
use crate::subject::{DatasetDescription, EvaluationSettings};
use crate::truth::{Truth, TruthError};
use crate::{ClassMap, Problems, regions};

/// The files and limits that describe the ground truth.
pub struct GroundTruthOptions<'a> {
    pub annotations: AnnotationSource<'a>,
    pub images: ImageLocation<'a>,
    /// The path of the images, as the evaluation file states it.
    pub images_in: &'a Path,
    /// A file of [`ClassMap`].
    pub class_map: Option<&'a Path>,
    /// A file of [`regions`].
    pub ignore: Option<&'a Path>,
    /// Use only the first images, at most this many.
    pub limit: Option<usize>,
    /// Fail at the first problem.
    pub strict: bool,
}

/// The objects to find, and how the classes of a model correspond to their categories.
#[derive(Debug)]
pub struct GroundTruth {
    pub truth: Truth,
    /// Problems of the annotations and of the mapping from the model's classes.
    pub problems: Problems,
    pub description: DatasetDescription,
    /// The category of each class of the model. Detections of a class without one do not count.
    pub categories: Vec<Option<u64>>,
    /// The settings of the evaluation.
    pub settings: EvaluationSettings,
}

impl GroundTruthOptions<'_> {
    /// Reads the ground truth for a model with the classes `labels`. `settings` are those of the
    /// detector; class map, regions and limit are added to them.
    ///
    /// # Errors
    /// A file cannot be read, or there is nothing to evaluate: no image, or no category that the
    /// model has a class for. With `strict`, any problem.
    pub fn read(
        &self,
        labels: &Labels,
        settings: EvaluationSettings,
    ) -> Result<GroundTruth, GroundTruthError> {
        let map = match self.class_map {
            Some(path) => ClassMap::read(path, labels)?,
            None => ClassMap::default(),
        };
        let AnnotationsRead {
            mut truth,
            mut problems,
            annotations,
            format,
            sha256,
        } = self.annotations.read(&self.images, &map)?;
        self.images.check(&truth, &annotations)?;
        let sha256 = sha256.unwrap_or_else(|| truth_sha256(&truth));
        if let Some(path) = self.ignore {
            regions::apply(&mut truth, &regions::read(path)?);
        }
        truth.images.truncate(self.limit.unwrap_or(usize::MAX));
        if truth.images.is_empty() {
            return Err(GroundTruthError::NoImages { annotations });
        }
        let categories = map.resolve(labels, &truth.categories, &mut problems);
        if categories.iter().all(Option::is_none) {
            return Err(no_class(annotations, labels, &truth));
        }
        if self.strict
            && let Err(problem) = problems.strictly()
        {
            return Err(GroundTruthError::Strict {
                annotations,
                problem,
            });
        }
        Ok(GroundTruth {
            settings: EvaluationSettings {
                class_map: category_names(labels, &categories, &truth),
                class_map_sha256: self.class_map.map(sha256_of).transpose()?,
                ignore_sha256: self.ignore.map(sha256_of).transpose()?,
                limit: self.limit.map(|limit| limit as u64),
                ..settings
            },
            description: DatasetDescription {
                annotations,
                format: format.to_owned(),
                sha256,
                images_in: self.images_in.display().to_string(),
                image_count: truth.images.len() as u64,
                categories: truth.categories.clone(),
            },
            categories,
            problems,
            truth,
        })
    }
}

fn sha256_of(path: &Path) -> Result<String, TruthError> {
    file_sha256(path).map_err(TruthError::io(path))
}

/// Returns the sha256 of the ground truth as read, for annotations that are not a single file.
fn truth_sha256(truth: &Truth) -> String {
    let mut text = json!(truth.categories).to_string();
    for image in &truth.images {
        text += &json!([image.id, image.source, image.objects]).to_string();
    }
    sha256(text.as_bytes())
}

/// Returns the error for annotations that have none of the model's classes.
fn no_class(annotations: String, labels: &Labels, truth: &Truth) -> GroundTruthError {
    GroundTruthError::NoClass {
        annotations,
        categories: first_names(truth.categories.iter().map(|c| c.name.as_str())),
        classes: first_names(labels.names()),
    }
}

/// Joins the first eight names.
fn first_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = names.take(SHOWN + 1).collect();
    if let Some(last) = names.get_mut(SHOWN) {
        *last = "...";
    }
    names.join(", ")
}

/// Maps each label to the name of its category. Labels without one are absent.
fn category_names(
    labels: &Labels,
    categories: &[Option<u64>],
    truth: &Truth,
) -> BTreeMap<String, String> {
    let mapped = labels.names().zip(categories);
    mapped
        .filter_map(|(label, &id)| {
            let category = truth.categories.iter().find(|c| Some(c.id) == id)?;
            Some((label.to_owned(), category.name.clone()))
        })
        .collect()
}
