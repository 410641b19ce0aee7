//! Results as a recording that `ros2 bag play` and Foxglove open.

use std::path::Path;

use super::ResultMessages;
use crate::pipeline::{Camera, Frame, Transport};
use shuffledet_bag::{BagError, Qos, RecordingWriter, TopicId, TopicSpec, WrittenRecording};
use shuffledet_core::Outcome;
use shuffledet_msg::{CdrError, Definition, definition};

/// Writes each frame's detections and latency on topics below the image's, with the image's log time.
pub struct ResultRecording {
    writer: RecordingWriter,
    with_images: bool,
    /// By camera.
    topics: Vec<CameraTopics>,
}

/// As the live node offers its results.
const RESULTS: Qos = Qos {
    depth: 10,
    reliable: true,
    transient_local: false,
};

struct CameraTopics {
    name: String,
    detections: TopicId,
    latency: TopicId,
    /// Where images are written: of the camera's transport, and of another one once a message has it.
    images: Vec<(Transport, TopicId)>,
}

fn image(transport: Transport) -> &'static Definition {
    match transport {
        Transport::Raw => &definition::IMAGE,
        Transport::Compressed => &definition::COMPRESSED_IMAGE,
    }
}

fn add(
    writer: &mut RecordingWriter,
    name: &str,
    definition: &Definition,
) -> Result<TopicId, BagError> {
    writer.add_topic(&TopicSpec {
        name,
        type_name: definition.name,
        definition: &definition.schema(),
        qos: RESULTS,
    })
}

/// Why a result could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ResultRecordingError {
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Message(#[from] CdrError),
}

impl ResultRecording {
    /// Begins a recording at `path` as [`RecordingWriter::create`] does; with the images themselves if asked for.
    pub fn create(
        path: &Path,
        force: bool,
        cameras: &[Camera],
        with_images: bool,
    ) -> Result<Self, BagError> {
        let mut writer = RecordingWriter::create(path, force)?;
        let topics = cameras
            .iter()
            .map(|camera| {
                let mut add =
                    |name: &str, definition: &Definition| add(&mut writer, name, definition);
                let topic = &camera.topic;
                Ok(CameraTopics {
                    detections: add(
                        &format!("{topic}/detections"),
                        &definition::DETECTION2D_ARRAY,
                    )?,
                    latency: add(&format!("{topic}/latency"), &definition::DIAGNOSTIC_ARRAY)?,
                    images: match with_images {
                        true => vec![(camera.transport, add(topic, image(camera.transport))?)],
                        false => Vec::new(),
                    },
                    name: topic.clone(),
                })
            })
            .collect::<Result<_, BagError>>()?;
        Ok(Self {
            writer,
            with_images,
            topics,
        })
    }

    /// The frame's detections, after its image if images are written.
    pub fn write_detections(&mut self, frame: &Frame, detections: &[u8]) -> Result<(), BagError> {
        self.write_image(frame)?;
        let topics = &self.topics[frame.camera];
        self.writer
            .write(topics.detections, frame.log_time_ns, detections)
    }

    /// The image of a frame that has no detections to write; none of a message that could not be made CDR.
    pub fn write_image(&mut self, frame: &Frame) -> Result<(), BagError> {
        if !self.with_images || frame.unreadable.is_some() {
            return Ok(());
        }
        let topics = &mut self.topics[frame.camera];
        let known = topics
            .images
            .iter()
            .find(|(transport, _)| *transport == frame.transport);
        let topic = match known {
            Some(&(_, topic)) => topic,
            None => {
                let definition = image(frame.transport);
                let topic = add(&mut self.writer, &topics.name, definition)?;
                topics.images.push((frame.transport, topic));
                topic
            }
        };
        self.writer.write(topic, frame.log_time_ns, &frame.message)
    }

    /// What became of the frame, and the time of each stage. Called when its detections are written, to time that too.
    pub fn write_latency(
        &mut self,
        frame: &Frame,
        outcome: &Outcome,
        camera: &str,
        messages: &mut ResultMessages,
    ) -> Result<(), ResultRecordingError> {
        let latency = messages.latency(frame, outcome, camera)?;
        let topics = &self.topics[frame.camera];
        Ok(self
            .writer
            .write(topics.latency, frame.log_time_ns, latency)?)
    }

    /// Completes the file and writes `metadata.yaml`.
    pub fn finish(self) -> Result<WrittenRecording, BagError> {
        self.writer.finish()
    }
}
