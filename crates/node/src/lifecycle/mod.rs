//! The life of a managed node: the state machine of ROS 2 (design.ros2.org, "Managed nodes"), as rcl has it.
//!
//! A change is asked for in a state of rest, and runs a callback in a state of transition. The callback's success goes
//! on, its failure goes back, and its error goes through `errorprocessing` to unconfigured or, where the error could
//! not be dealt with, to finalized. There is one change at a time; the state can be asked for meanwhile.

mod graph;
#[cfg(test)]
mod tests;

pub use graph::{State, TRANSITIONS, Transition};

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use graph::{ERROR, FAILURE, SUCCESS};

/// What a callback came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transitioned {
    Success,
    /// It could not be done, for this reason, and things are as before.
    Failure(String),
    /// It broke, for this reason, and things are not as before.
    Error(String),
}

/// What a managed node does in its transitions. A panic counts as an [`Error`](Transitioned::Error).
pub trait Managed: Send {
    /// From unconfigured to inactive.
    fn configure(&mut self) -> Transitioned;
    /// From inactive to active.
    fn activate(&mut self) -> Transitioned;
    /// From active to inactive.
    fn deactivate(&mut self) -> Transitioned;
    /// From inactive to unconfigured.
    fn cleanup(&mut self) -> Transitioned;
    /// From any state of rest to finalized, which a failure does not stop.
    fn shutdown(&mut self) -> Transitioned;
    /// After an error in any of the others: to unconfigured. Whatever else than success: to finalized.
    fn on_error(&mut self) -> Transitioned;
}

/// A transition as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Its number in `lifecycle_msgs/msg/Transition`.
    Id(u8),
    /// As `configure`. `shutdown` is a label in every state of rest but the last, with a number in each.
    Label(&'a str),
}

impl Request<'_> {
    fn means(self, transition: &Transition) -> bool {
        match self {
            Request::Id(id) => transition.id == id,
            Request::Label(label) => transition.label == label,
        }
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Id(id) => write!(f, "{id}"),
            Request::Label(label) => write!(f, "{label:?}"),
        }
    }
}

/// Why the node is not where a change was to bring it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such way out of the state, and nothing changed.
    #[error("no transition {requested} from state {state}: expected {}", legal(*state))]
    Refused { requested: String, state: State },
    /// The callback of `transition` did not succeed, and the node came to rest in `state`.
    #[error("transition {transition} failed, and the state is now {state}: {reason}")]
    Failed {
        transition: &'static Transition,
        reason: String,
        state: State,
    },
}

/// What can be asked for in `state`, in words.
fn legal(state: State) -> String {
    if !state.is_primary() {
        return "that the change under way ends first".to_owned();
    }
    let transitions: Vec<String> = state.transitions().map(Transition::to_string).collect();
    if transitions.is_empty() {
        return "none, it is the last".to_owned();
    }
    transitions.join(" or ")
}

type Observer = Box<dyn Fn(&'static Transition) + Send>;

/// A managed node's state, and what its transitions do.
pub struct Lifecycle {
    state: Mutex<State>,
    /// In use while a change is under way, by it alone.
    callbacks: Mutex<Box<dyn Managed>>,
    observers: Mutex<Vec<Observer>>,
}

impl Lifecycle {
    /// Begins unconfigured.
    pub fn new(callbacks: impl Managed + 'static) -> Self {
        Self {
            state: Mutex::new(State::Unconfigured),
            callbacks: Mutex::new(Box::new(callbacks)),
            observers: Mutex::new(Vec::new()),
        }
    }

    /// Has `observer` told of each transition from now on, in their order, on the thread of the change: of a change
    /// that goes well there are two. It may ask for the state, and not observe in turn.
    pub fn observe(&self, observer: impl Fn(&'static Transition) + Send + 'static) {
        lock(&self.observers).push(Box::new(observer));
    }

    /// Where the node is now. Does not wait for a change under way.
    pub fn state(&self) -> State {
        *lock(&self.state)
    }

    /// Changes the state, and returns when the node is at rest again: as long as the callbacks take.
    pub fn change(&self, request: Request<'_>) -> Result<(), ChangeError> {
        let requested = self.begin(request)?;
        let mut callbacks = lock(&self.callbacks);
        let mut step = requested;
        let mut reasons = Vec::new();
        loop {
            self.tell(step);
            let Some(outcome) = run(callbacks.as_mut(), step.goal) else {
                break;
            };
            let label = match outcome {
                Transitioned::Success => SUCCESS,
                Transitioned::Failure(reason) => {
                    reasons.push(reason);
                    FAILURE
                }
                Transitioned::Error(reason) => {
                    reasons.push(reason);
                    ERROR
                }
            };
            let Some(next) = step.goal.transitions().find(|t| t.label == label) else {
                break; // never: a state with a callback has all three, as the tests prove
            };
            *lock(&self.state) = next.goal;
            step = next;
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(ChangeError::Failed {
            transition: requested,
            reason: reasons.join("; then, dealing with it: "),
            state: step.goal,
        })
    }

    /// Enters the transition asked for. The state of transition keeps others out.
    fn begin(&self, request: Request<'_>) -> Result<&'static Transition, ChangeError> {
        let mut state = lock(&self.state);
        let transition = state
            .transitions()
            .find(|t| t.is_public() && request.means(t))
            .ok_or_else(|| ChangeError::Refused {
                requested: request.to_string(),
                state: *state,
            })?;
        *state = transition.goal;
        Ok(transition)
    }

    fn tell(&self, transition: &'static Transition) {
        for observer in lock(&self.observers).iter() {
            observer(transition);
        }
    }
}

/// Runs the callback of a state of transition; a state of rest has none.
fn run(callbacks: &mut dyn Managed, state: State) -> Option<Transitioned> {
    let callback = match state {
        State::Configuring => Managed::configure,
        State::CleaningUp => Managed::cleanup,
        State::ShuttingDown => Managed::shutdown,
        State::Activating => Managed::activate,
        State::Deactivating => Managed::deactivate,
        State::ErrorProcessing => Managed::on_error,
        State::Unconfigured | State::Inactive | State::Active | State::Finalized => return None,
    };
    // whatever a panic left half done is for on_error to clear away, as with any other error
    let outcome = catch_unwind(AssertUnwindSafe(|| callback(callbacks)));
    Some(outcome.unwrap_or_else(|panic| Transitioned::Error(message(panic.as_ref()))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// Nothing is left half done under these locks, so that a panic under one spoils nothing.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
