//! Counters and histograms over frames, and the summary that is made of them.

pub mod allocations;
pub mod histogram;
pub mod rhythm;
pub mod summary;
pub mod tally;
pub mod timeline;
pub mod window;

pub use histogram::{Bin, StageHistograms, quantiles_of};
pub use rhythm::Rhythm;
pub use summary::{FailureNote, FrameCounts, ModelIdentity, ProviderFate, Quantiles, Summary};
pub use tally::Tally;
pub use timeline::{OutcomeKind, Spread, TimeBin, Timeline};
pub use window::{Arriving, Window, WindowView};
