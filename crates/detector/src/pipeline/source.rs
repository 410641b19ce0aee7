//! Sources of frames.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::camera::{Camera, carries, info_topic};
use super::{CameraInfoFeed, CameraInfoFileError, CameraInfoOrigin, Frame, Transport};
use shuffledet_bag::{BagError, MessageHead, Messages, Recording, Selection, Topic};
use shuffledet_core::Failure;
use shuffledet_image::encoding::measurement;
use shuffledet_msg::{Carries, ImageForm, definition};
use shuffledet_track::camera::CalibratedCamera;

/// A source of frames, read by one thread.
pub trait Source: Send {
    /// Why reading ended before the last message.
    type Error: Send;

    /// Fills `frame` with the next message: camera, transport, log time, bytes, and the header read
    /// from them. A live source also marks the time of reception. Returns false after the last
    /// message.
    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Self::Error>;
}

/// Reads the image messages of a recording in the order of their log times. Keeps `sensor_msgs`
/// messages and converts other image types to `sensor_msgs` CDR.
pub struct RecordingSource {
    /// `None` if there is no camera to read.
    messages: Option<Messages>,
    cameras: Vec<Camera>,
    /// The index of each camera, by its topic: a recording may have 65,000.
    by_topic: HashMap<String, usize>,
    states: Vec<CameraState>,
    /// By the index of the topic, set at the topic's first message.
    kinds: Vec<Option<Kind>>,
    only_pictures: bool,
    window: Window,
    /// The recorded message during conversion.
    recorded: Vec<u8>,
    /// The next frame, if it was read ahead.
    ahead: Option<(Vec<u8>, Read)>,
    /// By camera; empty if calibrations do not matter.
    feeds: Vec<CalibrationFeed>,
}

/// The calibration of a camera, and the topic of its messages.
struct CalibrationFeed {
    /// `None`: the calibration comes from a file.
    topic: Option<String>,
    feed: CameraInfoFeed,
}

/// Why a recording with calibrations cannot be read.
#[derive(Debug, Error)]
pub enum CalibratedSourceError {
    #[error("ranging.camera_info_url: {0}")]
    File(#[from] CameraInfoFileError),
    #[error(transparent)]
    Bag(#[from] BagError),
}

/// The kind of a topic's messages.
#[derive(Debug, Clone)]
enum Kind {
    Images { camera: usize, carries: Carries },
    CameraInfo,
}

#[derive(Debug, Clone, Default)]
struct CameraState {
    /// The message types so far.
    types: Vec<String>,
    /// Whether a message was examined.
    examined: bool,
    /// Why its messages are skipped.
    left_out: Option<String>,
}

/// A message that was read, without its bytes.
#[derive(Debug)]
struct Read {
    camera: usize,
    transport: Transport,
    log_time_ns: u64,
    unreadable: Option<Failure>,
    calibration: Option<Arc<CalibratedCamera>>,
}

/// The result of reading one message.
enum Step {
    Frame(Read),
    PassedOver,
    End,
}

/// A range of a recording, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The log time of second 0: the start of the recording, or the first message if the recording
    /// does not state it.
    zero_ns: Option<u64>,
    start: Duration,
    end: Option<Duration>,
}

impl Window {
    fn at(&self, offset: Duration) -> Option<u64> {
        let offset_ns = u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX);
        Some(self.zero_ns?.saturating_add(offset_ns))
    }

    fn is_before(&self, log_time_ns: u64) -> bool {
        (self.at(self.start)).is_some_and(|start| log_time_ns < start)
    }

    fn is_after(&self, log_time_ns: u64) -> bool {
        let end = self.end.and_then(|end| self.at(end));
        end.is_some_and(|end| log_time_ns >= end)
    }
}

