//! The node's publishers and the messages of each frame.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use r2r::PublisherUntyped;
use thiserror::Error;

use super::error::{RosError, explained};
use super::model_topics::{LABEL_INFO, ModelTopics, VISION_INFO};
use super::{Executor, ExecutorGone, qos};
use shuffledet_core::{Mark, Outcome, Stage};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::pipeline::{Frame, ServedModel, SharedSettings, Sight, Tracking, Viewers};
use shuffledet_detector::sink::ResultMessages;
use shuffledet_msg::definition::{COMPRESSED_IMAGE, DETECTION3D_ARRAY, IMAGE, IMAGE_MARKER};
use shuffledet_msg::{CdrError, CompressedImageView, HeaderView, ImageView, float64};
use shuffledet_node::arguments::Names;
use shuffledet_node::qos::{End, Qos, QosError};

/// The publishers of one camera.
struct CameraResults {
    /// The full topic of its images, which identifies the camera in latency messages.
    title: String,
    detections: PublisherUntyped,
    tracks: PublisherUntyped,
    /// `None` if distances are not measured.
    tracks_3d: Option<PublisherUntyped>,
    latency: PublisherUntyped,
    processing_time: PublisherUntyped,
    pipeline_latency: PublisherUntyped,
    annotated: PublisherUntyped,
    annotated_jpeg: PublisherUntyped,
    /// `None` if the node was built without the type.
    marker: Option<PublisherUntyped>,
}

/// Publishes the results of frames.
pub struct Results {
    cameras: Vec<CameraResults>,
    /// Kept so that they are destroyed with the others.
    latched: Vec<PublisherUntyped>,
    topics: Arc<Mutex<ModelTopics>>,
    /// The model of the latest frame.
    model: Arc<ServedModel>,
    tuning: Arc<SharedSettings>,
    sight: Sight,
    tracking: Tracking,
    messages: ResultMessages,
    buffer: Vec<u8>,
    last_published: Option<Instant>,
}

/// Time for the last messages to arrive. A subscriber forgets what it has not yet received of a
/// publisher that is gone, and r2r gives no access to rcl's wait for acknowledgements.
const DELIVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Error)]
pub enum ResultsError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("cannot publish on {topic}: {problem}")]
    Publisher { topic: String, problem: RosError },
    #[error("qos_overrides of {topic}: {problem}")]
    Qos { topic: String, problem: QosError },
    #[error(transparent)]
    Message(#[from] CdrError),
}

impl Results {
    /// Creates the publishers. The caller publishes the model.
    pub fn create(
        executor: &Executor,
        names: &Names,
        config: &Config,
        loaded: &LoadedModel,
        tuning: Arc<SharedSettings>,
    ) -> Result<(Self, Arc<Mutex<ModelTopics>>), ResultsError> {
        let publisher = |topic: String, type_name: &'static str, policies: Qos| {
            let overrides = config.qos_overrides.get(&names.resolve(&topic));
            let policies = policies
                .overridden(overrides, End::Publisher)
                .map_err(|problem| ResultsError::Qos {
                    topic: topic.clone(),
                    problem,
                })?;
            let (name, profile) = (topic.clone(), qos::profile(&policies));
            let made = executor.call(move |node| {
                explained(|| node.create_publisher_untyped(&name, type_name, profile))
            })?;
            made.map_err(|problem| ResultsError::Publisher { topic, problem })
        };
        let of_camera = |camera: &CameraConfig| {
            let prefix = camera
                .name
                .as_ref()
                .map_or("~".to_owned(), |name| format!("~/{name}"));
            let make = |name: &str, type_name| {
                publisher(format!("{prefix}/{name}"), type_name, Qos::RESULTS)
            };
            Ok(CameraResults {
                title: names.resolve(&camera.image_topic),
                detections: make("detections", "vision_msgs/msg/Detection2DArray")?,
                tracks: make("tracks", "vision_msgs/msg/Detection2DArray")?,
                tracks_3d: match config.ranging {
                    true => without_typesupport(
                        make("tracks_3d", DETECTION3D_ARRAY.name),
                        "vision_msgs",
                    )?,
                    false => None,
                },
                latency: make("latency", "diagnostic_msgs/msg/DiagnosticArray")?,
                processing_time: make("debug/processing_time_ms", "std_msgs/msg/Float64")?,
                pipeline_latency: make("debug/pipeline_latency_ms", "std_msgs/msg/Float64")?,
                annotated: make("image_annotated", IMAGE.name)?,
                annotated_jpeg: make("image_annotated/compressed", COMPRESSED_IMAGE.name)?,
                marker: without_typesupport(
                    make("annotations", IMAGE_MARKER.name),
                    "visualization_msgs",
                )?,
            })
        };
        let cameras = config
            .cameras
            .iter()
            .map(of_camera)
            .collect::<Result<_, ResultsError>>()?;

