//! Evaluates tracks: HOTA, CLEAR MOT and IDF1, equal to TrackEval's figures.
//!
//! [`read`] gets sequences from files, [`Protocol`] says which boxes count, and [`TrackEvaluation`]
//! has the figures. [`compare_tracks`] decides whether two trackers differ by more than chance.
//!
//! ```
//! use shuffledet_eval::tracks::{
//!     ClassNames, Marks, Protocol, Sequence, SequencePair, TrackBox, TrackDataset, TrackEvaluation, TrackFigure,
//! };
//!
//! let mut names = ClassNames::default();
//! let car = |frame: usize, id: u64| TrackBox {
//!     frame,
//!     id,
//!     class: 0,
//!     corners: [100.0 + frame as f64, 100.0, 180.0, 140.0],
//!     marks: Marks::default(),
//! };
//! names.position("car");
//! let truth = Sequence { name: "street".into(), length: None, boxes: vec![car(0, 1), car(1, 1)] };
//! let tracks = Sequence { boxes: vec![car(0, 7), car(1, 8)], ..truth.clone() };
//! let dataset = TrackDataset {
//!     truth: "street.txt".into(),
//!     format: "mot".into(),
//!     sha256: String::new(),
//!     tracks: "tracks.txt".into(),
//!     protocol: Protocol::Plain,
//! };
//! let evaluation = TrackEvaluation::new(dataset, names, vec![SequencePair { truth, tracks }]).unwrap();
//! assert_eq!(evaluation.combined[TrackFigure::Switches], 1.0);
//! assert_eq!(evaluation.combined[TrackFigure::DetA], 1.0);
//! assert_eq!(evaluation.combined[TrackFigure::AssA], 0.5);
//! ```

pub mod read;

mod assignment;
mod clear;
mod compare;
mod counts;
mod evaluation;
mod figures;
mod hota;
mod identity;
mod matrix;
mod parts;
mod protocol;
mod sequence;
mod similarity;

pub use compare::{
    ClassComparison, FigureComparison, TrackCompareError, TrackCompareSettings, TrackComparison,
    TrackRule, TrackRun, Unit, compare_tracks,
};
pub use counts::{ALPHAS, Counts, HotaCounts, alpha};
pub use evaluation::{
    ClassTracks, SequencePair, SequenceTracks, TrackDataset, TrackEvaluation, TrackEvaluationError,
};
pub use figures::{Curves, TrackFigure, TrackFigures};
pub use parts::{PART_FRAMES, TooManyTracks};
pub use protocol::Protocol;
pub use read::TrackError;
pub use sequence::{ClassNames, Marks, Sequence, TrackBox};
