//! What viewers may do besides looking: to play a recording, and to change parameters.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shuffledet_core::ProviderStatus;

/// What a run is, as the page's head says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunFacts {
    /// The recording, or the node's name.
    pub title: String,
    pub model: String,
    /// The state of the node, or empty.
    pub state: String,
    pub providers: Vec<ProviderStatus>,
}

/// How a recording is being played.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlaybackState {
    pub paused: bool,
    /// A multiple of real time; `None`: as fast as frames are processed.
    pub speed: Option<f64>,
    /// Seconds since the start of the recording.
    pub position_s: f64,
    /// The length of the recording in seconds, if it is known.
    pub length_s: Option<f64>,
    /// Whether the last frame was read.
    pub at_end: bool,
    /// Why the run cannot pause, step or change its speed; `None`: it can.
    pub fixed: Option<String>,
    /// Why the run cannot seek; `None`: it can.
    pub no_seek: Option<String>,
    /// The number of marked frames; `None`: frames cannot be marked.
    pub marks: Option<usize>,
}

/// An order of a viewer about the playback.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum PlayCommand {
    Pause,
    Resume,
    /// Shows the next frame and pauses.
    Step,
    /// Goes to this many seconds after the start.
    Seek {
        to_s: f64,
    },
    /// `None`: as fast as frames are processed.
    Speed {
        times: Option<f64>,
    },
    /// Adds a frame to the list of marked frames.
    Mark {
        camera: usize,
        /// Seconds and nanoseconds of the image's stamp.
        stamp: [i64; 2],
    },
}

/// A parameter that may change while the run goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterView {
    pub name: String,
    pub kind: String,
    pub description: String,
    /// The valid values in words; empty if every value of the kind is valid.
    pub range: String,
    pub value: Value,
    /// `None`: it has no default.
    pub default: Option<Value>,
}

/// The part of the program that viewers may control. The server calls it from
/// threads of its own.
pub trait Control: Send + Sync {
    /// Returns what the run is. Called for every answer, so it takes no time.
    fn facts(&self) -> RunFacts;

    /// Returns how the recording is played; `None` for a live run. Called for every answer too.
    fn playback(&self) -> Option<PlaybackState> {
        None
    }

    /// Obeys an order, and returns what to tell the viewer.
    ///
    /// # Errors
    /// A text that says why not.
    fn play(&self, _command: &PlayCommand) -> Result<String, String> {
        Err("this run is live; there is nothing to pause or to seek".to_owned())
    }

    /// Returns the parameters that may change.
    fn parameters(&self) -> Vec<ParameterView> {
        Vec::new()
    }

    /// Returns all parameters as YAML.
    ///
    /// # Errors
    /// A text that says why they cannot be written.
    fn parameters_yaml(&self) -> Result<String, String>;

    /// Returns why parameters cannot be changed; `None`: they can.
    fn parameters_fixed(&self) -> Option<String>;

    /// Changes a parameter.
    ///
    /// # Errors
    /// A text that says why not. Nothing has changed then.
    fn set_parameter(&self, _name: &str, _value: &Value) -> Result<(), String> {
        Err("the parameters of this run cannot be changed".to_owned())
    }
}
