//! Frames of a recording, or the pictures of a folder, for a labelling tool.

mod every_nth;
mod export;
mod frame_list;
mod frames;
pub mod hard;
mod picture_files;

pub use every_nth::EveryNth;
pub use export::{Exported, FrameExport, FrameExportError};
pub use frame_list::{FrameList, FrameListError, Listed};
pub use frames::LabelledFrames;
pub use picture_files::{PictureFiles, PictureFilesError, PictureNames};
