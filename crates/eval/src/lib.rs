//! Evaluates detections: ground truth, matching, average precision, comparison, budgets.
//!
//! The figures are pure functions of [`ImageRecord`]s: comparing, merging and resuming need only
//! the evaluation files. This crate reads annotations and evaluation files, and runs no model.
//!
//! Computes the average precision of detections against annotated objects:
//!
//! ```
//! use shuffledet_eval::{
//!     AccuracySettings, Category, Figure, DetectionResult, ImageSource, Object, TruthImage, accuracy,
//! };
//!
//! let car = Category { id: 3, name: "car".to_owned() };
//! let image = TruthImage {
//!     id: 1,
//!     source: ImageSource::File { file_name: "street.jpg".to_owned() },
//!     width: 640,
//!     height: 480,
//!     objects: vec![Object::in_box(1, 3, [100.0, 100.0, 80.0, 40.0])],
//! };
//! let mut record = image.record(0);
//! record.detections.push(DetectionResult { category_id: 3, bbox: [101.0, 100.0, 80.0, 40.0], score: 0.9 });
//! let accuracy = accuracy(&[car], &[&record], &AccuracySettings::default());
//! assert!((accuracy.figures[Figure::Ap50].unwrap() - 1.0).abs() < 1e-9);
//! ```

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;

pub mod annotations;
pub mod budget;
pub mod class_map;
pub mod compare;
pub mod corrected;
pub mod evaluation;
pub mod figures;
pub mod ground_truth;
pub mod join;
pub mod journal;
pub mod pre_annotations;
pub mod problems;
pub mod record;
pub mod regions;
pub mod settings;
pub mod shard;
pub mod subject;
pub mod sweep;
pub mod tracks;
pub mod truth;

mod average_precision;
mod matching;
mod operating_point;
mod parallel;
mod polygon;

pub mod accuracy;
pub mod confusion;
pub mod distance;

pub mod bootstrap;
pub mod rank_test;

#[cfg(test)]
mod oracle;

pub use accuracy::{Accuracy, ClassAccuracy, accuracy};
pub use bootstrap::{
    BootstrapSettings, ClassDifference, DifferenceInterval, Differences, FigureDifference,
    Interval, PairingError, paired_bootstrap,
};
pub use budget::Budget;
pub use class_map::ClassMap;
pub use compare::{CompareSettings, Comparison, compare};
pub use confusion::{
    Confusion, FalsePositive, FalsePositiveReason, Miss, MissReason, Mistakes, confusion, mistakes,
};
pub use distance::{DistanceBand, by_distance};
pub use evaluation::Evaluation;
pub use figures::{Figure, Figures};
pub use join::join;
pub use journal::{Journal, JournalError};
pub use problems::{Problem, Problems};
pub use rank_test::{RankTest, rank_test};
pub use record::{
    Category, DetectionResult, Failure, ImageRecord, ImageSource, Object, image_path,
};
pub use settings::AccuracySettings;
pub use shard::Shard;
pub use shuffledet_track::camera;
pub use subject::Subject;
pub use truth::{Truth, TruthImage};
