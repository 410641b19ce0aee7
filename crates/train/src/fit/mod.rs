//! The training: schedule, optimiser, average of the weights, checkpoints.

pub mod average;
mod batches;
pub mod blend;
pub mod checkpoint;
pub mod classifier;
pub mod optimiser;
pub mod plan;
pub mod progress;
pub mod run;
pub mod settings;

pub use plan::Length;
pub use settings::{ClassifierSettings, Settings};
