//! The workers of a live node, and those of a model that takes over from another one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::FrameWorker;
use super::live::LiveProgress;
use super::mailbox::Mailboxes;

/// Makes a worker in place of another one; the error says why there is none.
pub type MakeWorker<W> = dyn Fn() -> Result<W, String> + Send + Sync;

/// The workers of a live node that do not work now, by model and place: all of them while no run
/// is under way; otherwise those of a model that takes over, and those of the model before, which
/// can return.
///
/// A thread of a run takes the worker of its place for the model of its next frame, and leaves the
/// one that it had.
pub struct Crew<W> {
    state: Mutex<State<W>>,
    progress: Arc<LiveProgress>,
}

struct State<W> {
    models: BTreeMap<u64, ModelCrew<W>>,
    /// Those of the run under way.
    mailboxes: Weak<Mailboxes>,
    /// The number of places.
    size: usize,
}

struct ModelCrew<W> {
    /// By place; `None` if it works, or was given up.
    workers: Vec<Option<W>>,
    make: Arc<MakeWorker<W>>,
}

impl<W: FrameWorker + 'static> Crew<W> {
    /// Creates the crew of `workers` of the model `model`, at most as many as `progress` has; the
    /// others are dropped.
    pub fn new(
        model: u64,
        mut workers: Vec<W>,
        make: Arc<MakeWorker<W>>,
        progress: Arc<LiveProgress>,
    ) -> Self {
        workers.truncate(progress.workers.len());
        let size = workers.len();
        let crew = Self {
            state: Mutex::new(State {
                models: BTreeMap::new(),
                mailboxes: Weak::new(),
                size,
            }),
            progress,
        };
        crew.add(model, workers, make);
        crew
    }

    /// Adds the workers of another model. They take over as soon as the settings are of that model.
    pub fn add(&self, model: u64, workers: Vec<W>, make: Arc<MakeWorker<W>>) {
        let mut workers: Vec<_> = workers.into_iter().map(Some).collect();
        let mut state = self.lock();
        workers.resize_with(state.size, || None);
        state.models.insert(model, ModelCrew { workers, make });
    }

    /// Wakes the threads of a run, so that they take the workers of the model of the settings.
    pub fn tell_model(&self) {
        let mailboxes = self.lock().mailboxes.upgrade();
        if let Some(mailboxes) = mailboxes {
            mailboxes.tell_model();
        }
    }

    /// Removes the workers of a model. One that still works is removed when its thread leaves it.
    pub fn remove(&self, model: u64) {
        let removed = self.lock().models.remove(&model);
        // sessions take some time, and threads of the run may need the lock meanwhile
        drop(removed);
    }

    /// Returns the number of places.
    pub(super) fn size(&self) -> usize {
        self.lock().size
    }

    pub(super) fn progress(&self) -> &Arc<LiveProgress> {
        &self.progress
    }

    /// Begins a run with these mailboxes.
    pub(super) fn begin(&self, mailboxes: &Arc<Mailboxes>) {
        self.lock().mailboxes = Arc::downgrade(mailboxes);
    }

    /// Returns the worker of `place` for `model`: the one that waits there, or else a new one.
    pub(super) fn worker(&self, model: u64, place: usize) -> Result<W, String> {
        let make = {
            let mut state = self.lock();
            let Some(crew) = state.models.get_mut(&model) else {
                return Err(format!("there are no workers of model {model}"));
            };
            if let Some(worker) = crew.workers.get_mut(place).and_then(Option::take) {
                return Ok(worker);
            }
            Arc::clone(&crew.make)
        };
        make()
    }

    /// Leaves the worker of `place` for `model`; it is dropped if the model was removed.
    pub(super) fn leave(&self, model: u64, place: usize, worker: W) {
        let mut unwanted = Some(worker);
        if let Some(crew) = self.lock().models.get_mut(&model)
            && let Some(left) = crew.workers.get_mut(place)
        {
            std::mem::swap(left, &mut unwanted);
        }
        // dropped here, without the lock
        drop(unwanted);
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // each change is one step
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Frame;
    use shuffledet_core::Outcome;

    struct Named(&'static str);

    impl FrameWorker for Named {
        fn process(&mut self, _: &mut Frame) -> Outcome {
            Outcome::Published
        }
    }

    fn crew() -> Crew<Named> {
        let progress = Arc::new(LiveProgress::new(2));
        let workers = vec![Named("a0"), Named("a1"), Named("too many")];
        Crew::new(0, workers, Arc::new(|| Ok(Named("made"))), progress)
    }

    #[test]
    fn a_place_has_a_worker_of_each_model_once() {
        let crew = crew();
        crew.add(
            1,
            vec![Named("b0"), Named("b1")],
            Arc::new(|| Err("no".into())),
        );
        let name = |model, place| crew.worker(model, place).map(|worker| worker.0);
        assert_eq!(
            (crew.size(), name(0, 1), name(1, 1)),
            (2, Ok("a1"), Ok("b1"))
        );
        assert_eq!((name(0, 1), name(1, 1)), (Ok("made"), Err("no".into())));
        crew.leave(0, 1, Named("back"));
        assert_eq!(name(0, 1), Ok("back"));
    }

    #[test]
    fn a_removed_model_has_no_workers_and_takes_none_back() {
        let crew = crew();
        crew.remove(0);
        crew.leave(0, 0, Named("late"));
        assert!(crew.worker(0, 0).is_err());
    }
}
