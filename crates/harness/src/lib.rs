//! The detector over a data set: an evaluation's records, a sweep's settings, and the pictures of a report.

pub mod pictures;
pub mod run;
pub mod sweep;
