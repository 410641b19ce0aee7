//! Why tracks cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What is wrong with a file of tracks.
#[derive(Debug, Error)]
pub enum TrackError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {problem}; correct or remove the line", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        problem: String,
    },
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("{}: expected an array that `shuffledet track` wrote: {source}", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{}: no sequence; expected a file, NAME/gt/gt.txt, NAME.txt or label_02/NAME.txt{found}", path.display())]
    NoSequence { path: PathBuf, found: String },
    #[error("{}: no tracks of sequence {sequence}; expected {sequence}.txt or {sequence}.json", path.display())]
    NoTracks { path: PathBuf, sequence: String },
    #[error("{}: one file, but the truth has {sequences} sequences; expected a folder with a file for each", path.display())]
    OneFile { path: PathBuf, sequences: usize },
    #[error("{}: no line of the MOT format (frame,id,left,top,width,height,...) or of KITTI's (frame id type and 14 or 15 numbers), found {found:?}", path.display())]
    UnknownFormat { path: PathBuf, found: String },
}

impl TrackError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| TrackError::Io { path, source }
    }

    pub(super) fn file(path: &Path, problem: impl Into<String>) -> Self {
        TrackError::File {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}
