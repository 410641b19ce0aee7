//! Counters and histograms of frames, and their summary.

pub mod allocations;
pub mod rhythm;
pub mod tally;
pub mod track_tally;
pub mod window;

pub use rhythm::Rhythm;
pub use tally::Tally;
pub use track_tally::TrackTally;
pub use window::{Arriving, Nearest, NearestRange, Window, WindowView};
