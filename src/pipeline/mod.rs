//! From a source to the sinks: frames, their traces and their outcomes.

pub mod trace;

pub use trace::{Mark, Stage, Trace};
