//! Writes results as a recording for `ros2 bag play` and Foxglove.

use std::path::Path;

use super::ResultMessages;
use crate::pipeline::{Camera, Frame, Transport};
use shuffledet_bag::{BagError, Qos, RecordingWriter, TopicId, TopicSpec, WrittenRecording};
use shuffledet_core::{Labels, Outcome};
use shuffledet_msg::{CdrError, Definition, definition};

/// What a recording holds beside detections and latency.
#[derive(Debug, Clone, Default)]
pub struct RecordingContents {
    pub images: bool,
    /// Detections as boxes for viewers to draw over the images.
    pub annotations: bool,
    pub tracks: bool,
    /// The class table, `vision_msgs/msg/LabelInfo` in CDR, for detections whose classes are numbers.
    pub label_info: Option<Vec<u8>>,
}

/// Writes each frame's detections, tracks and latency on topics below the image's, with the image's
/// log time. Writes the class table before a camera's first detections if their classes are numbers.
pub struct ResultRecording {
    writer: RecordingWriter,
    contents: RecordingContents,
    /// By camera.
    topics: Vec<CameraTopics>,
}

/// The QoS of the live node's results.
const RESULTS: Qos = Qos {
    depth: 10,
    reliable: true,
    transient_local: false,
};

/// The QoS of the latched class table, as of the live node.
const LATCHED: Qos = Qos {
    depth: 1,
    reliable: true,
    transient_local: true,
};

struct CameraTopics {
    name: String,
    /// Set until the class table is written.
    label_info: Option<TopicId>,
    detections: TopicId,
    annotations: Option<TopicId>,
    tracks: Option<TopicId>,
    tracks_3d: Option<TopicId>,
    latency: TopicId,
    /// The image topics: of the camera's transport, and of another transport once a message has it.
    images: Vec<(Transport, TopicId)>,
}

fn add(
    writer: &mut RecordingWriter,
    name: &str,
    definition: &Definition,
    qos: Qos,
) -> Result<TopicId, BagError> {
    writer.add_topic(&TopicSpec {
        name,
        type_name: definition.name,
        definition: &definition.schema(),
        qos,
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
    /// Starts a recording at `path` like [`RecordingWriter::create`]. A camera has a topic for tracks in
    /// space if the recording has tracks and `in_space` says so of the camera.
    pub fn create(
        path: &Path,
        force: bool,
        cameras: &[Camera],
        contents: RecordingContents,
        in_space: &[bool],
    ) -> Result<Self, BagError> {
        let mut writer = RecordingWriter::create(path, force)?;
        let topics = cameras
            .iter()
            .enumerate()
            .map(|(index, camera)| {
                let mut add = |name: &str, definition: &Definition, qos| {
                    add(&mut writer, name, definition, qos)
                };
                let topic = &camera.topic;
                Ok(CameraTopics {
                    detections: add(
                        &format!("{topic}/detections"),
                        &definition::DETECTION2D_ARRAY,
                        RESULTS,
                    )?,
                    annotations: contents
                        .annotations
                        .then(|| {
                            let name = format!("{topic}/annotations");
                            add(&name, &definition::IMAGE_ANNOTATIONS, RESULTS)
                        })
                        .transpose()?,
                    tracks: contents
                        .tracks
                        .then(|| {
                            let name = format!("{topic}/tracks");
                            add(&name, &definition::DETECTION2D_ARRAY, RESULTS)
                        })
                        .transpose()?,
                    tracks_3d: (contents.tracks && in_space.get(index) == Some(&true))
                        .then(|| {
                            let name = format!("{topic}/tracks_3d");
                            add(&name, &definition::DETECTION3D_ARRAY, RESULTS)
                        })
                        .transpose()?,
                    latency: add(
                        &format!("{topic}/latency"),
                        &definition::DIAGNOSTIC_ARRAY,
                        RESULTS,
                    )?,
                    images: match contents.images {
                        true => vec![(
                            camera.transport,
                            add(topic, camera.transport.message(), RESULTS)?,
                        )],
                        false => Vec::new(),
                    },
                    label_info: contents
                        .label_info
                        .as_ref()
                        .map(|_| {
                            let name = format!("{topic}/label_info");
                            add(&name, &definition::LABEL_INFO, LATCHED)
                        })
                        .transpose()?,
                    name: topic.clone(),
                })
            })
            .collect::<Result<_, BagError>>()?;
        Ok(Self {
            writer,
            contents,
            topics,
        })
    }

    /// Writes the frame's detections, after its image if images are written.
    pub fn write_detections(&mut self, frame: &Frame, detections: &[u8]) -> Result<(), BagError> {
        self.write_image(frame)?;
        let topics = &mut self.topics[frame.camera];
        if let Some((topic, table)) = topics
            .label_info
            .take()
            .zip(self.contents.label_info.as_ref())
        {
            self.writer.write(topic, frame.log_time_ns, table)?;
        }
        self.writer
            .write(topics.detections, frame.log_time_ns, detections)
    }

    /// Writes the frame's detections as boxes to draw, if the recording has a topic for them.
    pub fn write_annotations(
        &mut self,
        frame: &Frame,
        labels: &Labels,
        messages: &mut ResultMessages,
    ) -> Result<(), ResultRecordingError> {
        if let Some(topic) = self.topics[frame.camera].annotations {
            let annotations = messages.annotations(frame, labels)?;
            self.writer.write(topic, frame.log_time_ns, annotations)?;
        }
        Ok(())
    }

    /// Writes the frame's tracks, if the recording has a topic for them.
    pub fn write_tracks(&mut self, frame: &Frame, tracks: &[u8]) -> Result<(), BagError> {
        match self.topics[frame.camera].tracks {
            Some(topic) => self.writer.write(topic, frame.log_time_ns, tracks),
            None => Ok(()),
        }
    }

    /// Writes the frame's tracks in space, if the recording has a topic for them.
    pub fn write_tracks_3d(
        &mut self,
        frame: &Frame,
        labels: &Labels,
        messages: &mut ResultMessages,
    ) -> Result<(), ResultRecordingError> {
        if let Some(topic) = self.topics[frame.camera].tracks_3d {
            let tracks = messages.tracks_3d(frame, labels)?;
            self.writer.write(topic, frame.log_time_ns, tracks)?;
        }
        Ok(())
    }

    /// Writes the image of a frame without detections. Writes nothing for a message that could not
    /// be converted to CDR.
    pub fn write_image(&mut self, frame: &Frame) -> Result<(), BagError> {
        if !self.contents.images || frame.unreadable.is_some() {
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
                let definition = frame.transport.message();
                let topic = add(&mut self.writer, &topics.name, definition, RESULTS)?;
                topics.images.push((frame.transport, topic));
                topic
            }
        };
        self.writer.write(topic, frame.log_time_ns, &frame.message)
    }

    /// Writes the frame's outcome and the time of each stage. Call it after writing the detections,
    /// so that it includes their time.
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

    /// Removes the file, which must not be used.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn discard(self) -> Result<(), BagError> {
        self.writer.discard()
    }

    /// Completes the file and writes `metadata.yaml`.
    pub fn finish(self) -> Result<WrittenRecording, BagError> {
        self.writer.finish()
    }
}
