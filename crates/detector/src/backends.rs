//! The graphs of a model at the resolutions in use, each made once for all detectors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::detect::opener::SizedBackends;
use crate::model::Model;
use shuffledet_core::Resolution;
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::{Backend, InferError, OrtBackend, Runtime, SessionOptions};

/// Makes backends of a model in ONNX Runtime. A graph lives as long as a session of it.
pub(super) struct ModelBackends {
    runtime: Runtime,
    model: Arc<Model>,
    options: SessionOptions,
    made: Mutex<BTreeMap<Resolution, Weak<OrtBackend>>>,
}

impl ModelBackends {
    pub fn new(runtime: &Runtime, model: &Arc<Model>, options: &SessionOptions) -> Self {
        Self {
            runtime: runtime.clone(),
            model: Arc::clone(model),
            options: options.clone(),
            made: Mutex::default(),
        }
    }
}

impl SizedBackends for ModelBackends {
    fn backend(&self, resolution: Resolution) -> Result<Arc<dyn Backend>, InferError> {
        // held while a graph is made: others that need the same graph wait for it
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = made.get(&resolution).and_then(Weak::upgrade) {
            return Ok(backend);
        }
        let file = self.model.file_at(resolution);
        let backend = OrtBackend::new(&self.runtime, file, &self.options, Profiled::Accelerated)?;
        let backend = Arc::new(backend);
        made.retain(|_, backend| backend.strong_count() > 0);
        made.insert(resolution, Arc::downgrade(&backend));
        Ok(backend)
    }
}
