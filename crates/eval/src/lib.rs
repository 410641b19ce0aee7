//! How right the detections are: ground truth, matching, average precision, and what is made of them.
//!
//! Everything here is a pure function of [`ImageRecord`]s: an evaluation file holds them, a shard is some of them, and
//! comparing, merging and resuming need nothing else.

pub mod annotations;
pub mod budget;
pub mod class_map;
pub mod compare;
pub mod evaluation;
pub mod join;
pub mod journal;
pub mod problems;
pub mod record;
pub mod regions;
pub mod run;
pub mod shard;
pub mod subject;
pub mod sweep;
pub mod truth;

mod average_precision;
mod matching;
mod operating_point;
mod polygon;

pub mod accuracy;
pub mod confusion;
pub mod distance;

pub mod bootstrap;
pub mod rank_test;

pub use accuracy::{Accuracy, AccuracySettings, ClassAccuracy, Figures, accuracy};
pub use bootstrap::{
    BootstrapSettings, ClassDifference, Differences, FigureDifference, Interval, PairingError,
    paired_bootstrap,
};
pub use budget::Budget;
pub use class_map::ClassMap;
pub use compare::{CompareSettings, Comparison, compare};
pub use confusion::{
    Confusion, FalsePositive, FalsePositiveReason, Miss, MissReason, Mistakes, confusion, mistakes,
};
pub use distance::{DistanceBand, by_distance};
pub use evaluation::Evaluation;
pub use join::join;
pub use journal::{Journal, JournalError};
pub use problems::{Problem, Problems};
pub use rank_test::{RankTest, rank_test};
pub use record::{Category, Found, ImageRecord, ImageSource, Object, image_path};
pub use shard::Shard;
pub use subject::Subject;
pub use truth::{Truth, TruthImage};
