//! Where frames come from.

use std::time::Duration;

use super::{Frame, Transport};
use shuffledet_bag::{BagError, Messages, Recording, Selection, Topic};

/// A source of frames, read from one thread.
pub trait Source: Send {
    /// Why reading ended before the last message.
    type Error: Send;

    /// Fills `frame` with the next message: camera, transport, log time, bytes, and the header read from them; a live source
    /// marks when it was received. False when there is none left.
    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Self::Error>;
}

/// An image topic of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    pub topic: String,
    pub transport: Transport,
}

impl Camera {
    /// `None` for a topic that does not hold images.
    pub fn of(topic: &Topic) -> Option<Self> {
        let transport = match topic.type_name.as_str() {
            "sensor_msgs/msg/Image" => Transport::Raw,
            "sensor_msgs/msg/CompressedImage" => Transport::Compressed,
            _ => return None,
        };
        Some(Self {
            topic: topic.name.clone(),
            transport,
        })
    }
}

/// The image messages of a recording, in the order of their log times.
pub struct RecordingSource {
    messages: Messages,
    /// By the recording's index of the topic.
    camera_of_topic: Vec<Option<usize>>,
    cameras: Vec<Camera>,
    window: Window,
}

/// Seconds of a recording.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// Log time of second 0; that of the first message where the recording does not say.
    zero_ns: Option<u64>,
    start: Duration,
    end: Option<Duration>,
}

impl Window {
    fn at(&self, offset: Duration) -> Option<u64> {
        let offset_ns = u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX);
        Some(self.zero_ns?.saturating_add(offset_ns))
    }
}

impl RecordingSource {
    /// Reads the images on `cameras`, topics of `recording`, that were recorded from `start` to `end` (exclusive)
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
        let camera_of = |topic: &Topic| cameras.iter().position(|c| c.topic == topic.name);
        let camera_of_topic = recording.topics().iter().map(camera_of).collect();
        Ok(Self {
            messages: recording.read(&selection)?,
            camera_of_topic,
            cameras,
            window,
        })
    }

    /// What was wrong with the recording so far.
    pub fn warnings(&self) -> &[String] {
        self.messages.warnings()
    }
}

impl Source for RecordingSource {
    type Error = BagError;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, BagError> {
        while let Some(head) = self.messages.next_into(&mut frame.message)? {
            self.window.zero_ns.get_or_insert(head.log_time_ns);
            if self
                .window
                .at(self.window.start)
                .is_some_and(|start| head.log_time_ns < start)
            {
                continue;
            }
            if self
                .window
                .end
                .and_then(|end| self.window.at(end))
                .is_some_and(|end| head.log_time_ns >= end)
            {
                return Ok(false);
            }
            let Some(camera) = self.camera_of_topic.get(head.topic).copied().flatten() else {
                continue;
            };
            frame.camera = camera;
            frame.transport = self.cameras[camera].transport;
            frame.log_time_ns = head.log_time_ns;
            frame.read_header();
            return Ok(true);
        }
        Ok(false)
    }
}
