//! Opens networks of a model at any resolution, for all detectors of a run.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::network::Network;
use crate::model::{ModelDescription, OutputDecoder};
use shuffledet_core::Resolution;
use shuffledet_infer::{
    Backend, Backoff, InferError, Opening, ProviderStatuses, SessionOptions, WhileBuilding,
};

/// Makes the backends of one model: the graph for each resolution, from which sessions are created.
pub trait SizedBackends: Send + Sync {
    /// Returns the backend for `resolution`. Blocks while its graph is made; detectors that ask for
    /// the same resolution share it.
    ///
    /// # Errors
    /// The graph cannot be made for this resolution.
    fn backend(&self, resolution: Resolution) -> Result<Arc<dyn Backend>, InferError>;
}

/// Opens networks, and remembers which resolutions cannot be opened.
pub struct NetworkOpener {
    pub backends: Arc<dyn SizedBackends>,
    pub description: ModelDescription,
    /// The model's name in error messages.
    pub model: String,
    pub options: SessionOptions,
    /// Whether a detector waits for a network of another resolution, or uses its first one
    /// meanwhile.
    pub while_building: WhileBuilding,
    pub backoff: Backoff,
    pub provider_statuses: Arc<ProviderStatuses>,
    pub refused: Arc<RefusedResolutions>,
    /// Held while a session is created in the background: one at a time, so that frames keep most
    /// of the cores.
    pub background: Mutex<()>,
}

/// Why resolutions cannot be used, over all detectors of a run.
#[derive(Debug, Default)]
pub struct RefusedResolutions {
    reasons: Mutex<BTreeMap<Resolution, String>>,
}

impl RefusedResolutions {
    /// Returns each resolution that cannot be used, with the reason.
    pub fn texts(&self) -> Vec<String> {
        let reasons = self.lock();
        reasons
            .iter()
            .map(|(resolution, reason)| format!("{resolution}: {reason}"))
            .collect()
    }

    fn contain(&self, resolution: Resolution) -> bool {
        self.lock().contains_key(&resolution)
    }

    /// Notes and logs the reason, once for each resolution.
    fn add(&self, resolution: Resolution, reason: &str) {
        self.lock().entry(resolution).or_insert_with(|| {
            tracing::warn!("input size {resolution} cannot be used: {reason}");
            reason.to_owned()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Resolution, String>> {
        // each change is one step
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network that a thread is opening.
pub(super) struct PendingNetwork {
    pub resolution: Resolution,
    pub made: Receiver<Network>,
}

impl NetworkOpener {
    /// Opens a network at `resolution`, however long that takes.
    ///
    /// # Errors
    /// The graph cannot be made for this resolution, no provider can run it, or its inputs or
    /// outputs do not match the model's description.
    pub fn open(&self, resolution: Resolution) -> Result<Network, InferError> {
        let opening = Opening {
            backend: self.backends.backend(resolution)?,
            model: &self.model,
            input: &self.description.input.at(resolution),
            options: &self.options,
            while_building: self.while_building,
            backoff: self.backoff,
            provider_statuses: Arc::clone(&self.provider_statuses),
        };
        let description = &self.description;
        let opened = opening
            .open(|shapes| OutputDecoder::for_model(description, resolution.sides(), shapes))?;
        Ok(Network::new(opened, description, resolution))
    }

    /// Opens a network at `resolution` unless that has failed before. Notes the failure.
    pub(super) fn try_open(&self, resolution: Resolution) -> Option<Network> {
        if self.refused.contain(resolution) {
            return None;
        }
        self.open(resolution)
            .map_err(|error| self.refused.add(resolution, &error.to_string()))
            .ok()
    }

    /// Starts a thread that opens a network at `resolution` and warms it up. Returns `None` if that
    /// has failed before. The thread ends by itself: the creation of a session cannot be
    /// interrupted.
    pub(super) fn start(self: &Arc<Self>, resolution: Resolution) -> Option<PendingNetwork> {
        if self.refused.contain(resolution) {
            return None;
        }
        let (ready, made) = channel();
        let opener = Arc::clone(self);
        let work = move || {
            let turn = opener.background.lock();
            let _turn = turn.unwrap_or_else(PoisonError::into_inner);
            let Some(mut network) = opener.try_open(resolution) else {
                return;
            };
            match network.warm_up() {
                // the detector may be gone
                Ok(()) => drop(ready.send(network)),
                Err(error) => opener.refused.add(resolution, &error.to_string()),
            }
        };
        match thread::Builder::new().name("input-size".into()).spawn(work) {
            Ok(_detached) => Some(PendingNetwork { resolution, made }),
            Err(error) => {
                self.refused
                    .add(resolution, &format!("cannot start a thread: {error}"));
                None
            }
        }
    }
}
