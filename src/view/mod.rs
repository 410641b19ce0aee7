//! The page of a run: puts frames, warnings and parameters into the hub of `shuffledet_view`, for the
//! command line and for the node.

mod frames;
pub mod log;
mod parameters;
mod pictures;
mod scene;

pub use frames::ViewedFrames;
pub use parameters::parameter_views;
