//! Makes a model with some of the classes of another.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::decoder::OutputDecoder;
use super::family::{Activation, Family};
use super::{Model, ModelDescription};
use shuffledet_core::InputSpec;
use shuffledet_core::labels::Label;
use shuffledet_infer::ShapeMismatch;
use shuffledet_onnx::OnnxError;
use shuffledet_onnx::classes::{self, ClassCut, NotCut};
use shuffledet_onnx::half_weights::halve;
use shuffledet_onnx::interface::Interface;
use shuffledet_onnx::layout::NotRewritable;

/// A model file with some of the classes of another, and its description.
#[derive(Debug)]
pub struct Subset {
    pub onnx: Vec<u8>,
    /// The text of the YAML file beside it.
    pub sidecar: String,
}

/// Why no model with fewer classes was made.
#[derive(Debug, Error)]
pub enum SubsetError {
    #[error(
        "expected a model of family nanodet or nanodet_plus, which scores each class by itself, found family {0}"
    )]
    Family(&'static str),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Shapes(#[from] ShapeMismatch),
    #[error(transparent)]
    NotCut(#[from] NotCut),
    #[error(transparent)]
    NotHalved(#[from] NotRewritable),
    #[error("the description cannot be written: {0}")]
    Yaml(#[from] serde_yaml::Error),
}

/// Makes a model that finds only the classes `kept`, by class id and in their new order, with the
/// scores and boxes of `model`. With `half_weights` the file keeps its weights as 16-bit floats.
///
/// # Errors
/// The family's classes depend on each other, or the class layer cannot be followed.
pub fn subset(model: &Model, kept: &[usize], half_weights: bool) -> Result<Subset, SubsetError> {
    let description = &model.description;
    let interface = Interface::read(&model.onnx)?;
    let shapes: Vec<Vec<i64>> = (interface.outputs.iter())
        .map(|output| output.shape.clone().unwrap_or_default())
        .collect();
    let size = description.input.resolution().sides();
    let (decoder, _) = OutputDecoder::for_model(description, size, &shapes)?;
    let scores = decoder
        .independent_scores()
        .ok_or(SubsetError::Family(description.family.name()))?;
    let outputs: Vec<String> = (scores.iter())
        .map(|&output| interface.outputs[output].name.clone())
        .collect();
    let names: Vec<&str> = (kept.iter())
        .map(|&class| description.labels.name(class))
        .collect();
    let cut = ClassCut {
        outputs: &outputs,
        classes: description.labels.count(),
        kept,
    };
    let onnx = classes::cut(&model.onnx, cut, &names)?;
    let onnx = if half_weights { halve(&onnx)? } else { onnx };
    let sidecar = serde_yaml::to_string(&Sidecar::new(description, kept))?;
    let origin = format!(
        "# Made by `shuffledet models cut` from {} (sha256 {}).\n",
        description.name, model.sha256
    );
    let sidecar = origin + &sidecar;
    Ok(Subset { onnx, sidecar })
}

/// The keys of the description, in the order in which they are written.
#[derive(Serialize)]
struct Sidecar<'a> {
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_activation: Option<&'static str>,
    input: &'a InputSpec,
    labels: Vec<Label>,
    score_threshold: f32,
    nms_iou_threshold: f32,
    input_budget: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    class_thresholds: BTreeMap<&'a str, BTreeMap<&'a str, f32>>,
}

impl<'a> Sidecar<'a> {
    fn new(description: &'a ModelDescription, kept: &[usize]) -> Self {
        let labels = &description.labels;
        let mut class_thresholds = BTreeMap::new();
        for set in &description.class_sets {
            let tuned: BTreeMap<&str, f32> = (set.score_thresholds.iter())
                .filter(|(class, _)| kept.contains(class))
                .map(|(&class, &score)| (labels.name(class), score))
                .collect();
            if !tuned.is_empty() {
                class_thresholds.insert(set.name.as_str(), tuned);
            }
        }
        let label = |&class: &usize| Label {
            name: labels.name(class).to_owned(),
            category_id: labels.category_id(class),
        };
        Self {
            family: description.family.name(),
            class_activation: match description.family {
                Family::NanoDet { class_activation } | Family::NanoDetPlus { class_activation } => {
                    (class_activation == Activation::Sigmoid).then_some("sigmoid")
                }
                _ => None,
            },
            input: &description.input,
            labels: kept.iter().map(label).collect(),
            score_threshold: description.score_threshold,
            nms_iou_threshold: description.nms_iou_threshold,
            input_budget: description.input_budget,
            class_thresholds,
        }
    }
}
