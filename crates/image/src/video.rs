//! Frames out of a video file, through OpenCV and its FFmpeg.

use std::io;
use std::path::{Path, PathBuf};

use opencv::core::{LogLevel, Mat, set_log_level};
use opencv::prelude::*;
use opencv::videoio::{
    CAP_FFMPEG, CAP_PROP_FPS, CAP_PROP_FRAME_COUNT, VideoCapture, VideoCaptureAPIs,
    get_stream_backends,
};
use thiserror::Error;

use super::{BgrView, FrameRate, Picture};

/// Why a video gives no frames.
#[derive(Debug, Error)]
pub enum VideoError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: OpenCV finds no video in it that it can decode; expected a video file or a folder of images", path.display())]
    NotAVideo { path: PathBuf },
    #[error("{}: this OpenCV is built without FFmpeg, which reads videos; install libopencv-dev of the distribution, or \
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
    frame: Mat,
    frames_read: u64,
}

impl VideoFile {
    /// Opens a local file. OpenCV would take a URL or a pattern for file names too; those are not files. Of OpenCV's
    /// backends FFmpeg alone is asked, which follows no address within a local file. The others would come next when it
    /// finds no video: GStreamer, which runs programs and writes a cache, and those that look for cameras.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        std::fs::File::open(path).map_err(|source| VideoError::Io {
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
        let capture = capture
            .ok()
            .filter(|capture| capture.is_opened().unwrap_or(false))
            .ok_or_else(|| VideoError::NotAVideo {
                path: path.to_owned(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            capture,
            frame: Mat::default(),
            frames_read: 0,
        })
    }

    /// The average rate that the file states; `None` where it states none, or one that cannot be.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_fps(self.capture.get(CAP_PROP_FPS).ok()?)
    }

    /// How many frames the file states; some kinds of file only let OpenCV estimate it.
    pub fn stated_frames(&self) -> Option<u64> {
        let count = self.capture.get(CAP_PROP_FRAME_COUNT).ok()?;
        // an unknown count comes as zero, or below
        (count >= 1.0).then_some(count as u64)
    }

    /// The next picture; `None` at the end, and where the file is damaged, which OpenCV does not tell apart.
    pub fn next_picture(&mut self) -> Result<Option<Picture<'_>>, VideoError> {
        let read = self.capture.read(&mut self.frame);
        let read = read.map_err(|source| VideoError::OpenCv {
            path: self.path.clone(),
            source,
        })?;
        if !read {
            return Ok(None);
        }
        let index = self.frames_read;
        self.frames_read += 1;
        let pixels = BgrView::from_mat(&self.frame).ok_or_else(|| VideoError::Pixels {
            path: self.path.clone(),
            index,
        })?;
        Ok(Some(Picture {
            path: &self.path,
            pixels,
            file: None,
        }))
    }
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
