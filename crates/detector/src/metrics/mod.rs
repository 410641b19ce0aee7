//! Counters and histograms over frames, and the summary that is made of them.

pub mod allocations;
pub mod tally;
pub mod window;

pub use tally::Tally;
pub use window::{Window, WindowView};
