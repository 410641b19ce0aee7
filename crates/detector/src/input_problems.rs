//! Why a model does not run at the input sizes that the parameters ask for.

use std::sync::Arc;

use crate::detect::opener::RefusedResolutions;

/// The reasons known so far. Clones share those that detectors find while running.
#[derive(Debug, Clone)]
pub struct InputProblems {
    /// Why the model runs only at its own size.
    not_resized: Option<String>,
    pub(super) refused: Arc<RefusedResolutions>,
}

impl InputProblems {
    pub(super) fn new(not_resized: Option<String>) -> Self {
        Self {
            not_resized,
            refused: Arc::default(),
        }
    }

    /// Returns each reason; empty if the model runs at every size that was asked for.
    pub fn texts(&self) -> Vec<String> {
        let refused = self.refused.texts();
        self.not_resized.iter().cloned().chain(refused).collect()
    }
}
