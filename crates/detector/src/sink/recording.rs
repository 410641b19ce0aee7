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
    detections: TopicId,
    latency: TopicId,
    images: Option<TopicId>,
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
                let mut add = |name: &str, definition: &Definition| {
                    writer.add_topic(&TopicSpec {
                        name,
                        type_name: definition.name,
                        definition: &definition.schema(),
                        qos: RESULTS,
                    })
                };
                let image = match camera.transport {
                    Transport::Raw => &definition::IMAGE,
                    Transport::Compressed => &definition::COMPRESSED_IMAGE,
                };
                let topic = &camera.topic;
                Ok(CameraTopics {
                    detections: add(
                        &format!("{topic}/detections"),
                        &definition::DETECTION2D_ARRAY,
                    )?,
                    latency: add(&format!("{topic}/latency"), &definition::DIAGNOSTIC_ARRAY)?,
                    images: with_images.then(|| add(topic, image)).transpose()?,
                })
            })
            .collect::<Result<_, BagError>>()?;
        Ok(Self { writer, topics })
    }

    /// The frame's detections, after its image if images are written.
    pub fn write_detections(&mut self, frame: &Frame, detections: &[u8]) -> Result<(), BagError> {
        self.write_image(frame)?;
        let topics = &self.topics[frame.camera];
        self.writer
            .write(topics.detections, frame.log_time_ns, detections)
    }

    /// The image of a frame that has no detections to write.
    pub fn write_image(&mut self, frame: &Frame) -> Result<(), BagError> {
        match self.topics[frame.camera].images {
            Some(images) => self.writer.write(images, frame.log_time_ns, &frame.message),
            None => Ok(()),
        }
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
