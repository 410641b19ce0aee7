//! The detector, from its description to its results: model families, pipeline, parameters, metrics
//! and sinks.
//!
//! Detects objects in an image:
//!
//! ```
//! # if std::env::var_os("SHUFFLEDET_MODEL_DIR").is_none() { return Ok(()) }
//! use shuffledet_detector::{LoadedModel, config::Config};
//! use shuffledet_image::BgrView;
//!
//! let loaded = LoadedModel::new(Config::load(None, Some("road"), &[])?)?;
//! let mut detector = loaded.detector()?;
//! let grey = BgrView::new(640, 480, 3 * 640, &[114; 3 * 640 * 480]).expect("the buffer has the size of the picture");
//! for found in detector.detect(&grey)? {
//!     println!("{} {:.2} {:?}", loaded.labels.name(found.class_id), found.score, found.bbox);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod classify;
pub mod detect;
pub mod model;
pub mod pipeline;

pub mod config;

mod backends;
pub mod input_problems;
mod live;
pub mod loaded;

pub mod metrics;
pub mod sink;

pub use loaded::{LoadError, LoadedModel};
