//! Counters and histograms over frames, and the summary that is made of them.

pub mod summary;

pub use summary::{FailureNote, FrameCounts, ModelIdentity, ProviderFate, Quantiles, Summary};
