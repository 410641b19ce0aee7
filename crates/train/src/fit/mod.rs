//! The training: schedule, optimiser, average of the weights, evaluation, checkpoints.

pub mod average;
pub mod blend;
pub mod checkpoint;
pub mod classifier;
pub mod evaluate;
pub mod files;
pub mod optimiser;
pub mod plan;
pub mod product;
pub mod progress;
pub mod run;
pub mod settings;

pub use evaluate::{Evaluator, Measured};
pub use files::RunFiles;
pub use plan::Length;
pub use settings::Settings;
