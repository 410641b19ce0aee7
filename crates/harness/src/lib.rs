//! Runs the detector over a data set: records of an evaluation, settings of a sweep, pictures for
//! reports, frames for labelling.
//!
//! What `eval` and `report` must not know is here: images, models and the pipeline.
//!
//! ```
//! use shuffledet_detector::detect::{DetectorSettings, settings::Thresholds};
//! use shuffledet_detector::model::Manifest;
//!
//! let manifest = Manifest::shipped()?;
//! let model = manifest.describe(manifest.model("nanodet_m_416")?)?;
//! let detector = DetectorSettings::new(&Thresholds::default(), &model)?;
//! assert_eq!(shuffledet_harness::run::settings(&detector).nms_iou_threshold, 0.6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod feed;

pub mod images;
pub mod labelling;
pub mod pictures;
pub mod run;
pub mod sweep;
