//! Sessions whose outputs a function computes, in place of a model.

use std::sync::Arc;

use shuffledet_core::NodePlacement;
use shuffledet_infer::runner::{Signature, Tensors};
use shuffledet_infer::{Backend, Provider, ProviderError, Runner};

/// Computes the outputs, in place, from the tensor that a session runs on.
pub type Compute = Arc<dyn Fn(Provider, &[f32], &mut [Vec<f32>]) + Send + Sync>;

/// Creates sessions of one signature.
#[derive(Clone)]
pub struct ComputedBackend {
    pub signature: Signature,
    /// The outputs before the first run.
    pub outputs: Vec<Vec<f32>>,
    pub compute: Compute,
    /// See [`Backend::tolerance`].
    pub tolerance: f64,
}

struct ComputedRunner {
    provider: Provider,
    model: ComputedBackend,
}

impl Backend for ComputedBackend {
    fn build(&self, provider: Provider) -> Result<Box<dyn Runner>, ProviderError> {
        let model = self.clone();
        Ok(Box::new(ComputedRunner { provider, model }))
    }

    fn tolerance(&self, _: Provider) -> f64 {
        self.tolerance
    }
}

impl Runner for ComputedRunner {
    fn signature(&self) -> &Signature {
        &self.model.signature
    }

    fn placement(&self) -> &[NodePlacement] {
        &[]
    }

    fn run(&mut self, _: [usize; 4], tensor: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        let ComputedBackend {
            outputs, compute, ..
        } = &mut self.model;
        compute(self.provider, tensor, outputs);
        Ok(Tensors::Plain(outputs))
    }
}
