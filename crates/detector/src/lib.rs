//! A detector from its description to its results: model families, the pipeline, parameters, metrics and sinks.

pub mod detect;
pub mod model;
pub mod pipeline;

pub mod config;

mod live;
pub mod loaded;

pub mod metrics;
pub mod sink;

pub use loaded::{LoadError, Loaded};
