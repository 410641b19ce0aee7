//! Changes the model while the node runs: loads and tests another one beside it, lets it take over
//! between two frames, watches its first frames, and changes back if they fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::models::{ANNOTATE, ModelState, Models, maker};
use super::shared::Shared;
use shuffledet_core::ModelIdentity;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::Config;
use shuffledet_detector::pipeline::Worker;
use shuffledet_node::lifecycle::{Lifecycle, State};
use shuffledet_node::model_change::{ModelChangeNote, check_place};
use shuffledet_node::parameters::{Change, NamedValues, ParameterSet};

/// How long loading and testing may take. A session that is being made cannot be interrupted; later
/// its result is dropped.
const LONGEST_LOAD: Duration = Duration::from_secs(60);

/// Changes the model of a node, one change at a time.
pub struct ModelChanger {
    pub shared: Arc<Shared>,
    pub models: Arc<Models>,
    pub parameters: Arc<Mutex<ParameterSet>>,
    pub lifecycle: Arc<Lifecycle>,
    /// The change under way.
    underway: Mutex<Option<Arc<Attempt>>>,
    /// Whether the parameters may be changed back, and must not change otherwise.
    holds_parameters: AtomicBool,
}

/// One change of the model.
struct Attempt {
    title: String,
    changes: NamedValues,
    began: Instant,
    stage: AtomicU8,
}

const LOADING: u8 = 0;
/// The model takes over: the change can no longer be abandoned.
const TAKING_OVER: u8 = 1;
const ABANDONED: u8 = 2;

impl Attempt {
    /// Goes from loading to another stage. Returns false if it does not load any more.
    fn leave_loading(&self, stage: u8) -> bool {
        let order = Ordering::SeqCst;
        self.stage
            .compare_exchange(LOADING, stage, order, order)
            .is_ok()
    }
}

/// Why the model is the same as before.
enum Failed {
    Refused(String),
    RolledBack(String),
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Refused(reason)
    }
}

/// A change that took effect.
pub struct ModelChange {
    pub parameters: Change,
    pub model: ModelIdentity,
}

