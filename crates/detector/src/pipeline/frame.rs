//! One image on its way through the stages, and what became of it.

use std::time::Duration;

use shuffledet_core::Detection;
use shuffledet_core::{Failure, Mark, Oddity, Trace};
use shuffledet_msg::{Definition, HeaderView, Stamp, definition};

/// Which message holds the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `sensor_msgs/msg/Image`
    Raw,
    /// `sensor_msgs/msg/CompressedImage`
    Compressed,
}

impl Transport {
    /// Returns the message type that images of this transport have.
    pub fn message(self) -> &'static Definition {
        match self {
            Transport::Raw => &definition::IMAGE,
            Transport::Compressed => &definition::COMPRESSED_IMAGE,
        }
    }
}

/// A frame with the buffers that it needs; both are used again for a later one.
#[derive(Debug)]
pub struct Frame {
    /// The order in which frames were received, from 0.
    pub sequence: u64,
    /// Index of the image in its data set, where the source reads one.
    pub image: Option<u64>,
    /// The order in which frames were taken by workers, from 0; `None` for one that was not.
    pub ticket: Option<u64>,
    /// Index of the camera in the source.
    pub camera: usize,
    pub transport: Transport,
    /// When the source got the message, nanoseconds since the epoch.
    pub log_time_ns: u64,
    /// The message's CDR bytes.
    pub message: Vec<u8>,
    /// Why the source could not make CDR of the message, which is then as it was recorded.
    pub unreadable: Option<Failure>,
    pub trace: Trace,
    /// The header's stamp; that of the log time as long as no header was read.
    pub stamp: Stamp,
    /// How old the image was when it was received: from its stamp, by the clock that stamps are of. Zero where the
    /// stamp cannot say.
    pub age_on_receipt: Duration,
    /// Nanoseconds by which the stamp was behind the clock on receipt; negative: ahead of it. `None` where there is no stamp
    /// or none is looked at.
    pub stamp_lag_ns: Option<i64>,
    /// What is odd about the stamp, if stamps are looked at.
    pub oddity: Option<Oddity>,
    /// The header's frame; empty as long as no header was read.
    pub frame_id: String,
    /// Width and height of the decoded image, in pixels.
    pub size: Option<(u32, u32)>,
    /// In pixels of the image, best first.
    pub detections: Vec<Detection>,
    /// The annotated picture as JPEG, if one was asked for.
    pub annotated: Option<Annotated>,
}

/// A picture with its detections drawn in.
#[derive(Debug, Clone)]
pub struct Annotated {
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Frame {
    pub fn new() -> Self {
        Self {
            sequence: 0,
            image: None,
            ticket: None,
            camera: 0,
            transport: Transport::Raw,
            log_time_ns: 0,
            message: Vec::new(),
            unreadable: None,
            trace: Trace::default(),
            stamp: Stamp { sec: 0, nanosec: 0 },
            age_on_receipt: Duration::ZERO,
            stamp_lag_ns: None,
            oddity: None,
            frame_id: String::new(),
            size: None,
            detections: Vec::new(),
            annotated: None,
        }
    }

    /// Forgets the frame that was here, and keeps its buffers.
    pub fn reset(&mut self) {
        self.image = None;
        self.ticket = None;
        self.message.clear();
        self.unreadable = None;
        self.trace = Trace::default();
        self.stamp = Stamp { sec: 0, nanosec: 0 };
        self.age_on_receipt = Duration::ZERO;
        self.stamp_lag_ns = None;
        self.oddity = None;
        self.frame_id.clear();
        self.size = None;
        self.detections.clear();
        self.annotated = None;
    }

    /// How old the image is, as of the last mark of its trace: its age on receipt and what has passed since.
    pub fn age(&self) -> Duration {
        let received = self.trace.at(Mark::Received);
        let since = received
            .zip(self.trace.last())
            .map(|(received, last)| last.saturating_duration_since(received));
        self.age_on_receipt + since.unwrap_or_default()
    }

    /// Whether most of its age was there when it was received: no wait here made it old.
    pub fn came_old(&self) -> bool {
        self.age_on_receipt * 2 >= self.age()
    }

    /// Takes stamp and frame from the message, so that a frame whose body is damaged still has them; the log time
    /// where even the header is.
    pub fn read_header(&mut self) {
        self.frame_id.clear();
        let is_cdr = self.unreadable.is_none();
        match HeaderView::parse_first(&self.message) {
            Ok(header) if is_cdr => {
                self.stamp = header.stamp;
                self.frame_id.push_str(header.frame_id);
            }
            _ => {
                let log_time_ns = i64::try_from(self.log_time_ns).unwrap_or(i64::MAX);
                self.stamp = Stamp::from_ns(log_time_ns).unwrap_or(self.stamp);
            }
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}
