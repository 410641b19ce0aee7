//! Every setting of a grid of parameters on the same images, and the best of them.
//!
//! An image is decoded once for all settings, and the model runs once for all that differ after it alone: in
//! thresholds, classes, suppression.

pub mod grid;
pub mod outcome;
pub mod run;

pub use grid::{Grid, GridError};
pub use outcome::{Objective, SettingOutcome, SweepOutcome};
