//! From a source to the sinks: frames, their traces and their outcomes.

pub mod camera;
pub mod camera_info;
pub mod frame;
pub mod live;
pub mod mailbox;
pub mod multi_scale;
pub mod order;
pub mod progress;
mod ranging;
pub mod rate;
pub mod run;
mod run_times;
pub mod settings;
mod sight;
pub mod source;
pub mod stamps;
mod tracked_object;
mod tracking;
mod tracking_settings;
pub mod variants;
pub mod worker;

pub use camera::{Camera, ImageTopics, UnreadableTopic};
pub use camera_info::{CameraInfoFeed, CameraInfoFileError, CameraInfoOrigin};
pub use frame::{Annotated, Frame, Transport};
pub use live::{Crew, LiveProgress, run_live};
pub use multi_scale::MultiScaleWorker;
pub use progress::{Activity, Progress, StageTimes, Turn};
pub use run::{Pace, RunError, run};
pub use settings::{CameraMounting, CameraSettings, RuntimeSettings, SharedSettings, Viewers};
pub use sight::Sight;
pub use source::Source;
pub use tracked_object::TrackedObject;
pub use tracking::Tracking;
pub use tracking_settings::TrackingSettings;
pub use worker::{Annotate, FrameWorker, Worker};
