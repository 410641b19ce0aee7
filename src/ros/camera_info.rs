//! Receives the CameraInfo of cameras. As for images, the waker itself takes each message.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::stream::StreamExt;

use super::error::explained;
use super::intake::MessageStream;
use super::shared::Shared;
use super::{Executor, qos};
use shuffledet_detector::config::raw::ReliabilityChoice;
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::pipeline::camera::info_topic;
use shuffledet_detector::pipeline::{Camera, Transport};
use shuffledet_msg::definition;
use shuffledet_node::arguments::Names;
use shuffledet_node::qos::{End, Qos, QosError};

/// The topic of a camera's CameraInfo, with its full name and quality of service.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraInfoTopic {
    pub name: String,
    pub qos: Qos,
}

impl CameraInfoTopic {
    /// Returns the topic of a camera: the one that its parameters name, or that beside its images.
    pub fn new(
        camera: &CameraConfig,
        names: &Names,
        config: &Config,
    ) -> Result<Self, (String, QosError)> {
        let beside = || {
            info_topic(&Camera {
                topic: names.resolve(&camera.image_topic),
                transport: Transport::Raw,
            })
        };
        let name = camera.camera_info.topic.clone().unwrap_or_else(beside);
        let name = names.resolve(&name);
        // only the latest counts
        let qos = Qos {
            depth: 1,
            ..Qos::images(ReliabilityChoice::BestEffort)
        };
        let overrides = config.qos_overrides.get(&name);
        match qos.overridden(overrides, End::Subscription) {
            Ok(qos) => Ok(Self { name, qos }),
            Err(problem) => Err((name, problem)),
        }
    }
}

/// The subscriptions while the node is active.
pub struct CameraInfos(Vec<Arc<Listener>>);

/// One subscription. Its waker takes the messages, always on the executor's thread.
struct Listener {
    camera: usize,
    topic: String,
    shared: Arc<Shared>,
    /// `None` after the end.
    stream: Mutex<Option<MessageStream>>,
}

impl CameraInfos {
    /// Subscribes for each camera that has a topic. A subscription that fails is logged: the node
    /// works without it.
    pub fn subscribe(executor: &Executor, shared: &Arc<Shared>) -> Self {
        let mut listeners = Vec::new();
        for (camera, topic) in shared.camera_info_topics.iter().enumerate() {
            let Some(topic) = topic.clone() else {
                continue;
            };
            let listener = Arc::new(Listener {
                camera,
                topic: topic.name.clone(),
                shared: Arc::clone(shared),
                stream: Mutex::default(),
            });
            listeners.push(Arc::clone(&listener));
            let made = executor.call(move |node| {
                let profile = qos::profile(&topic.qos);
                let type_name = definition::CAMERA_INFO.name;
                let stream = explained(|| node.subscribe_raw(&listener.topic, type_name, profile))?;
                *listener.lock() = Some(Box::new(stream));
                // from now on its messages call the waker
                listener.drain();
                Ok::<_, super::error::RosError>(())
            });
            match made {
                Ok(Ok(())) => (),
                Ok(Err(error)) => {
                    let name = &shared.camera_info_topics[camera];
                    let name = name.as_ref().map_or("", |topic| &topic.name);
                    tracing::error!("cannot subscribe to {name}: {error}; no distances");
                }
                // the node is ending
                Err(_) => break,
            }
        }
        Self(listeners)
    }
}

impl Drop for CameraInfos {
    fn drop(&mut self) {
        for listener in &self.0 {
            *listener.lock() = None;
        }
    }
}

impl Listener {
    /// Takes every message that has arrived.
    fn drain(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        let mut stream = self.lock();
        while let Some(open) = &mut *stream
            && let Poll::Ready(Some(message)) = open.poll_next_unpin(&mut context)
        {
            self.shared
                .take_camera_info(self.camera, &self.topic, &message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<MessageStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Listener {
    fn wake(self: Arc<Self>) {
        self.drain();
    }
}