impl ModelChanger {
    pub fn new(
        shared: Arc<Shared>,
        models: Arc<Models>,
        parameters: Arc<Mutex<ParameterSet>>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            shared,
            models,
            parameters,
            lifecycle,
            underway: Mutex::default(),
            holds_parameters: AtomicBool::new(false),
        }
    }

    /// Returns why parameters that need no other sessions must not change now.
    pub fn refusal(&self) -> Option<String> {
        let holds = self.holds_parameters.load(Ordering::SeqCst);
        holds.then(|| {
            "the first frames of another model are watched, and the parameters may return with the \
             model; try again in a few seconds"
                .to_owned()
        })
    }

    /// Sets `changes`, which need other sessions; without any, reads the model's file again. Waits
    /// until the model has taken over and its first frames have succeeded.
    ///
    /// # Errors
    /// Returns why the model is the same as before.
    pub async fn change(self: &Arc<Self>, changes: NamedValues) -> Result<ModelChange, String> {
        let attempt = self.begin(changes)?;
        let (tell, mut told) = oneshot::channel();
        let (changer, tried) = (Arc::clone(self), Arc::clone(&attempt));
        let work = move || {
            // whoever asked may be gone
            let _ = tell.send(changer.attempt(&tried));
        };
        if let Err(error) = thread::Builder::new().name("model".into()).spawn(work) {
            *lock(&self.underway) = None;
            return Err(format!("cannot start a thread: {error}"));
        }
        let told = tokio::select! {
            told = &mut told => told,
            () = sleep(LONGEST_LOAD) => {
                if attempt.leave_loading(ABANDONED) {
                    let limit = LONGEST_LOAD.as_secs();
                    let reason = format!("loading and testing took more than {limit} s and was abandoned");
                    return Err(self.failed(&attempt, Failed::Refused(reason)));
                }
                told.await
            }
        };
        told.unwrap_or_else(|_| Err("the thread of the change ended unexpectedly".to_owned()))
    }

    /// Notes the change, unless another one is under way.
    fn begin(&self, changes: NamedValues) -> Result<Arc<Attempt>, String> {
        let parameters = lock(&self.parameters);
        let title = match &changes[..] {
            [] => format!("reload of {}", parameters.config().model),
            changes => {
                let change = |(name, value)| {
                    let value: &shuffledet_node::parameters::ParameterValue = value;
                    format!("{name} = {}", serde_json::Value::from(value))
                };
                let changes = changes.iter().map(|(name, value)| change((name, value)));
                changes.collect::<Vec<_>>().join(", ")
            }
        };
        drop(parameters);
        let mut underway = lock(&self.underway);
        if let Some(other) = &*underway {
            let seconds = other.began.elapsed().as_secs_f64();
            return Err(format!(
                "another change of the model is under way for {seconds:.1} s ({}); try again after it",
                other.title
            ));
        }
        let attempt = Arc::new(Attempt {
            title,
            changes,
            began: Instant::now(),
            stage: AtomicU8::new(LOADING),
        });
        *underway = Some(Arc::clone(&attempt));
        self.shared.note_model_change(ModelChangeNote::Loading {
            change: attempt.title.clone(),
            since: attempt.began,
        });
        Ok(attempt)
    }

    /// The whole change, on a thread of its own.
    fn attempt(&self, attempt: &Attempt) -> Result<ModelChange, String> {
        let tried = catch_unwind(AssertUnwindSafe(|| self.try_change(attempt)));
        self.holds_parameters.store(false, Ordering::SeqCst);
        *lock(&self.underway) = None;
        let panicked = "it panicked; this is an error in shuffledet, please report it";
        let tried = tried.unwrap_or_else(|_| Err(Failed::Refused(panicked.to_owned())));
        if attempt.stage.load(Ordering::SeqCst) == ABANDONED {
            return Err(String::new());
        }
        match tried {
            Ok(changed) => {
                let seconds = attempt.began.elapsed().as_secs_f64();
                tracing::info!(
                    "{}: {} runs, after {seconds:.1} s",
                    attempt.title,
                    changed.model
                );
                self.shared.note_model_change(ModelChangeNote::Done {
                    change: attempt.title.clone(),
                });
                Ok(changed)
            }
            Err(failed) => Err(self.failed(attempt, failed)),
        }
    }

    /// Logs and notes a failure. Returns the reason.
    fn failed(&self, attempt: &Attempt, failed: Failed) -> String {
        let change = attempt.title.clone();
        let runs = &self.shared.model().served.identity;
        let (note, reason) = match failed {
            Failed::Refused(reason) => {
                tracing::warn!("{change}: refused, {} stays: {reason}", runs.name);
                let note = ModelChangeNote::Refused {
                    change,
                    reason: reason.clone(),
                };
                (note, reason)
            }
            Failed::RolledBack(reason) => {
                tracing::error!("{change}: rolled back, {} runs again: {reason}", runs.name);
                let note = ModelChangeNote::RolledBack {
                    change,
                    reason: reason.clone(),
                };
                (note, format!("rolled back: {reason}"))
            }
        };
        self.shared.note_model_change(note);
        reason
    }

    fn try_change(&self, attempt: &Attempt) -> Result<ModelChange, Failed> {
        let config = {
            let parameters = lock(&self.parameters);
            let config = parameters.proposed(&attempt.changes)?;
            if config.model != parameters.config().model {
                check_place(&config.model, &self.models.folder)?;
            }
            config
        };
        let (epoch, is_configured) = {
            let state = self.models.lock();
            (state.epoch, state.crew.is_some())
        };
        tracing::info!("{}: loading", attempt.title);
        let (loaded, workers) = self
            .load(config, is_configured)
            .map_err(|error| format!("{error:#}"))?;
        let mut state = self.models.lock();
        if !attempt.leave_loading(TAKING_OVER) {
            return Err("abandoned".to_owned().into());
        }
        if state.epoch != epoch {
            let reason = "the node was configured or cleaned up meanwhile; try again";
            return Err(reason.to_owned().into());
        }
        self.take_over(attempt, &mut state, loaded, workers)
    }

    /// Loads and tests a model, and makes its workers if the node is configured.
    fn load(
        &self,
        config: Config,
        is_configured: bool,
    ) -> anyhow::Result<(LoadedModel, Vec<Worker>)> {
        let loaded = LoadedModel::new(config)?.numbered(self.models.next_number());
        let threads = self.shared.threads();
        let workers = if is_configured {
            loaded.successors(threads, &self.shared.tuning, ANNOTATE)?
        } else {
            loaded.test(threads)?;
            Vec::new()
        };
        Ok((loaded, workers))
    }

    /// Puts the loaded model into effect, and keeps it unless its first frames fail.
    fn take_over(
        &self,
        attempt: &Attempt,
        state: &mut ModelState,
        loaded: LoadedModel,
        workers: Vec<Worker>,
    ) -> Result<ModelChange, Failed> {
        let (shared, number) = (&self.shared, loaded.served.number);
        let model = loaded.model.identity();
        let description = loaded.model.description.clone();
        let is_active = || self.lifecycle.state() == State::Active;
        let (before, before_model) = (shared.tuning.get().model, shared.model());

        let mut parameters = lock(&self.parameters);
        let before_parameters = parameters.clone();
        let change = parameters.set_for_model(&attempt.changes, description.clone())?;
        self.holds_parameters.store(true, Ordering::SeqCst);
        shared.set_model(&loaded);
        let is_watched = state.crew.is_some() && is_active();
        match &state.crew {
            Some(crew) => {
                let make = maker(loaded, shared.threads(), shared);
                crew.add(number, workers, Arc::new(make));
            }
            None => state.loaded = Some(loaded),
        }
        if is_watched {
            shared.note_model_change(ModelChangeNote::FirstFrames {
                change: attempt.title.clone(),
            });
            shared.begin_trial(number);
        }
        shared.tune(number, parameters.config(), parameters.settings());
        let config = parameters.config().clone();
        drop(parameters);

        let tell = || state.crew.iter().for_each(|crew| crew.tell_model());
        let remove = |model| state.crew.iter().for_each(|crew| crew.remove(model));
        tell();
        let stays = if is_watched {
            shared.end_trial(is_active)
        } else {
            Ok(())
        };
        if let Err(reason) = stays {
            let mut parameters = lock(&self.parameters);
            *parameters = before_parameters;
            shared.restore_model(before_model);
            shared.tune(before, parameters.config(), parameters.settings());
            drop(parameters);
            tell();
            remove(number);
            shared.announce_model();
            return Err(Failed::RolledBack(reason));
        }
        remove(before);
        shared.announce_model();
        (state.config, state.description) = (config, description);
        Ok(ModelChange {
            parameters: change,
            model,
        })
    }
}

/// Locks a mutex, whose data is valid after each change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
