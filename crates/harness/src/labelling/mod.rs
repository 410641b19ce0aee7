//! Frames of a recording as files for a labelling tool.

mod every_nth;
mod export;
mod frames;

pub use every_nth::EveryNth;
pub use export::{Exported, FrameExport, FrameExportError};
pub use frames::LabelledFrames;
