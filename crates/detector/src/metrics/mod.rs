//! Counters and histograms over frames, and the summary that is made of them.

pub mod allocations;
pub mod rhythm;
pub mod tally;
pub mod window;

pub use rhythm::Rhythm;
pub use tally::Tally;
pub use window::{Arriving, Window, WindowView};
