//! Subscribing to the cameras: which topic, with which quality of service, and when.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::error::{RosError, explained};
use super::source::{MessageStream, Subscribed};
use super::{Executor, ExecutorGone, qos};
use shuffledet_detector::config::raw::TransportChoice;
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::pipeline::Transport;
use shuffledet_node::arguments::Names;
use shuffledet_node::qos::{End, Qos, QosError};

/// One camera's topic: what it is called in full, and how it is subscribed to.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTopic {
    /// Index of the camera.
    pub camera: usize,
    pub transport: Transport,
    pub name: String,
    pub qos: Qos,
}

#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("cannot subscribe to {topic}: {problem}")]
    Refused { topic: String, problem: RosError },
}

/// The topics that a camera's images may come on: one, or raw and compressed where its transport is `auto`.
pub fn image_topics(
    camera: usize,
    of: &CameraConfig,
    names: &Names,
    config: &Config,
) -> Result<Vec<ImageTopic>, (String, QosError)> {
    // the base is remapped, as image_transport does: remapping the raw topic moves the compressed one, too
    let base = names.resolve(&of.image_topic);
    let transports = match of.transport {
        TransportChoice::Raw => &[Transport::Raw][..],
        TransportChoice::Compressed => &[Transport::Compressed],
        TransportChoice::Auto => &[Transport::Raw, Transport::Compressed],
    };
    let topic = |&transport: &Transport| {
        let name = match transport {
            Transport::Raw => base.clone(),
            Transport::Compressed => names.resolve(&format!("{base}/compressed")),
        };
        let overrides = config.qos_overrides.get(&name);
        match Qos::images(of.reliability).overridden(overrides, End::Subscription) {
            Ok(qos) => Ok(ImageTopic {
                camera,
                transport,
                name,
                qos,
            }),
            Err(problem) => Err((name, problem)),
        }
    };
    transports.iter().map(topic).collect()
}

/// Subscribes to the one of `topics` that has a publisher, as soon as one has; to the only one at once. Gives the one
/// that it was.
pub async fn subscribe(
    executor: &Executor,
    topics: Vec<ImageTopic>,
    to: &UnboundedSender<Subscribed>,
) -> Result<ImageTopic, SubscribeError> {
    /// How often the graph is looked at.
    const LOOK: Duration = Duration::from_millis(100);
    let topic = loop {
        match topics.as_slice() {
            [only] => break only.clone(),
            several => {
                if let Some(published) = first_published(executor, several)? {
                    break published;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    };
    let messages = make(executor, &topic)?;
    let (camera, transport) = (topic.camera, topic.transport);
    // the pipeline is gone when it was stopped meanwhile: then nobody needs the messages
    let _ = to.send(Subscribed {
        camera,
        transport,
        messages,
    });
    Ok(topic)
}

fn first_published(
    executor: &Executor,
    topics: &[ImageTopic],
) -> Result<Option<ImageTopic>, ExecutorGone> {
    for topic in topics {
        let name = topic.name.clone();
        let publishers =
            executor.call(move |node| node.get_publishers_info_by_topic(&name, false))?;
        if publishers.is_ok_and(|publishers| !publishers.is_empty()) {
            return Ok(Some(topic.clone()));
        }
    }
    Ok(None)
}

fn make(executor: &Executor, topic: &ImageTopic) -> Result<MessageStream, SubscribeError> {
    let type_name = match topic.transport {
        Transport::Raw => "sensor_msgs/msg/Image",
        Transport::Compressed => "sensor_msgs/msg/CompressedImage",
    };
    let (name, profile) = (topic.name.clone(), qos::profile(&topic.qos));
    let made = executor.call(move |node| {
        let stream = explained(|| node.subscribe_raw(&name, type_name, profile));
        stream.map(|stream| Box::new(stream) as MessageStream)
    })?;
    made.map_err(|problem| SubscribeError::Refused {
        topic: topic.name.clone(),
        problem,
    })
}
