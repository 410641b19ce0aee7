//! Makes a model compute with integers of 8 bits.
//!
//! Static quantisation after training: ranges of the values are measured on the user's own pictures,
//! weights have a scale for each row. Stem and outputs stay in floats. Whether that is faster depends
//! on the processor and the provider, so both are measured.

pub(crate) mod accuracy;
mod calibrate;
mod graph;
mod plan;
mod scale;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Instant;

use shuffledet_core::InputSpec;
use shuffledet_infer::{InferError, Provider};
use shuffledet_onnx::{OnnxError, OnnxModel, layout, remove_initializer_inputs};
use thiserror::Error;

use crate::export::session::{self, OpenError};
use scale::Scale;

/// A model cannot be quantised.
#[derive(Debug, Error)]
pub enum QuantiseError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Infer(#[from] InferError),
    #[error("expected a model of ONNX's operator set 11 or later, found {found}; export it again")]
    OperatorSet { found: i64 },
    #[error(
        "expected no {operator}, which operator set 13 defines in another way; export the model with set 13"
    )]
    Operator { operator: String },
    #[error(
        "expected the weights of {layer} as 32-bit constants in the file; export the model again"
    )]
    Weights { layer: String },
    #[error("expected convolutions between the first and the last, found none")]
    NothingInside,
    #[error("expected at least one picture to measure ranges on, found none that can be read")]
    NoPictures,
}

/// A model with integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantised {
    pub onnx: Vec<u8>,
    /// The convolutions with integers, and all of them.
    pub convolutions: [usize; 2],
    /// The pictures on which ranges were measured.
    pub pictures: usize,
}

/// Returns the model with integers, for ranges measured on `pictures`: tensors of its input,
/// normalised.
///
/// # Errors
/// The model has other operators than convolutional networks, or does not run.
pub fn quantise(
    onnx: &[u8],
    input: &InputSpec,
    pictures: impl Iterator<Item = Vec<f32>>,
) -> Result<Quantised, QuantiseError> {
    let onnx = remove_initializer_inputs(onnx)?;
    // without shuffles, which integers cannot leave out later
    let mut model = match layout::arrange(&onnx, layout::block()) {
        Ok(arranged) => OnnxModel::parse(&arranged.onnx)?,
        Err(_) => OnnxModel::parse(&onnx)?,
    };
    rename_arranged(&mut model);
    graph::to_operator_set(&mut model)?;
    let plan = plan::plan(&model.graph).ok_or(QuantiseError::NothingInside)?;
    let names: Vec<String> = plan.values.iter().map(|(value, _)| value.clone()).collect();
    let mut count = 0;
    let counted = pictures.inspect(|_| count += 1);
    let ranges = calibrate::ranges(&model, &names, input, counted)?;
    if count == 0 {
        return Err(QuantiseError::NoPictures);
    }
    // values that are only moved share a range
    let mut shared: HashMap<String, scale::Range> = HashMap::new();
    for (value, owner) in &plan.values {
        let range = shared.entry(owner.clone()).or_insert(scale::Range::EMPTY);
        *range = range.with(ranges[value]);
    }
    let scales: HashMap<String, Scale> = (shared.into_iter())
        .map(|(owner, range)| (owner, range.scale()))
        .collect();
    let all = model
        .graph
        .node
        .iter()
        .filter(|node| node.is("Conv"))
        .count();
    graph::rewrite(&mut model, &plan, &scales)?;
    model.graph.value_info.clear();
    "shuffledet-train".clone_into(&mut model.producer_name);
    model.producer_version.clear();
    Ok(Quantised {
        onnx: model.encode(),
        convolutions: [plan.convolutions.len(), all],
        pictures: count,
    })
}

/// Renames what the arrangement of channels added, so that the model can be arranged again: the
/// product tries that with each model.
fn rename_arranged(model: &mut OnnxModel) {
    const ADDED: &str = "layout/";
    let graph = &mut model.graph;
    let nodes = graph.node.iter_mut();
    let values = nodes.flat_map(|node| node.input.iter_mut().chain(&mut node.output));
    let constants = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    for name in values.chain(constants) {
        if name.starts_with(ADDED) {
            name.insert_str(0, "arranged/");
        }
    }
}

/// How long a model takes on a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    pub provider: Provider,
    /// The median of a run with one thread, in milliseconds, of the model and of that with integers.
    pub float_ms: f64,
    pub integer_ms: f64,
}

/// The runs of which the median is taken, and those before.
const RUNS: usize = 41;
const WARM_UP: usize = 5;

/// Measures both models in turns on every provider of this machine's ONNX Runtime. Providers that
/// cannot run one of them are left out.
pub fn speeds(float: &[u8], integer: &[u8], input: &InputSpec) -> Vec<Speed> {
    let measured = Provider::ALL.into_iter().filter_map(|provider| {
        let mut sessions = [float, integer].map(|onnx| session::open(onnx, input, provider).ok());
        let shape = [1, 3, input.height as usize, input.width as usize];
        let picture = vec![0.5; shape.iter().product()];
        let mut times = [Vec::new(), Vec::new()];
        for run in 0..WARM_UP + RUNS {
            for (session, times) in sessions.iter_mut().zip(&mut times) {
                let start = Instant::now();
                session.as_mut()?.session.run(shape, &picture).ok()?;
                if run >= WARM_UP {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        let [float_ms, integer_ms] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        Some(Speed {
            provider,
            float_ms,
            integer_ms,
        })
    });
    measured.collect()
}
