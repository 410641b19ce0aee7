//! From a source to the sinks: frames, their traces and their outcomes.

pub mod frame;
pub mod mailbox;
pub mod order;
pub mod rate;
pub mod run;
pub mod source;
pub mod stamps;
pub mod trace;
pub mod tuning;
pub mod worker;

pub use frame::{Annotated, DropReason, Failure, Frame, Outcome, Transport};
pub use run::{Pace, RunError, run};
pub use source::{Camera, Source};
pub use stamps::Oddity;
pub use trace::{Mark, Stage, Trace};
pub use tuning::{CameraTuning, Tuned, Tuning};
pub use worker::{Annotate, Worker};
