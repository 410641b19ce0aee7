//! What the node's model is loaded from, and from `configure` to `cleanup` the workers that run it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;

use super::shared::Shared;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::{Config, Threads};
use shuffledet_detector::model::ModelDescription;
use shuffledet_detector::pipeline::{Annotate, Crew, Worker};
use shuffledet_node::model_change::model_folder;

/// Which frames get an annotated picture.
pub const ANNOTATE: Annotate = Annotate::Watched { max_width: 1280 };

/// The models of a node. The lifecycle and a change of the model take turns: each locks the state.
pub struct Models {
    state: Mutex<ModelState>,
    /// The number of the latest model.
    latest: AtomicU64,
    /// Where files of models must lie that are named while the node runs.
    pub folder: PathBuf,
}

/// The current model.
pub struct ModelState {
    /// The parameters that the model was loaded with. Settings that can change at once are newer in
    /// [`Shared::tuning`].
    pub config: Config,
    /// The model description that the parameters fit.
    pub description: ModelDescription,
    /// The loaded model for the next `configure`, if there is one.
    pub loaded: Option<LoadedModel>,
    /// `None` while the node is unconfigured.
    pub crew: Option<Arc<Crew<Worker>>>,
    /// Counts the times that the node was configured or released.
    pub epoch: u64,
}

impl Models {
    /// Starts with `loaded` for the first `configure`.
    pub fn new(loaded: LoadedModel) -> Self {
        Self {
            folder: model_folder(&loaded.config),
            state: Mutex::new(ModelState {
                config: loaded.config.clone(),
                description: loaded.model.description.clone(),
                loaded: Some(loaded),
                crew: None,
                epoch: 0,
            }),
            latest: AtomicU64::new(0),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, ModelState> {
        // whoever panics in a change of the state leaves a node that can be configured again
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a number for another model.
    pub fn next_number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl ModelState {
    /// Returns the model for `configure`. Reads its file unless it has just been loaded. The file may
    /// have changed if the description is the same, because the parameters then still fit.
    ///
    /// # Errors
    /// The model cannot be loaded, or has another description.
    pub fn take_loaded(&mut self, shared: &Shared) -> anyhow::Result<LoadedModel> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        let mut loaded = LoadedModel::new(self.config.clone())?;
        ensure!(
            loaded.model.description == self.description,
            "{}: the model's description has changed; call ~/reload, and configure the node again",
            loaded.model.path.display()
        );
        loaded.provider_statuses = shared.model().provider_statuses;
        Ok(loaded.numbered(shared.tuning.get().model))
    }
}

/// Returns what makes further workers of a model.
pub fn maker(
    loaded: LoadedModel,
    threads: Threads,
    shared: &Shared,
) -> impl Fn() -> Result<Worker, String> + use<> {
    let tuning = Arc::clone(&shared.tuning);
    move || {
        let made = loaded.live_worker(threads, &tuning, ANNOTATE);
        made.map_err(|error| error.to_string())
    }
}
