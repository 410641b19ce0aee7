//! Frames out of a video file, through OpenCV and its FFmpeg.
//!
//! OpenCV 4.6 turns frames the wrong way round where the file says that they are to be turned. So it is told to leave
//! them, and they are turned here, for the files in which that can be found ([`container`]). Others are as OpenCV gives
//! them.

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

/// Why a video gives no frames.
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

/// A video that is read from its first frame on, turned upright where the file says how.
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

/// A frame, and where in the video the file has it.
pub struct VideoFrame<'a> {
    pub picture: Picture<'a>,
    /// Milliseconds from any beginning, the same for all frames; `None` where there is no such time.
    pub position_ms: Option<f64>,
}

impl VideoFile {
    /// Opens a local file. OpenCV would take a URL or a pattern for file names too; those are not files. Of OpenCV's
    /// backends FFmpeg alone is asked, which follows no address within a local file. The others would come next when it
    /// finds no video: GStreamer, which runs programs and writes a cache, and those that look for cameras.
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

    /// The average rate that the file states; `None` where it states none, or one that cannot be.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_fps(self.capture.get(CAP_PROP_FPS).ok()?)
    }

    /// About how many frames there are: what the file's index states, or OpenCV's estimate.
    pub fn expected_frames(&self) -> Option<u64> {
        let count = self.capture.get(CAP_PROP_FRAME_COUNT).ok()?;
        // an unknown count comes as zero, or below
        (count >= 1.0).then_some(count as u64)
    }

    /// The times of the frames by the file's own index, in nanoseconds from the first; empty where it has none.
    pub fn times_ns(&self) -> &[u64] {
        &self.container.times_ns
    }

    /// How many frames the file's index states that are to be shown; `None` where it has none.
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

    /// What the file itself is by its own account, and what is on the disk, where that is less: bytes.
    pub fn cut_short(&self) -> Option<(u64, u64)> {
        let there = std::fs::metadata(&self.path).ok()?.len();
        Some((self.container.stated_bytes?, there))
    }

    /// The next frame; `None` at the end, and where the file is damaged, which OpenCV does not tell apart.
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

/// How to turn the frames of `capture`, which from now on are as they are stored.
fn turn(container: &Container, capture: &mut VideoCapture, path: &Path) -> Option<Turn> {
    let turn = Turn::of(container.matrix.as_ref()?).unwrap_or_else(|degrees| {
        let path = path.display();
        tracing::warn!(
            "{path}: its rotation of {degrees:.0} degrees is ignored; frames keep their stored orientation"
        );
        None
    });
    // a backend that refuses leaves them as they are anyway, unless it says that it does not
    let told = capture.set(CAP_PROP_ORIENTATION_AUTO, 0.0);
    let still_turns = capture.get(CAP_PROP_ORIENTATION_AUTO).unwrap_or_default() > 0.0;
    if !told.unwrap_or(false) && still_turns {
        return None;
    }
    turn
}

/// Runs `open` while OpenCV logs nothing: it logs each of its backends that cannot, and one that can is enough.
fn without_log<T>(open: impl FnOnce() -> T) -> T {
    // a level that cannot be set costs nothing but a few lines on standard error
    let level = set_log_level(LogLevel::LOG_LEVEL_SILENT);
    let opened = open();
    if let Ok(level) = level {
        let _ = set_log_level(level);
    }
    opened
}
