//! Tracks in the format of the MOT challenge.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::pipeline::Frame;
use shuffledet_core::whole_file::{beside, keep};
use shuffledet_track::TrackId;

/// One object in one frame. Displays as `frame,id,x,y,width,height,score,-1,-1,-1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotRow {
    /// From 1.
    pub frame: u64,
    pub id: TrackId,
    /// The left upper corner, width and height, in pixels.
    pub bbox: [f64; 4],
    pub score: f64,
}

impl fmt::Display for MotRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frame,
            id,
            bbox: [x, y, width, height],
            score,
        } = self;
        write!(
            f,
            "{frame},{id},{x:.2},{y:.2},{width:.2},{height:.2},{score:.4},-1,-1,-1"
        )
    }
}

/// A file of the detections that belong to tracks, which gets its name when it is complete.
pub struct MotFile {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
}

impl MotFile {
    /// Creates the folder if it does not exist. The file at `path` is only replaced by
    /// [`MotFile::finish`].
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(beside(path)?),
        })
    }

    /// Adds the detections of a frame that belong to tracks. The frame's number is its place in the
    /// order of reception.
    pub fn write(&mut self, frame: &Frame) -> io::Result<()> {
        for (index, detection) in frame.detections.iter().enumerate() {
            let mut tracks = frame.tracks.iter();
            let Some(track) = tracks.find(|track| track.detection == Some(index)) else {
                continue;
            };
            let bbox = detection.bbox;
            let row = MotRow {
                frame: frame.sequence + 1,
                id: track.id,
                bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(f64::from),
                score: f64::from(detection.score),
            };
            writeln!(self.out, "{row}")?;
        }
        Ok(())
    }

    /// Completes the file.
    pub fn finish(self) -> io::Result<()> {
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        keep(file, &self.path)
    }
}