        let label_info = publisher(
            LABEL_INFO.to_owned(),
            "vision_msgs/msg/LabelInfo",
            Qos::LATCHED,
        )?;
        let vision_info = publisher(
            VISION_INFO.to_owned(),
            "vision_msgs/msg/VisionInfo",
            Qos::LATCHED,
        )?;
        let latched = vec![label_info.clone(), vision_info.clone()];
        let topics = ModelTopics::new(label_info, vision_info);
        let topics = Arc::new(Mutex::new(topics));
        let model = Arc::clone(&loaded.served);
        let results = Self {
            cameras,
            latched,
            topics: Arc::clone(&topics),
            sight: Sight::new(Arc::clone(&tuning)),
            tracking: Tracking::new(Arc::clone(&tuning), Arc::clone(&model.labels)),
            tuning,
            messages: ResultMessages::new(model.class_ids.clone()),
            model,
            buffer: Vec::new(),
            last_published: None,
        };
        Ok((results, topics))
    }

    /// Waits until the subscribers have had time to receive the last messages, and removes the
    /// publishers from the graph.
    pub fn destroy(self, executor: &Executor) {
        let is_expected = self.cameras.iter().any(|camera| {
            [&camera.detections, &camera.tracks, &camera.latency]
                .into_iter()
                .chain(&camera.tracks_3d)
                .any(is_heard)
        });
        if let Some(published) = self.last_published.filter(|_| is_expected) {
            thread::sleep(DELIVERY.saturating_sub(published.elapsed()));
        }
        let of_cameras = self.cameras.into_iter().flat_map(|camera| {
            let CameraResults {
                detections,
                tracks,
                tracks_3d,
                latency,
                processing_time,
                pipeline_latency,
                annotated,
                annotated_jpeg,
                marker,
                ..
            } = camera;
            let results = [
                detections,
                tracks,
                latency,
                processing_time,
                pipeline_latency,
                annotated,
                annotated_jpeg,
            ];
            results.into_iter().chain(tracks_3d).chain(marker)
        });
        let publishers: Vec<_> = of_cameras.chain(self.latched).collect();
        let destroy = move |node: &mut r2r::Node| {
            for publisher in publishers {
                node.destroy_publisher_untyped(publisher);
            }
        };
        // an executor that has ended has already destroyed them
        let _ = executor.call(destroy);
    }

    /// Finds the tracks of a frame, publishes its detections and marks the time, then the other
    /// topics that have subscriptions.
    pub fn publish(&mut self, frame: &mut Frame, outcome: &Outcome) -> Result<(), CdrError> {
        let Some(camera) = self.cameras.get(frame.camera) else {
            return Ok(());
        };
        self.last_published = Some(Instant::now());
        if let Some(model) = &frame.model
            && model.number != self.model.number
        {
            let topics = self.topics.lock();
            let mut topics = topics.unwrap_or_else(PoisonError::into_inner);
            topics.announce(model, &self.tuning.get());
            self.messages.set_class_ids(model.class_ids.clone());
            self.model = Arc::clone(model);
        }
        frame.enter(Stage::Track);
        self.sight.update(frame, outcome);
        self.tracking.update(frame, outcome, &camera.title);
        frame.enter(Stage::Publish);
        if *outcome == Outcome::Published {
            let detections = self.messages.detections(frame, &self.model.labels)?;
            send(&camera.detections, &camera.title, detections);
            frame.trace.mark(Mark::Published);
            if frame.trace.at(Mark::Tracked).is_some() && is_heard(&camera.tracks) {
                let tracks = self.messages.tracks(frame, &self.model.labels)?;
                send(&camera.tracks, &camera.title, tracks);
            }
            if let Some(tracks_3d) = &camera.tracks_3d
                && frame.trace.at(Mark::Tracked).is_some()
                && frame.calibration.is_some()
                && is_heard(tracks_3d)
            {
                let tracks = self.messages.tracks_3d(frame, &self.model.labels)?;
                send(tracks_3d, &camera.title, tracks);
            }
        }
        if is_heard(&camera.latency) {
            let latency = self.messages.latency(frame, outcome, &camera.title)?;
            send(&camera.latency, &camera.title, latency);
        }
        if *outcome == Outcome::Published {
            self.debug(frame)?;
            self.draw(frame)?;
        }
        Ok(())
    }

    fn debug(&mut self, frame: &Frame) -> Result<(), CdrError> {
        let camera = &self.cameras[frame.camera];
        if let Some(total) = frame.trace.duration(Stage::Total)
            && is_heard(&camera.processing_time)
        {
            float64::write(total.as_secs_f64() * 1000.0, &mut self.buffer);
            send(&camera.processing_time, &camera.title, &self.buffer);
        }
        if is_heard(&camera.pipeline_latency) {
            float64::write(frame.age().as_secs_f64() * 1000.0, &mut self.buffer);
            send(&camera.pipeline_latency, &camera.title, &self.buffer);
        }
        Ok(())
    }

    /// Publishes boxes for viewers, and the picture with its boxes in the forms that have subscriptions.
    fn draw(&mut self, frame: &Frame) -> Result<(), CdrError> {
        let camera = &self.cameras[frame.camera];
        if let Some(marker) = camera.marker.as_ref().filter(|marker| is_heard(marker)) {
            send(marker, &camera.title, self.messages.marker(frame)?);
        }
        if let Some(annotated) = &frame.annotated {
            let header = HeaderView {
                stamp: frame.stamp,
                frame_id: &frame.frame_id,
            };
            if !annotated.jpeg.is_empty() {
                let image = CompressedImageView {
                    header,
                    format: "bgr8; jpeg compressed bgr8",
                    data: &annotated.jpeg,
                };
                image.write(&mut self.buffer)?;
                send(&camera.annotated_jpeg, &camera.title, &self.buffer);
            }
            if !annotated.bgr.is_empty() {
                let image = ImageView {
                    header,
                    height: annotated.height,
                    width: annotated.width,
                    encoding: "bgr8",
                    is_bigendian: false,
                    step: 3 * annotated.width,
                    data: &annotated.bgr,
                };
                image.write(&mut self.buffer)?;
                send(&camera.annotated, &camera.title, &self.buffer);
            }
        }
        // the next frame is drawn if there is a subscription
        let viewers = Viewers {
            jpeg: is_heard(&camera.annotated_jpeg),
            bgr: is_heard(&camera.annotated),
        };
        self.tuning.set_viewers(frame.camera, viewers);
        Ok(())
    }
}

/// Returns a publisher, or `None` and a warning if the node was built without the type of its messages:
/// the other results are worth more than an error.
fn without_typesupport(
    made: Result<PublisherUntyped, ResultsError>,
    package: &str,
) -> Result<Option<PublisherUntyped>, ResultsError> {
    match made {
        Err(error @ ResultsError::Publisher { .. }) => {
            tracing::warn!("{error}; build the node with a complete {package}");
            Ok(None)
        }
        made => made.map(Some),
    }
}

/// Returns whether there is a subscription.
fn is_heard(publisher: &PublisherUntyped) -> bool {
    publisher
        .get_inter_process_subscription_count()
        .is_ok_and(|count| count > 0)
}

/// Publishes a message. If the middleware rejects it, the message is lost, and the log says so.
fn send(publisher: &PublisherUntyped, topic: &str, message: &[u8]) {
    if let Err(error) = explained(|| publisher.publish_raw(message)) {
        tracing::error!("{topic}: cannot publish: {error}");
    }
}
