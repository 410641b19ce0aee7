//! A graph in ONNX Runtime.

use std::path::Path;
use std::sync::Arc;

use shuffledet_core::{InputSpec, sha256};
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::runtime::RuntimeError;
use shuffledet_infer::{
    Backoff, InferError, ModelFile, Opening, OrtBackend, Provider, ProviderOptions, Runtime,
    Session, SessionOptions, WhileBuilding,
};
use thiserror::Error;

/// A graph cannot be run.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Infer(#[from] InferError),
}

/// A graph that is ready to run.
pub struct OpenGraph {
    pub session: Session,
    /// The number of values of each output.
    pub lengths: Vec<usize>,
}

/// Opens a graph on one provider, with one thread, in the way in which detection opens it.
///
/// # Errors
/// ONNX Runtime or the provider cannot be used, or the graph is refused.
pub fn open(onnx: &[u8], input: &InputSpec, provider: Provider) -> Result<OpenGraph, OpenError> {
    let options = SessionOptions {
        providers: vec![provider],
        strict: true,
        intra_op_threads: 1,
        options: ProviderOptions::default(),
    };
    let file = ModelFile {
        path: Path::new("the ONNX file"),
        onnx,
        sha256: &sha256(onnx),
        input,
        resolution: input.resolution(),
    };
    let backend = OrtBackend::new(&Runtime::load()?, file, &options, Profiled::Accelerated)?;
    let opening = Opening {
        backend: Arc::new(backend),
        model: "the ONNX file",
        input,
        options: &options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
    };
    let (session, lengths) = opening.open(|shapes| {
        let elements = |shape: &Vec<i64>| shape.iter().map(|&dim| dim.max(0) as usize).product();
        let lengths: Vec<usize> = shapes.iter().map(elements).collect();
        Ok((lengths.clone(), lengths))
    })?;
    Ok(OpenGraph { session, lengths })
}
