//! The page that shows a run while it runs: pictures with boxes and tracks, counters, latencies, and
//! what viewers may change.
//!
//! A run puts what it has into a [`Hub`] and never waits for a viewer; [`Served`] answers browsers from
//! a thread of its own. The crate knows no images (it gets JPEG bytes), no models, no ROS and no files.

pub mod control;
pub mod hosts;
pub mod hub;
mod parts;
mod routes;
pub mod scene;
pub mod seconds;
pub mod server;
pub mod warnings;

pub use control::{Control, ParameterView, PlayCommand, PlaybackState, RunFacts};
pub use hub::Hub;
pub use scene::{Scene, SceneBox, SceneTrack, Shot};
pub use server::{Limits, Place, ServeError, Served};
