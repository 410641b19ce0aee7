//! One image on its way through the stages, and its outcome.

use std::sync::Arc;
use std::time::Duration;

use super::progress::FrameProgress;
use super::served_model::ServedModel;
use super::tracked_object::TrackedObject;
use crate::detect::InputUse;
use shuffledet_core::Detection;
use shuffledet_core::{Failure, Mark, Stage, StampAnomaly, Trace};
use shuffledet_image::camera_motion::GreyPyramid;
use shuffledet_image::{Damage, limits::release_surplus};
use shuffledet_msg::{Definition, HeaderView, Stamp, definition};
use shuffledet_sight::{Faults, View};
use shuffledet_track::camera::CalibratedCamera;

/// The type of the image message.
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

/// A frame with its buffers, which later frames reuse.
#[derive(Debug)]
pub struct Frame {
    /// The order of reception, from 0.
    pub sequence: u64,
    /// The index of the image in its data set, if the source reads a data set.
    pub image: Option<u64>,
    /// The order in which workers took the frames, from 0; `None` if no worker took it.
    pub ticket: Option<u64>,
    /// The number of the model that the frame is for; it is decided when a worker takes the frame.
    pub model_number: u64,
    /// The model that processed it; `None` if none did, or if its worker does not tell.
    pub model: Option<Arc<ServedModel>>,
    /// The index of the camera in the source.
    pub camera: usize,
    pub transport: Transport,
    /// When the source received the message, in nanoseconds since the epoch.
    pub log_time_ns: u64,
    /// The message's CDR bytes.
    pub message: Vec<u8>,
    /// Why the source could not convert the message to CDR; the message then has its recorded form.
    pub unreadable: Option<Failure>,
    pub trace: Trace,
    /// The header's stamp; the log time until a header was read.
    pub stamp: Stamp,
    /// The age of the image on reception, from its stamp by the clock of the stamps. Zero if the
    /// stamp does not tell.
    pub age_on_receipt: Duration,
    /// How far the stamp was behind the clock on reception, in nanoseconds; negative: ahead. `None`
    /// without a stamp, or if stamps are not checked.
    pub stamp_lag_ns: Option<i64>,
    /// What is wrong with the stamp, if stamps are checked.
    pub anomaly: Option<StampAnomaly>,
    /// The header's frame id; empty until a header was read.
    pub frame_id: String,
    /// The width and height of the decoded image, in pixels.
    pub size: Option<(u32, u32)>,
    /// The damage of an image that was decoded nevertheless.
    pub damage: Option<Damage>,
    /// A grey copy of the image, to find the camera's motion; empty if nobody follows it.
    pub grey: GreyPyramid,
    /// A small copy of the network's input, to judge whether the camera sees; empty if nobody asks.
    pub view: View,
    /// The faults of the camera's pictures at this frame; `None` if they are not judged.
    pub faults: Option<Faults>,
    /// The input size of each run of the model, in the order of the regions.
    pub inputs: Vec<InputUse>,
    /// In pixels of the image, the highest score first.
    pub detections: Vec<Detection>,
    /// The calibration of the camera, if it is known.
    pub calibration: Option<Arc<CalibratedCamera>>,
    /// The tracks that are shown, oldest first; empty if objects are not tracked.
    pub tracks: Vec<TrackedObject>,
    /// The row of the horizon in the middle of the image, in pixels, if the camera's pitch is known well
    /// enough.
    pub horizon_px: Option<f64>,
    /// How long after the stamp the tracks show their objects.
    pub tracks_ahead: Duration,
    /// The annotated image, if requested.
    pub annotated: Option<Annotated>,
    /// The progress of the thread that has the frame, if it is watched.
    pub progress: Option<FrameProgress>,
}

