//! One model in one ONNX Runtime session, on the first execution provider that takes it.

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session as OrtSession, SessionOutputs};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use thiserror::Error;

use super::{Provider, Runtime};
use crate::metrics::ProviderFate;
use crate::model::decoder::ShapeMismatch;
use crate::model::onnx::{self, OnnxError};
use crate::model::{Model, OutputDecoder, layout};

/// How a session runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// In order of preference; not empty.
    pub providers: Vec<Provider>,
    /// Fail rather than run on another than the first of `providers`.
    pub strict: bool,
    /// Threads within one operator, at least 1.
    pub intra_op_threads: usize,
}

/// A model that is ready to run.
pub struct Session {
    session: OrtSession,
    output_lengths: Vec<usize>,
    provider: Provider,
    fates: Vec<ProviderFate>,
}

/// Why a model cannot be loaded or run.
#[derive(Debug, Error)]
pub enum InferError {
    #[error("{path}: {source}")]
    Onnx { path: String, source: OnnxError },
    #[error("{path}: none of the providers takes it: {reasons}")]
    NoProvider { path: String, reasons: String },
    #[error("{path}: its inputs are {found}, but the model's description says {expected}")]
    Input {
        path: String,
        expected: String,
        found: String,
    },
    #[error("{path}: {source}")]
    Outputs { path: String, source: ShapeMismatch },
    #[error("ONNX Runtime: {0}")]
    Run(#[from] ort::Error),
    #[error("output {index} of the model has {found} values, expected {expected}")]
    OutputLength {
        index: usize,
        expected: usize,
        found: usize,
    },
}

impl Session {
    /// Loads `model` and checks that its inputs and outputs are what its description says.
    pub fn open(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<(Self, OutputDecoder), InferError> {
        let path = || model.path.display().to_string();
        let prepared = onnx::prepare(&model.onnx).map_err(|source| InferError::Onnx {
            path: path(),
            source,
        })?;
        let arranged = layout::arrange(&prepared, layout::block());
        let onnx = arranged.as_deref().unwrap_or(&prepared);
        let (session, provider, fates) =
            build(runtime, onnx, options).map_err(|reasons| InferError::NoProvider {
                path: path(),
                reasons,
            })?;

        let description = &model.description;
        let input = &description.input;
        let expected = [1, 3, i64::from(input.height), i64::from(input.width)];
        if !matches!(session.inputs(), [one] if fits(one, &expected)) {
            let expected = format!("one of f32 {expected:?}");
            let found = describe(session.inputs());
            return Err(InferError::Input {
                path: path(),
                expected,
                found,
            });
        }
        let shapes: Vec<Vec<i64>> = session.outputs().iter().map(float_shape).collect();
        let classes = description.labels.count();
        let decoder = OutputDecoder::new(
            description.family,
            (input.width, input.height),
            classes,
            &shapes,
        )
        .map_err(|source| InferError::Outputs {
            path: path(),
            source,
        })?;
        let output_lengths = decoder.output_lengths();
        Ok((
            Self {
                session,
                output_lengths,
                provider,
                fates,
            },
            decoder,
        ))
    }

    /// The provider that the session was made on.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// What became of each provider that was asked for.
    pub fn fates(&self) -> &[ProviderFate] {
        &self.fates
    }

    /// Runs the model on an NCHW tensor of the shape that it was opened with.
    pub fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Outputs<'_>, InferError> {
        let input = TensorRef::from_array_view((shape, tensor))?;
        let outputs = self.session.run(ort::inputs![input])?;
        Ok(Outputs {
            outputs,
            lengths: &self.output_lengths,
        })
    }
}

/// The output tensors of one run.
pub struct Outputs<'a> {
    outputs: SessionOutputs<'a>,
    lengths: &'a [usize],
}

impl Outputs<'_> {
    /// The values of each output, in the model's order.
    pub fn values(&self) -> Result<Vec<&[f32]>, InferError> {
        let mut values = Vec::with_capacity(self.lengths.len());
        for (index, &expected) in self.lengths.iter().enumerate() {
            let (_, data) = self.outputs[index].try_extract_tensor::<f32>()?;
            if data.len() != expected {
                return Err(InferError::OutputLength {
                    index,
                    expected,
                    found: data.len(),
                });
            }
            values.push(data);
        }
        Ok(values)
    }
}

/// A session on the first provider that takes the model, and what became of each; or the reasons of all.
fn build(
    runtime: &Runtime,
    onnx: &[u8],
    options: &SessionOptions,
) -> Result<(OrtSession, Provider, Vec<ProviderFate>), String> {
    let mut fates = Vec::new();
    let mut built = None;
    for &provider in &options.providers {
        let reason = match &built {
            Some((_, better)) => Some(not_needed(*better)),
            None if options.strict && !fates.is_empty() => {
                Some("runtime.strict forbids all but the first".to_owned())
            }
            None => match build_on(runtime, onnx, provider, options.intra_op_threads) {
                Ok(session) => {
                    built = Some((session, provider));
                    None
                }
                Err(error) => Some(error.to_string()),
            },
        };
        let provider = provider.name().to_owned();
        fates.push(ProviderFate {
            provider,
            used: reason.is_none(),
            reason,
        });
    }
    let Some((session, provider)) = built else {
        let reason = |fate: &ProviderFate| {
            format!(
                "{}: {}",
                fate.provider,
                fate.reason.as_deref().unwrap_or_default()
            )
        };
        return Err(fates.iter().map(reason).collect::<Vec<_>>().join("; "));
    };
    Ok((session, provider, fates))
}

fn not_needed(better: Provider) -> String {
    format!("not needed: {} comes before it and works", better.name())
}

fn build_on(
    runtime: &Runtime,
    onnx: &[u8],
    provider: Provider,
    intra_op_threads: usize,
) -> ort::Result<OrtSession> {
    let mut builder = OrtSession::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(intra_op_threads)?
        // a spinning thread takes a core from the next frame's preparation
        .with_intra_op_spinning(false)?
        .with_execution_providers([provider.dispatch()])?;
    builder.commit_from_memory(onnx)
}

/// Whether an input takes f32 tensors of `expected` shape.
fn fits(input: &Outlet, expected: &[i64]) -> bool {
    let shape = float_shape(input);
    shape.len() == expected.len() && shape.iter().zip(expected).all(|(&s, &e)| s == e || s == -1)
}

/// The dimensions of an f32 tensor, -1 where not fixed; empty for anything else.
fn float_shape(outlet: &Outlet) -> Vec<i64> {
    match outlet.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } => shape.to_vec(),
        _ => Vec::new(),
    }
}

fn describe(outlets: &[Outlet]) -> String {
    let describe = |outlet: &Outlet| format!("{}: {}", outlet.name(), outlet.dtype());
    outlets.iter().map(describe).collect::<Vec<_>>().join(", ")
}
