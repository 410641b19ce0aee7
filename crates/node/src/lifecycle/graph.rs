//! The states of a managed node and the transitions between them. Numbers and labels follow
//! `lifecycle_msgs/msg/State` and `Transition`; the labels of transitions follow rcl.

use std::fmt;

/// The state of a managed node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Nothing is loaded.
    Unconfigured = 1,
    /// The model is loaded and warmed up; no frames are processed.
    Inactive = 2,
    /// Frames are processed.
    Active = 3,
    /// Shut down; only the process remains.
    Finalized = 4,
    Configuring = 10,
    CleaningUp = 11,
    ShuttingDown = 12,
    Activating = 13,
    Deactivating = 14,
    ErrorProcessing = 15,
}

impl State {
    pub const ALL: [State; 10] = [
        State::Unconfigured,
        State::Inactive,
        State::Active,
        State::Finalized,
        State::Configuring,
        State::CleaningUp,
        State::ShuttingDown,
        State::Activating,
        State::Deactivating,
        State::ErrorProcessing,
    ];

    /// Returns its number in `lifecycle_msgs/msg/State`.
    pub fn id(self) -> u8 {
        self as u8
    }

    pub fn label(self) -> &'static str {
        match self {
            State::Unconfigured => "unconfigured",
            State::Inactive => "inactive",
            State::Active => "active",
            State::Finalized => "finalized",
            State::Configuring => "configuring",
            State::CleaningUp => "cleaningup",
            State::ShuttingDown => "shuttingdown",
            State::Activating => "activating",
            State::Deactivating => "deactivating",
            State::ErrorProcessing => "errorprocessing",
        }
    }

    /// Returns whether the node stays in this state until a change is requested. In the other
    /// states a change is running.
    pub fn is_primary(self) -> bool {
        matches!(
            self,
            State::Unconfigured | State::Inactive | State::Active | State::Finalized
        )
    }

    /// Returns the transitions from this state.
    pub fn transitions(self) -> impl Iterator<Item = &'static Transition> {
        TRANSITIONS.iter().filter(move |t| t.start == self)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A transition from one state to another.
#[derive(Debug, PartialEq, Eq)]
pub struct Transition {
    /// The number in `lifecycle_msgs/msg/Transition`.
    pub id: u8,
    /// Unique among the transitions from `start`.
    pub label: &'static str,
    pub start: State,
    pub goal: State,
}

impl Transition {
    /// Returns whether it can be requested. The others follow from the result of a callback.
    pub fn is_public(&self) -> bool {
        self.start.is_primary()
    }
}

/// Writes the transition as `configure (1)`.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.label, self.id)
    }
}

/// Every transition in rcl's order. As in rcl, `destroy` (8) is missing: it is the end of the
/// process.
pub static TRANSITIONS: [Transition; 25] = [
    transition(1, "configure", State::Unconfigured, State::Configuring),
    success(10, State::Configuring, State::Inactive),
    failure(11, State::Configuring, State::Unconfigured),
    error(12, State::Configuring, State::ErrorProcessing),
    transition(2, "cleanup", State::Inactive, State::CleaningUp),
    success(20, State::CleaningUp, State::Unconfigured),
    failure(21, State::CleaningUp, State::Inactive),
    error(22, State::CleaningUp, State::ErrorProcessing),
    transition(3, "activate", State::Inactive, State::Activating),
    success(30, State::Activating, State::Active),
    failure(31, State::Activating, State::Inactive),
    error(32, State::Activating, State::ErrorProcessing),
    transition(4, "deactivate", State::Active, State::Deactivating),
    success(40, State::Deactivating, State::Inactive),
    failure(41, State::Deactivating, State::Active),
    error(42, State::Deactivating, State::ErrorProcessing),
    transition(5, "shutdown", State::Unconfigured, State::ShuttingDown),
    transition(6, "shutdown", State::Inactive, State::ShuttingDown),
    transition(7, "shutdown", State::Active, State::ShuttingDown),
    success(50, State::ShuttingDown, State::Finalized),
    failure(51, State::ShuttingDown, State::Finalized),
    error(52, State::ShuttingDown, State::ErrorProcessing),
    success(60, State::ErrorProcessing, State::Unconfigured),
    failure(61, State::ErrorProcessing, State::Finalized),
    error(62, State::ErrorProcessing, State::Finalized),
];

const fn transition(id: u8, label: &'static str, start: State, goal: State) -> Transition {
    Transition {
        id,
        label,
        start,
        goal,
    }
}

/// The label of the transitions after a successful callback.
pub(super) const SUCCESS: &str = "transition_success";
pub(super) const FAILURE: &str = "transition_failure";
pub(super) const ERROR: &str = "transition_error";

const fn success(id: u8, start: State, goal: State) -> Transition {
    transition(id, SUCCESS, start, goal)
}

const fn failure(id: u8, start: State, goal: State) -> Transition {
    transition(id, FAILURE, start, goal)
}

const fn error(id: u8, start: State, goal: State) -> Transition {
    transition(id, ERROR, start, goal)
}
