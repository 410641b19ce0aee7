//! The description beside an exported model, which `shuffledet` reads.

use std::path::Path;

use serde::Serialize;
use shuffledet_core::InputSpec;
use shuffledet_detector::model::manifest::{Manifest, ManifestError, ModelDescription};
use thiserror::Error;

use crate::net::Description;

/// What a sidecar says beside the network's own description.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The name of the model.
    pub name: String,
    /// `None` for a classifier.
    pub thresholds: Option<Thresholds>,
    /// Where the model comes from, in a few lines: the start, the data, the command.
    pub origin: Vec<String>,
}

/// The default thresholds of a detector, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    pub score: f32,
    /// The IoU of suppression.
    pub nms_iou: f32,
}

/// A sidecar would not be read as it is meant.
#[derive(Debug, Error)]
pub enum SidecarError {
    #[error(transparent)]
    Yaml(#[from] serde_yaml::Error),
    #[error("the description of the model is not readable: {0}")]
    Refused(#[from] ManifestError),
    #[error(
        "the description of the model is read as something else: expected {expected}, found {found}"
    )]
    Differs { expected: String, found: String },
}

/// The keys of the file, in its order.
#[derive(Serialize)]
struct Sidecar<'a> {
    name: &'a str,
    family: &'a str,
    input: &'a InputSpec,
    labels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    score_threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nms_iou_threshold: Option<f32>,
}

/// Returns the text of the file for the model at `onnx`.
///
/// # Errors
/// The product's own reader refuses the text or reads another input or other classes from it.
pub fn write(
    description: &Description,
    settings: &Settings,
    onnx: &Path,
) -> Result<String, SidecarError> {
    let yaml = serde_yaml::to_string(&Sidecar {
        name: &settings.name,
        family: description.head.name(),
        input: &description.input,
        labels: &description.classes,
        score_threshold: settings.thresholds.map(|thresholds| thresholds.score),
        nms_iou_threshold: settings.thresholds.map(|thresholds| thresholds.nms_iou),
    })?;
    let comments = (settings.origin.iter())
        .flat_map(|line| line.lines())
        .map(|line| format!("# {line}\n"));
    let text = comments.chain([yaml]).collect::<String>();
    let read = Manifest::shipped()?.describe_sidecar(&text, &onnx.with_extension("yaml"))?;
    check(description, &read)?;
    Ok(text)
}

fn check(description: &Description, read: &ModelDescription) -> Result<(), SidecarError> {
    if read.input != description.input {
        return Err(SidecarError::Differs {
            expected: format!("{:?}", description.input),
            found: format!("{:?}", read.input),
        });
    }
    let names: Vec<&str> = read.labels.names().collect();
    if names != description.classes {
        return Err(SidecarError::Differs {
            expected: format!("the classes {:?}", description.classes),
            found: format!("{names:?}"),
        });
    }
    Ok(())
}
