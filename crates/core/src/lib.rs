//! Boxes, detections, labels, model inputs, and the traces, outcomes and figures of frames.
//!
//! All other crates build on this one. It opens no camera, recording or model.
//!
//! ```
//! use shuffledet_core::BBox;
//!
//! let car = BBox { x1: 0.0, y1: 0.0, x2: 40.0, y2: 20.0 };
//! let same = BBox { x1: 20.0, ..car };
//! assert_eq!(car.iou(&same), 0.5);
//! ```

pub mod bbox;
pub mod bounded_file;
pub mod count;
pub mod data_path;
pub mod detection;
pub mod histogram;
pub mod input;
pub mod input_size;
pub mod labels;
pub mod locations;
pub mod outcome;
pub mod preview;
pub mod printable;
pub mod process_limits;
pub mod provider;
pub mod region;
pub mod resolution;
pub mod sha256;
pub mod summary;
pub mod test_card;
pub mod text;
pub mod timeline;
pub mod trace;
pub mod whole_file;
pub mod yaml;

pub use bbox::BBox;
pub use detection::{Detection, Hypothesis};
pub use histogram::{Bin, StageHistograms, quantiles_of};
pub use input::{ColourOrder, InputSpec, ResizeMode};
pub use input_size::{InputSize, largest_view};
pub use labels::Labels;
pub use outcome::{DropReason, Failure, Outcome, StampAnomaly};
pub use preview::{Preview, StripPicture, TrackStrip};
pub use provider::{Cause, NodePlacement, ProviderStatus};
pub use region::{PixelRect, Region, Regions};
pub use resolution::Resolution;
pub use sha256::{file_sha256, sha256};
pub use summary::{
    FailureNote, FrameCounts, ModelIdentity, Quantiles, Summary, TrackFigures, by_count,
};
pub use timeline::{OutcomeKind, Spread, TimeBin, Timeline};
pub use trace::{Mark, Stage, Trace};
