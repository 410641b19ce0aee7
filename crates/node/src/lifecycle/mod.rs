//! The lifecycle of a managed node: the state machine of ROS 2 (design.ros2.org, "Managed nodes")
//! as in rcl.
//!
//! A change starts in a primary state and runs a callback in a transition state. Success leads to
//! the next state, failure leads back, and an error leads through `errorprocessing` to
//! unconfigured, or to finalized if the error handling fails. Only one change runs at a time; the
//! state can be read meanwhile.

mod graph;
#[cfg(test)]
mod tests;

pub use graph::{State, TRANSITIONS, Transition};

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use graph::{ERROR, FAILURE, SUCCESS};

/// The result of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackResult {
    Success,
    /// The transition failed for this reason; the previous state is intact.
    Failure(String),
    /// An error occurred for this reason; the previous state is lost.
    Error(String),
}

/// The callbacks of a managed node. A panic counts as an [`Error`](CallbackResult::Error).
pub trait Managed: Send {
    /// From unconfigured to inactive.
    fn configure(&mut self) -> CallbackResult;
    /// From inactive to active.
    fn activate(&mut self) -> CallbackResult;
    /// From active to inactive.
    fn deactivate(&mut self) -> CallbackResult;
    /// From inactive to unconfigured.
    fn cleanup(&mut self) -> CallbackResult;
    /// From any primary state to finalized, even if it fails.
    fn shutdown(&mut self) -> CallbackResult;
    /// After an error in another callback: to unconfigured on success, else to finalized.
    fn on_error(&mut self) -> CallbackResult;
}

/// A requested transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// The number in `lifecycle_msgs/msg/Transition`.
    Id(u8),
    /// The label, such as `configure`. `shutdown` is valid in every primary state except finalized;
    /// its number differs by state.
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

/// Why a change did not reach its goal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The state has no such transition; nothing changed.
    #[error("transition {requested} is not possible in state {state}; expected {}", legal(*state))]
    Refused { requested: String, state: State },
    /// The callback of `transition` did not succeed, and the node is now in `state`.
    #[error("transition {transition} failed: {reason}; the state is now {state}")]
    Failed {
        transition: &'static Transition,
        reason: String,
        state: State,
    },
}

/// Returns the possible transitions of `state` in words.
fn legal(state: State) -> String {
    if !state.is_primary() {
        return "no request until the current change ends".to_owned();
    }
    let transitions: Vec<String> = state.transitions().map(Transition::to_string).collect();
    if transitions.is_empty() {
        return "no transition, because this state is final".to_owned();
    }
    transitions.join(" or ")
}

type Observer = Box<dyn Fn(&'static Transition) + Send>;

/// The state of a managed node and its callbacks.
pub struct Lifecycle {
    state: Mutex<State>,
    /// Locked during a change.
    callbacks: Mutex<Box<dyn Managed>>,
    observers: Mutex<Vec<Observer>>,
}

impl Lifecycle {
    /// Creates a lifecycle in the unconfigured state.
    pub fn new(callbacks: impl Managed + 'static) -> Self {
        Self {
            state: Mutex::new(State::Unconfigured),
            callbacks: Mutex::new(Box::new(callbacks)),
            observers: Mutex::new(Vec::new()),
        }
    }

    /// Calls `observer` for each later transition, in order, on the thread of the change. A
    /// successful change has two transitions. The observer may read the state but must not add
    /// observers.
    pub fn observe(&self, observer: impl Fn(&'static Transition) + Send + 'static) {
        lock(&self.observers).push(Box::new(observer));
    }

    /// Returns the current state. Does not wait for a running change.
    pub fn state(&self) -> State {
        *lock(&self.state)
    }

    /// Changes the state and returns when the callbacks are done.
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
                CallbackResult::Success => SUCCESS,
                CallbackResult::Failure(reason) => {
                    reasons.push(reason);
                    FAILURE
                }
                CallbackResult::Error(reason) => {
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
            reason: reasons.join("; then the error handling failed: "),
            state: step.goal,
        })
    }

    /// Starts the requested transition. The transition state blocks other changes.
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

/// Runs the callback of a transition state; a primary state has none.
fn run(callbacks: &mut dyn Managed, state: State) -> Option<CallbackResult> {
    let callback = match state {
        State::Configuring => Managed::configure,
        State::CleaningUp => Managed::cleanup,
        State::ShuttingDown => Managed::shutdown,
        State::Activating => Managed::activate,
        State::Deactivating => Managed::deactivate,
        State::ErrorProcessing => Managed::on_error,
        State::Unconfigured | State::Inactive | State::Active | State::Finalized => return None,
    };
    // on_error cleans up after a panic as after any other error
    let outcome = catch_unwind(AssertUnwindSafe(|| callback(callbacks)));
    Some(outcome.unwrap_or_else(|panic| CallbackResult::Error(message(panic.as_ref()))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

/// Locks a mutex and ignores poisoning: the data is complete after each change.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
