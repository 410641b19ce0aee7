//! Reads the frames of a video file with OpenCV and its FFmpeg.
//!
//! OpenCV 4.6 turns frames in the wrong direction if the file has an orientation. Therefore its
//! rotation is switched off, and frames are turned here for the files whose orientation can be read
//! ([`container`]). Frames of other files stay as OpenCV returns them.

use std::io;
use std::path::{Path, PathBuf};

use opencv::core::{LogLevel, Mat, set_log_level};
use opencv::prelude::*;
use opencv::videoio::{
    CAP_FFMPEG, CAP_PROP_FPS, CAP_PROP_FRAME_COUNT, CAP_PROP_ORIENTATION_AUTO, CAP_PROP_POS_MSEC,
    VideoCapture, VideoCaptureAPIs, get_stream_backends,
};
use thiserror::Error;

use super::container::{self, Container};
use super::upright::Turn;
use super::{BgrView, FrameRate, Picture};

/// Why a video cannot be read.
#[derive(Debug, Error)]
pub enum VideoError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: OpenCV cannot decode it as a video; expected a video file or a folder of images", path.display())]
    NotAVideo { path: PathBuf },
    #[error("{}: this OpenCV is built without FFmpeg and cannot read videos; install libopencv-dev of the distribution, or \
        import a folder of images", path.display())]
    NoFfmpeg { path: PathBuf },
    #[error("{}: frame {index} is not 8-bit BGR", path.display())]
    Pixels { path: PathBuf, index: u64 },
    #[error("{}: OpenCV: {source}", path.display())]
    OpenCv {
        path: PathBuf,
        source: opencv::Error,
    },
}

/// A video that is read from its first frame on, turned upright if the file gives an orientation.
pub struct VideoFile {
    path: PathBuf,
    capture: VideoCapture,
    container: Container,
    turn: Option<Turn>,
    frame: Mat,
    upright: Mat,
    frames_read: u64,
    position_ms: Option<f64>,
}

/// A frame, and its position in the video by the file.
pub struct VideoFrame<'a> {
    pub picture: Picture<'a>,
    /// Milliseconds from an arbitrary origin, the same for all frames; `None` if there is no time.
    pub position_ms: Option<f64>,
}

impl VideoFile {
    /// Opens a local file. Refuses URLs and patterns, which OpenCV would accept as file names. Uses
    /// only OpenCV's FFmpeg backend, which follows no address within a local file. OpenCV would try
    /// its other backends if FFmpeg finds no video: GStreamer, which runs programs and writes a
    /// cache, and those that search for cameras.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let container = container::read(path).map_err(|source| VideoError::Io {
            path: path.to_owned(),
            source,
        })?;
        let backends = get_stream_backends().unwrap_or_default();
        if !backends
            .iter()
            .any(|backend| backend == VideoCaptureAPIs::CAP_FFMPEG)
        {
            let path = path.to_owned();
            return Err(VideoError::NoFfmpeg { path });
        }
        let capture = without_log(|| VideoCapture::from_file(path, CAP_FFMPEG));
        let mut capture = capture
            .ok()
            .filter(|capture| capture.is_opened().unwrap_or(false))
            .ok_or_else(|| VideoError::NotAVideo {
                path: path.to_owned(),
            })?;
        let turn = turn(&container, &mut capture, path);
        Ok(Self {
            path: path.to_owned(),
            capture,
            container,
            turn,
            frame: Mat::default(),
            upright: Mat::default(),
            frames_read: 0,
            position_ms: None,
        })
    }

    /// Returns the average rate in the file; `None` if it is missing or impossible.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_fps(self.capture.get(CAP_PROP_FPS).ok()?)
    }

    /// Returns the approximate number of frames: from the file's index, or OpenCV's estimate.
    pub fn expected_frames(&self) -> Option<u64> {
        let count = self.capture.get(CAP_PROP_FRAME_COUNT).ok()?;
        // an unknown count is zero or negative
        (count >= 1.0).then_some(count as u64)
    }

    /// Returns the times of the frames by the file's index, in nanoseconds from the first; empty
    /// without an index.
    pub fn times_ns(&self) -> &[u64] {
        &self.container.times_ns
    }

    /// Returns how many frames the file's index shows; `None` without an index.
    pub fn stated_frames(&self) -> Option<u64> {
        let stated = self
            .expected_frames()
            .filter(|_| self.container.has_index)?;
        let shown = self.times_ns().len() as u64;
        // an edit list may begin and end between frames
        Some(if (1..stated).contains(&shown) {
            shown.saturating_sub(2)
        } else {
            stated
        })
    }

    /// Returns the stated size of the file and its size on disk in bytes, if the latter is smaller.
    pub fn cut_short(&self) -> Option<(u64, u64)> {
        let there = std::fs::metadata(&self.path).ok()?.len();
        Some((self.container.stated_bytes?, there))
    }

    /// Returns the next frame; `None` at the end, and at damage in the file, which OpenCV does not
    /// distinguish.
    pub fn next_frame(&mut self) -> Result<Option<VideoFrame<'_>>, VideoError> {
        let read = self.read();
        let read = read.map_err(|source| VideoError::OpenCv {
            path: self.path.clone(),
            source,
        })?;
        if !read {
            return Ok(None);
        }
        let index = self.frames_read;
        self.frames_read += 1;
        let frame = match self.turn {
            Some(_) => &self.upright,
            None => &self.frame,
        };
        let pixels = BgrView::from_mat(frame).ok_or_else(|| VideoError::Pixels {
            path: self.path.clone(),
            index,
        })?;
        Ok(Some(VideoFrame {
            picture: Picture {
                path: &self.path,
                pixels,
                file: None,
            },
            position_ms: self.position_ms,
        }))
    }

    fn read(&mut self) -> opencv::Result<bool> {
        if !self.capture.read(&mut self.frame)? {
            return Ok(false);
        }
        self.position_ms = self.capture.get(CAP_PROP_POS_MSEC).ok();
        if let Some(turn) = self.turn {
            turn.apply(&self.frame, &mut self.upright)?;
        }
        Ok(true)
    }
}

/// Returns how to turn the frames of `capture`, and switches off OpenCV's own rotation.
fn turn(container: &Container, capture: &mut VideoCapture, path: &Path) -> Option<Turn> {
    let turn = Turn::from_matrix(container.matrix.as_ref()?).unwrap_or_else(|degrees| {
        let path = path.display();
        tracing::warn!(
            "{path}: its rotation of {degrees:.0} degrees is ignored; frames keep their stored orientation"
        );
        None
    });
    // a backend that refuses does not turn frames, unless it reports that it does
    let told = capture.set(CAP_PROP_ORIENTATION_AUTO, 0.0);
    let still_turns = capture.get(CAP_PROP_ORIENTATION_AUTO).unwrap_or_default() > 0.0;
    if !told.unwrap_or(false) && still_turns {
        return None;
    }
    turn
}

/// Runs `open` with OpenCV's log switched off: OpenCV logs each backend that fails, although one
/// that works is enough.
pub(super) fn without_log<T>(open: impl FnOnce() -> T) -> T {
    // a level that cannot be set only costs a few lines on standard error
    let level = set_log_level(LogLevel::LOG_LEVEL_SILENT);
    let opened = open();
    if let Ok(level) = level {
        let _ = set_log_level(level);
    }
    opened
}
