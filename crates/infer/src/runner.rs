//! The interface to the providers: creates and runs sessions. Code above it works the same with
//! ONNX Runtime and with test doubles that fail on demand.

use ort::session::{Session as OrtSession, SessionOutputs};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use smallvec::SmallVec;

use super::{InferError, Provider, ProviderError};
use shuffledet_core::NodePlacement;

/// Creates sessions of one model.
pub trait Backend: Send + Sync {
    /// Creates a session on `provider`, with all nodes or those that the provider supports.
    ///
    /// # Errors
    /// The provider cannot be used.
    fn build(&self, provider: Provider) -> Result<Box<dyn Runner>, ProviderError>;

    /// Returns how far the outputs of `provider` may differ from another's, relative to their root
    /// mean square.
    fn tolerance(&self, provider: Provider) -> f64;

    /// Confirms that the last session on `provider` passed its self-test.
    fn approve(&self, _provider: Provider) {}

    /// Removes what `provider` has cached. Returns whether there was anything, so that building
    /// again is worthwhile.
    fn discard(&self, _provider: Provider) -> bool {
        false
    }
}

/// A session on one provider.
pub trait Runner: Send {
    /// Returns the dimensions of each input and output: -1 for a dimension that is not fixed, none
    /// for a value that is not an f32 tensor.
    fn signature(&self) -> &Signature;

    /// Returns which providers run its nodes; empty if that was not measured.
    fn placement(&self) -> &[NodePlacement];

    /// Runs the model on a tensor of `shape`.
    fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Tensors<'_>, ProviderError>;
}

/// A model's inputs and outputs: their number and shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub inputs: Vec<Vec<i64>>,
    /// The inputs as text for error messages.
    pub described: String,
    pub outputs: Vec<Vec<i64>>,
}

/// The outputs of one run, in place.
pub enum Tensors<'a> {
    OnnxRuntime(SessionOutputs<'a>),
    Plain(&'a [Vec<f32>]),
}

/// The output tensors of one run.
pub struct Outputs<'a> {
    pub(super) tensors: Tensors<'a>,
    pub(super) lengths: &'a [usize],
}

impl Tensors<'_> {
    fn get(&self, index: usize) -> Result<&[f32], InferError> {
        match self {
            Tensors::OnnxRuntime(outputs) => Ok(outputs[index].try_extract_tensor::<f32>()?.1),
            Tensors::Plain(outputs) => Ok(&outputs[index]),
        }
    }
}

impl Outputs<'_> {
    /// Returns the values of each output, in the model's order.
    pub fn values(&self) -> Result<SmallVec<[&[f32]; 6]>, InferError> {
        let mut values = SmallVec::new();
        for (index, &expected) in self.lengths.iter().enumerate() {
            let data = self.tensors.get(index)?;
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

/// A session of ONNX Runtime.
pub(super) struct OrtRunner {
    session: OrtSession,
    provider: Provider,
    signature: Signature,
    pub(super) placement: Vec<NodePlacement>,
}

impl OrtRunner {
    pub(super) fn new(session: OrtSession, provider: Provider) -> Self {
        let described: Vec<_> = session
            .inputs()
            .iter()
            .map(|outlet| format!("{}: {}", outlet.name(), outlet.dtype()))
            .collect();
        let signature = Signature {
            inputs: session.inputs().iter().map(float_shape).collect(),
            described: described.join(", "),
            outputs: session.outputs().iter().map(float_shape).collect(),
        };
        Self {
            session,
            provider,
            signature,
            placement: Vec::new(),
        }
    }

    /// Ends the profile of the session and returns the path of its file.
    pub(super) fn end_profile(&mut self) -> ort::Result<String> {
        self.session.end_profiling()
    }
}

impl Runner for OrtRunner {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &[NodePlacement] {
        &self.placement
    }

    fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        let provider = self.provider;
        let failed = |error: ort::Error| ProviderError::from_message(provider, error.message());
        let input = TensorRef::from_array_view((shape, tensor)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(failed)?;
        Ok(Tensors::OnnxRuntime(outputs))
    }
}

/// Returns the dimensions of an f32 tensor, -1 if not fixed; empty for any other value.
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