/// An image with its detections drawn.
#[derive(Debug, Clone)]
pub struct Annotated {
    /// Empty if nobody asked for it.
    pub jpeg: Vec<u8>,
    /// Rows of 8-bit BGR pixels without padding; empty if nobody asked for them.
    pub bgr: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Frame {
    pub fn new() -> Self {
        Self {
            sequence: 0,
            image: None,
            ticket: None,
            model_number: 0,
            model: None,
            camera: 0,
            transport: Transport::Raw,
            log_time_ns: 0,
            message: Vec::new(),
            unreadable: None,
            trace: Trace::default(),
            stamp: Stamp { sec: 0, nanosec: 0 },
            age_on_receipt: Duration::ZERO,
            stamp_lag_ns: None,
            anomaly: None,
            frame_id: String::new(),
            size: None,
            damage: None,
            grey: GreyPyramid::new(),
            view: View::default(),
            faults: None,
            inputs: Vec::new(),
            detections: Vec::new(),
            calibration: None,
            tracks: Vec::new(),
            horizon_px: None,
            tracks_ahead: Duration::ZERO,
            annotated: None,
            progress: None,
        }
    }

    /// Clears the frame and keeps its buffers.
    pub fn reset(&mut self) {
        self.image = None;
        self.ticket = None;
        self.model = None;
        release_surplus(&mut self.message);
        self.message.clear();
        self.unreadable = None;
        self.trace = Trace::default();
        self.stamp = Stamp { sec: 0, nanosec: 0 };
        self.age_on_receipt = Duration::ZERO;
        self.stamp_lag_ns = None;
        self.anomaly = None;
        self.frame_id.clear();
        self.size = None;
        self.damage = None;
        self.grey.clear();
        self.view.clear();
        self.faults = None;
        self.inputs.clear();
        self.detections.clear();
        self.calibration = None;
        self.tracks.clear();
        self.horizon_px = None;
        self.tracks_ahead = Duration::ZERO;
        self.annotated = None;
        self.progress = None;
    }

    /// Shows whoever watches the thread that the frame goes on to `stage`.
    pub fn enter(&self, stage: Stage) {
        if let Some(progress) = &self.progress {
            progress.enter(stage);
        }
    }

    /// Takes over what `other` was received with, except its image.
    pub fn copy_head(&mut self, other: &Frame) {
        self.sequence = other.sequence;
        self.ticket = other.ticket;
        self.model_number = other.model_number;
        self.camera = other.camera;
        self.transport = other.transport;
        self.log_time_ns = other.log_time_ns;
        self.trace = other.trace;
        self.stamp = other.stamp;
        self.age_on_receipt = other.age_on_receipt;
        self.stamp_lag_ns = other.stamp_lag_ns;
        self.anomaly = other.anomaly;
        self.frame_id.clone_from(&other.frame_id);
    }

    /// Returns the age of the image at the last mark of its trace: its age on reception plus the
    /// time since.
    pub fn age(&self) -> Duration {
        let received = self.trace.at(Mark::Received);
        let since = received
            .zip(self.trace.last())
            .map(|(received, last)| last.saturating_duration_since(received));
        self.age_on_receipt + since.unwrap_or_default()
    }

    /// Returns the stamp, or the log time of a camera that sets no stamps, in nanoseconds.
    pub fn time_ns(&self) -> i64 {
        match self.stamp.to_ns() {
            0 => i64::try_from(self.log_time_ns).unwrap_or(i64::MAX),
            stamp_ns => stamp_ns,
        }
    }

    /// Returns the time at which the tracks show their objects.
    pub fn tracks_stamp(&self) -> Stamp {
        let ahead_ns = i64::try_from(self.tracks_ahead.as_nanos()).unwrap_or(0);
        let later = self.stamp.to_ns().checked_add(ahead_ns);
        later.and_then(Stamp::from_ns).unwrap_or(self.stamp)
    }

    /// Whether most of the age dates from before reception, so that waiting here is not the cause.
    pub fn came_old(&self) -> bool {
        self.age_on_receipt * 2 >= self.age()
    }

    /// Reads the stamp and the frame id from the message, so that a frame with a damaged body has
    /// them. Uses the log time if the header is damaged.
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