impl RecordingSource {
    /// Reads the images on `cameras`, topics of `recording`, from `start` to `end` (exclusive)
    /// after its first message.
    pub fn new(
        recording: &Recording,
        cameras: Vec<Camera>,
        start: Duration,
        end: Option<Duration>,
    ) -> Result<Self, BagError> {
        let zero_ns = recording.start_end_ns().map(|(start, _)| start);
        let window = Window {
            zero_ns,
            start,
            end,
        };
        let selection = Selection {
            topics: cameras.iter().map(|camera| camera.topic.clone()).collect(),
            start_ns: window.at(start),
            end_ns: end.and_then(|end| window.at(end)),
        };
        let topics = cameras.iter().map(|camera| camera.topic.clone());
        let by_topic = topics.zip(0..).collect();
        // an empty list would select every topic
        let messages = (!cameras.is_empty()).then(|| recording.read(&selection));
        Ok(Self {
            messages: messages.transpose()?,
            states: vec![CameraState::default(); cameras.len()],
            cameras,
            by_topic,
            kinds: Vec::new(),
            only_pictures: false,
            window,
            recorded: Vec::new(),
            ahead: None,
            feeds: Vec::new(),
        })
    }

    /// Adds the calibration of each camera: from the file of its `origin`, or from the CameraInfo
    /// messages of the recording. Frames before the first message have its calibration. Call it before the
    /// first frame is read.
    ///
    /// # Errors
    /// The file is no calibration, or the recording cannot be read.
    pub fn calibrated<'a>(
        mut self,
        recording: &Recording,
        origin: impl Fn(&Camera) -> &'a CameraInfoOrigin,
    ) -> Result<Self, CalibratedSourceError> {
        for camera in &self.cameras {
            let origin = origin(camera);
            let feed = origin.feed(&camera.topic)?;
            let topic = origin.topic.clone();
            let topic = topic.unwrap_or_else(|| info_topic(camera));
            self.feeds.push(CalibrationFeed {
                topic: origin.file.is_none().then_some(topic),
                feed,
            });
        }
        let recorded = recording.topics().iter().filter(|topic| is_info(topic));
        let mut topics: Vec<_> = recorded.map(|topic| topic.name.clone()).collect();
        let of_feeds = self.feeds.iter().filter_map(|feed| feed.topic.as_deref());
        let of_feeds: HashSet<&str> = of_feeds.collect();
        topics.retain(|name| of_feeds.contains(name.as_str()));
        if topics.is_empty() {
            return Ok(self);
        }
        let cameras = self.cameras.iter().map(|camera| camera.topic.clone());
        let selection = Selection {
            topics: topics.iter().cloned().chain(cameras).collect(),
            start_ns: self.window.at(self.window.start),
            end_ns: self.window.end.and_then(|end| self.window.at(end)),
        };
        self.messages = Some(recording.read(&selection)?);
        self.take_first(recording, topics)?;
        Ok(self)
    }

    /// Takes the first CameraInfo of each topic.
    fn take_first(
        &mut self,
        recording: &Recording,
        mut topics: Vec<String>,
    ) -> Result<(), BagError> {
        while !topics.is_empty() {
            let mut messages = recording.read(&Selection {
                topics: topics.clone(),
                ..Selection::default()
            })?;
            let mut message = Vec::new();
            let Some(head) = messages.next_into(&mut message)? else {
                return Ok(());
            };
            let topic = messages.topics().get(head.topic);
            let Some(name) = topic.map(|topic| topic.name.clone()) else {
                return Ok(());
            };
            self.take_info(&name, &message);
            topics.retain(|topic| *topic != name);
        }
        Ok(())
    }

    /// Takes a CameraInfo of a topic for its cameras. Warns if it cannot be used.
    fn take_info(&mut self, topic: &str, message: &[u8]) {
        let feeds = self.feeds.iter_mut();
        let feeds = feeds.filter(|feed| feed.topic.as_deref() == Some(topic));
        for CalibrationFeed { feed, .. } in feeds {
            if feed.take(message)
                && let Some(problem) = feed.problem()
                && let Some(messages) = &mut self.messages
            {
                messages.warn(format!("{topic}: no distances: {problem}"));
            }
        }
    }

    /// Returns by camera whether its calibration is known so far.
    pub fn has_calibration(&self) -> Vec<bool> {
        let has = |feed: &CalibrationFeed| feed.feed.camera().is_some();
        let of_feeds = self.feeds.iter().map(has).chain(std::iter::repeat(false));
        of_feeds.take(self.cameras.len()).collect()
    }

    /// Skips the cameras whose first message holds a measurement, such as a depth map, rather than
    /// a picture.
    pub fn only_pictures(mut self) -> Self {
        self.only_pictures = true;
        self
    }

    /// Returns the problems of the recording so far, and what was skipped.
    pub fn warnings(&self) -> &[String] {
        self.messages.as_ref().map_or(&[], Messages::warnings)
    }

    /// Reads until one message of each camera was examined, at most `most` messages. Returns the
    /// skipped cameras with the reasons.
    pub fn survey(&mut self, most: usize) -> Result<Vec<(Camera, String)>, BagError> {
        let mut message = Vec::new();
        for _ in 0..most {
            if self.states.iter().all(|state| state.examined)
                || matches!(self.step(&mut message)?, Step::End)
            {
                break;
            }
        }
        let cameras = self.cameras.iter().zip(&self.states);
        let left_out = cameras.filter_map(|(camera, state)| {
            let why = state.left_out.clone()?;
            Some((camera.clone(), why))
        });
        Ok(left_out.collect())
    }

    /// Whether no frame remains. Reads the next frame for this and keeps it.
    pub fn is_at_end(&mut self) -> Result<bool, BagError> {
        if self.ahead.is_none() {
            let mut message = Vec::new();
            self.ahead = self.read(&mut message)?.map(|read| (message, read));
        }
        Ok(self.ahead.is_none())
    }

    fn read(&mut self, message: &mut Vec<u8>) -> Result<Option<Read>, BagError> {
        if let Some((ahead, read)) = self.ahead.take() {
            *message = ahead;
            return Ok(Some(read));
        }
        loop {
            match self.step(message)? {
                Step::Frame(read) => return Ok(Some(read)),
                Step::PassedOver => {}
                Step::End => return Ok(None),
            }
        }
    }

    /// Reads one message.
    fn step(&mut self, message: &mut Vec<u8>) -> Result<Step, BagError> {
        if self.states.iter().all(|state| state.left_out.is_some()) {
            return Ok(Step::End);
        }
        let Some(messages) = &mut self.messages else {
            return Ok(Step::End);
        };
        let Some(head) = messages.next_into(message)? else {
            return Ok(Step::End);
        };
        self.window.zero_ns.get_or_insert(head.log_time_ns);
        if self.window.is_before(head.log_time_ns) {
            return Ok(Step::PassedOver);
        }
        if self.window.is_after(head.log_time_ns) {
            return Ok(Step::End);
        }
        let (camera, carries) = match self.kind_of(head) {
            Some(Kind::Images { camera, carries }) => (camera, carries),
            Some(Kind::CameraInfo) => {
                let topics = self.messages.as_ref().map(Messages::topics);
                let topic = topics.and_then(|topics| topics.get(head.topic));
                if let Some(name) = topic.map(|topic| topic.name.clone()) {
                    self.take_info(&name, message);
                }
                return Ok(Step::PassedOver);
            }
            None => return Ok(Step::PassedOver),
        };
        let Carries::Images(form) = carries else {
            return Ok(Step::PassedOver);
        };
        if self.states[camera].left_out.is_some() {
            return Ok(Step::PassedOver);
        }
        let unreadable = self.convert(form, message).err();
        if self.only_pictures && !self.is_taken(camera, form, message) {
            return Ok(Step::PassedOver);
        }
        let transport = match form.is_compressed() {
            true => Transport::Compressed,
            false => Transport::Raw,
        };
        Ok(Step::Frame(Read {
            camera,
            transport,
            log_time_ns: head.log_time_ns,
            unreadable,
            calibration: self.feeds.get(camera).and_then(|feed| feed.feed.camera()),
        }))
    }

    /// Returns the camera and the content of a message. Warns about a topic with several types.
    fn kind_of(&mut self, head: MessageHead) -> Option<Kind> {
        if let Some(Some(kind)) = self.kinds.get(head.topic) {
            return Some(kind.clone());
        }
        let messages = self.messages.as_mut()?;
        let topic = messages.topics().get(head.topic)?;
        let of_topic = |feed: &CalibrationFeed| feed.topic.as_ref() == Some(&topic.name);
        if is_info(topic) && self.feeds.iter().any(of_topic) {
            self.kinds
                .resize(self.kinds.len().max(head.topic + 1), None);
            self.kinds[head.topic] = Some(Kind::CameraInfo);
            return Some(Kind::CameraInfo);
        }
        let camera = *self.by_topic.get(&topic.name)?;
        let carries = carries(topic);
        let types = &mut self.states[camera].types;
        types.push(described(topic));
        let tells_of_types = types.len() > 1;
        let tells = match &carries {
            Carries::Images(_) if tells_of_types => {
                Some("each message is read by its own type".to_owned())
            }
            Carries::Images(_) => None,
            Carries::Unreadable(why) => Some(format!("the last of them is skipped: {why}")),
            Carries::Other => Some("the last of them is not an image and is skipped".to_owned()),
        };
        if let Some(tells) = tells {
            let (name, types) = (topic.name.clone(), types.join(", "));
            let text = format!("{name}: has messages of the types {types}; {tells}");
            messages.warn(text);
        }
        let kind = Kind::Images { camera, carries };
        self.kinds
            .resize(self.kinds.len().max(head.topic + 1), None);
        self.kinds[head.topic] = Some(kind.clone());
        Some(kind)
    }

    /// Converts `message` to the CDR that the pipeline reads. Leaves it unchanged if it does not
    /// match its form.
    fn convert(&mut self, form: ImageForm, message: &mut Vec<u8>) -> Result<(), Failure> {
        if form.is_cdr() {
            return Ok(());
        }
        std::mem::swap(message, &mut self.recorded);
        form.to_cdr(&self.recorded, message).map_err(|error| {
            std::mem::swap(message, &mut self.recorded);
            Failure {
                reason: "malformed_message",
                message: error.to_string().into(),
            }
        })
    }

    /// Examines a camera's first image message. Returns false if it is not a picture; the camera is
    /// then skipped.
    fn is_taken(&mut self, camera: usize, form: ImageForm, message: &[u8]) -> bool {
        let state = &mut self.states[camera];
        if state.examined {
            return true;
        }
        let Ok(found) = measurement(form.is_compressed(), message) else {
            return true;
        };
        state.examined = true;
        let Some(encoding) = found else {
            return true;
        };
        let text = format!(
            "{}: skipped: its images are {encoding}, a measurement such as depth rather than a picture; select the topics to read with --topic",
            self.cameras[camera].topic
        );
        if let Some(messages) = &mut self.messages {
            messages.warn(text.clone());
        }
        state.left_out = Some(text);
        false
    }
}

/// Returns whether a topic has CameraInfo messages that can be read.
fn is_info(topic: &Topic) -> bool {
    topic.type_name == definition::CAMERA_INFO.name && topic.serialization_format == "cdr"
}

/// Returns the type and the serialization of a topic's messages.
fn described(topic: &Topic) -> String {
    let known = |text: &str| match text {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    };
    let (name, serialization) = (&topic.type_name, &topic.serialization_format);
    format!("{} ({})", known(name), known(serialization))
}

impl Source for RecordingSource {
    type Error = BagError;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, BagError> {
        let Some(read) = self.read(&mut frame.message)? else {
            return Ok(false);
        };
        frame.camera = read.camera;
        frame.transport = read.transport;
        frame.log_time_ns = read.log_time_ns;
        frame.unreadable = read.unreadable;
        frame.calibration = read.calibration;
        frame.read_header();
        Ok(true)
    }
}
