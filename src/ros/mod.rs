//! The live node on ROS 2: the only place that names r2r.

pub mod arguments;
pub mod arrivals;
mod camera_info;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod executor;
pub mod exit;
pub mod graph;
pub mod health;
pub mod intake;
pub mod join;
pub mod lifecycle;
pub mod log;
mod memory;
pub mod model_change;
pub mod model_topics;
pub mod models;
pub mod node;
pub mod overrides;
pub mod page;
pub mod parameter_events;
pub mod parameter_messages;
pub mod parameters;
pub mod qos;
pub mod results;
pub mod shared;
pub mod shared_memory;
pub mod signals;
pub mod source;
pub mod subscriptions;
pub mod watchdog;

pub use executor::{Executor, ExecutorGone};
