//! Pictures that come without end: a camera of this machine, or video from an RTSP address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use opencv::core::{Mat, Vector};
use opencv::prelude::*;
use opencv::videoio::{
    CAP_FFMPEG, CAP_PROP_FPS, CAP_PROP_OPEN_TIMEOUT_MSEC, CAP_PROP_POS_MSEC,
    CAP_PROP_READ_TIMEOUT_MSEC, CAP_V4L2, VideoCapture,
};
use thiserror::Error;

use super::video::without_log;
use super::{BgrView, FrameRate};

/// How long to wait for an address to answer, and for each picture. A text of [`StreamError`] states it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a stream comes from. It is shown without user, password and query.
#[derive(Clone, PartialEq, Eq)]
pub enum StreamAddress {
    /// A device of Video4Linux, such as `/dev/video0`.
    Device(PathBuf),
    /// Begins with `rtsp://` or `rtsps://`.
    Rtsp(String),
}

/// Why there are no pictures from a stream.
#[derive(Debug, Error)]
pub enum StreamError {
    #[error(
        "{0}: OpenCV cannot open this camera; check that it exists, that no other program uses it, and that you may read \
        it (group `video`)"
    )]
    Camera(StreamAddress),
    #[error(
        "{0}: no video from this address within 10 s; check host, path, user and password, and that this OpenCV has FFmpeg"
    )]
    Rtsp(StreamAddress),
    #[error("{address}: picture {index} is not 8-bit BGR")]
    Pixels { address: StreamAddress, index: u64 },
    #[error("{address}: OpenCV: {source}")]
    OpenCv {
        address: StreamAddress,
        source: opencv::Error,
    },
}

impl StreamAddress {
    /// Returns the address if `path` names a stream, not a file.
    pub fn recognise(path: &Path) -> Option<Self> {
        let is_device = |path: &Path| {
            path.as_os_str()
                .as_encoded_bytes()
                .starts_with(b"/dev/video")
        };
        if let Some(text) = path.to_str() {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            if scheme.is_some_and(|s| ["rtsp", "rtsps"].iter().any(|r| s.eq_ignore_ascii_case(r))) {
                return Some(Self::Rtsp(text.to_owned()));
            }
        }
        if is_device(path) {
            return Some(Self::Device(path.to_owned()));
        }
        // links such as those in /dev/v4l/by-id
        let real = path.canonicalize().ok().filter(|real| is_device(real))?;
        Some(Self::Device(real))
    }
}

impl fmt::Display for StreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => path.display().fmt(f),
            Self::Rtsp(address) => {
                let (scheme, rest) = address.split_once("://").unwrap_or(("rtsp", address));
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                // a password may contain any character, also `/` and `@`
                let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(f, "{scheme}://{rest}")
            }
        }
    }
}

/// Without user and password, too.
impl fmt::Debug for StreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamAddress({self})")
    }
}

/// Returns `path` as messages may show it: an address without user, password and query.
pub fn shown(path: &Path) -> PathBuf {
    match StreamAddress::recognise(path) {
        Some(StreamAddress::Rtsp(text)) => StreamAddress::Rtsp(text).to_string().into(),
        _ => path.to_owned(),
    }
}

/// An open stream.
pub struct VideoStream {
    address: StreamAddress,
    capture: VideoCapture,
    frame: Mat,
    frames_read: u64,
    /// When the first picture came, and its time in the stream in milliseconds.
    first: Option<(Instant, Option<f64>)>,
}

/// A picture with its time.
pub struct StreamFrame<'a> {
    pub pixels: BgrView<'a>,
    /// Time since the first picture. FFmpeg collects pictures while it opens an address, so those of an
    /// address have the stream's own times, and those of a device the times of their arrival.
    pub since_first: Duration,
}

