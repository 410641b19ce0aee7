//! Why a model cannot be loaded or run.

use thiserror::Error;

use super::{Provider, ProviderError};
use shuffledet_core::Resolution;
use shuffledet_onnx::OnnxError;
use shuffledet_onnx::input_size::NotResized;

/// The outputs do not match the model family.
#[derive(Debug, Error)]
#[error(
    "its outputs are {found}, but {family} with {classes} labels and this input gives {expected}; check family, input size and labels in the model's description"
)]
pub struct ShapeMismatch {
    pub family: &'static str,
    pub classes: usize,
    pub expected: String,
    pub found: String,
}

/// A model's outputs have an invalid value.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "the model's output {output} has {value} at position {position}, expected {expected}; check the model's weights, precision and execution provider"
)]
pub struct BadOutput {
    pub output: usize,
    pub position: usize,
    pub value: f32,
    pub expected: &'static str,
}

/// Why a model cannot be loaded or run.
#[derive(Debug, Error)]
pub enum InferError {
    #[error("{path}: {source}")]
    Onnx { path: String, source: OnnxError },
    #[error("{path}: its graph cannot be rewritten for an input of {resolution}: {source}")]
    NotResized {
        path: String,
        resolution: Resolution,
        source: Box<NotResized>,
    },
    #[error("{model}: no execution provider can run it: {reasons}")]
    NoProvider { model: String, reasons: String },
    #[error("{model}: its inputs are {found}, but the model's description says {expected}")]
    Input {
        model: String,
        expected: String,
        found: String,
    },
    #[error("{model}: {source}")]
    Outputs {
        model: String,
        source: ShapeMismatch,
    },
    #[error("ONNX Runtime: {0}")]
    Run(#[from] ort::Error),
    #[error("the provider {} failed: {error}", provider.name())]
    Provider {
        provider: Provider,
        error: ProviderError,
    },
    #[error("invalid output: {0}")]
    BadOutput(#[from] BadOutput),
    #[error("output {index} of the model has {found} values, expected {expected}")]
    OutputLength {
        index: usize,
        expected: usize,
        found: usize,
    },
}

impl InferError {
    /// Returns the reason's key in counters.
    pub fn reason(&self) -> &'static str {
        match self {
            InferError::Provider { provider, .. } if *provider != Provider::Cpu => {
                "provider_failed"
            }
            InferError::BadOutput(_) => "bad_output",
            _ => "inference",
        }
    }
}