impl VideoStream {
    /// Opens the stream, a device with OpenCV's V4L2 and an address with its FFmpeg.
    pub fn open(address: StreamAddress) -> Result<Self, StreamError> {
        let opened = match &address {
            StreamAddress::Device(path) => without_log(|| VideoCapture::from_file(path, CAP_V4L2)),
            StreamAddress::Rtsp(text) => {
                let patience = PATIENCE.as_millis() as i32;
                let limits = Vector::from_slice(&[
                    CAP_PROP_OPEN_TIMEOUT_MSEC,
                    patience,
                    CAP_PROP_READ_TIMEOUT_MSEC,
                    patience,
                ]);
                without_log(|| VideoCapture::from_file_with_params(text, CAP_FFMPEG, &limits))
            }
        };
        let capture = opened
            .ok()
            .filter(|capture| capture.is_opened().unwrap_or(false));
        let Some(capture) = capture else {
            return Err(match address {
                StreamAddress::Device(_) => StreamError::Camera(address),
                StreamAddress::Rtsp(_) => StreamError::Rtsp(address),
            });
        };
        Ok(Self {
            address,
            capture,
            frame: Mat::default(),
            frames_read: 0,
            first: None,
        })
    }

    /// Returns the rate that the camera states; `None` if it states none.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_fps(self.capture.get(CAP_PROP_FPS).ok()?)
    }

    /// Waits for the next picture. `None` if the stream has ended, or no picture came in time, which
    /// OpenCV does not distinguish.
    pub fn next_frame(&mut self) -> Result<Option<StreamFrame<'_>>, StreamError> {
        let read = self.capture.read(&mut self.frame);
        let now = Instant::now();
        let read = read.map_err(|source| StreamError::OpenCv {
            address: self.address.clone(),
            source,
        })?;
        if !read {
            return Ok(None);
        }
        let position_ms = match self.address {
            StreamAddress::Device(_) => None,
            StreamAddress::Rtsp(_) => self.capture.get(CAP_PROP_POS_MSEC).ok(),
        };
        let (first, first_ms) = *self.first.get_or_insert((now, position_ms));
        let in_stream = first_ms.zip(position_ms);
        let in_stream = in_stream.and_then(|(first_ms, position_ms)| {
            Duration::try_from_secs_f64((position_ms - first_ms) / 1000.0).ok()
        });
        let index = self.frames_read;
        self.frames_read += 1;
        let pixels = BgrView::from_mat(&self.frame).ok_or_else(|| StreamError::Pixels {
            address: self.address.clone(),
            index,
        })?;
        Ok(Some(StreamFrame {
            pixels,
            since_first: in_stream.unwrap_or(now - first),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_addresses_are_told_from_files() {
        let recognise = |path: &str| StreamAddress::recognise(Path::new(path));
        assert_eq!(
            recognise("/dev/video0"),
            Some(StreamAddress::Device("/dev/video0".into()))
        );
        assert!(matches!(
            recognise("RTSP://host/a"),
            Some(StreamAddress::Rtsp(_))
        ));
        for file in ["drive.mp4", "rtsp", "http://host/a.mp4", "/dev/null", "-"] {
            assert_eq!(recognise(file), None, "{file}");
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("usb-camera-index0");
        std::os::unix::fs::symlink("/dev/video77", &link).unwrap();
        // a link to a camera that is not there is no camera
        assert_eq!(StreamAddress::recognise(&link), None);
    }

    #[test]
    fn no_message_shows_user_password_or_query() {
        for (address, expected) in [
            ("rtsp://cam.local:8554/a", "rtsp://cam.local:8554/a"),
            ("rtsp://ann:pa55@cam/a", "rtsp://cam/a"),
            ("rtsps://ann:p@ss/w@cam/a?x=1", "rtsps://cam/a"),
            ("rtsp://cam/a?user=ann&password=pa55", "rtsp://cam/a"),
            ("rtsp://ann:pa55@cam/a#pa55", "rtsp://cam/a"),
        ] {
            let parsed = StreamAddress::recognise(Path::new(address)).unwrap();
            assert_eq!(parsed.to_string(), expected);
            assert_eq!(shown(Path::new(address)), Path::new(expected));
            assert!(!format!("{parsed:?}").contains("pa55"));
            let error = StreamError::Rtsp(parsed);
            assert!(!format!("{error} {error:?}").contains("pa55"));
        }
    }

    #[test]
    fn a_camera_that_is_not_there_says_what_to_check() {
        let address = StreamAddress::Device("/dev/video9876".into());
        let Err(error) = VideoStream::open(address) else {
            panic!("/dev/video9876 was opened");
        };
        let text = error.to_string();
        assert!(
            text.contains("/dev/video9876") && text.contains("group `video`"),
            "{text}"
        );
    }
}
