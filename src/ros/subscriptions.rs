//! Subscribes to the cameras: the topics and their quality of service.

use super::error::{RosError, explained};
use super::intake::MessageStream;
use super::qos;
use shuffledet_detector::config::raw::TransportChoice;
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::pipeline::Transport;
use shuffledet_node::arguments::Names;
use shuffledet_node::qos::{End, Qos, QosError};

/// One topic of a camera, with its full name and quality of service.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTopic {
    /// Index of the camera.
    pub camera: usize,
    pub transport: Transport,
    pub name: String,
    pub qos: Qos,
    /// Whether the user set the depth.
    pub depth_given: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot subscribe to {topic}: {problem}")]
pub struct SubscribeError {
    topic: String,
    problem: RosError,
}

/// Returns the topics on which a camera's images may arrive: one, or raw and compressed if the
/// transport is `auto`.
pub fn image_topics(
    camera: usize,
    of: &CameraConfig,
    names: &Names,
    config: &Config,
) -> Result<Vec<ImageTopic>, (String, QosError)> {
    // the base is remapped, as in image_transport: remapping the raw topic also moves the compressed one
    let base = names.resolve(&of.image_topic);
    let transports = match of.transport {
        TransportChoice::Raw => &[Transport::Raw][..],
        TransportChoice::Compressed => &[Transport::Compressed],
        TransportChoice::Auto => &[Transport::Raw, Transport::Compressed],
    };
    transports
        .iter()
        .map(|&transport| {
            let name = match transport {
                Transport::Raw => base.clone(),
                Transport::Compressed => names.resolve(&format!("{base}/compressed")),
            };
            let overrides = config.qos_overrides.get(&name);
            let given = overrides.and_then(|o| o.subscription.as_ref());
            let depth_given = given.is_some_and(|given| given.depth.is_some());
            match Qos::images(of.reliability).overridden(overrides, End::Subscription) {
                Ok(qos) => Ok(ImageTopic {
                    camera,
                    transport,
                    name,
                    qos,
                    depth_given,
                }),
                Err(problem) => Err((name, problem)),
            }
        })
        .collect()
}

/// Subscribes to a topic. r2r ends the subscription at the first message after the stream is dropped.
pub fn subscribe(
    node: &mut r2r::Node,
    topic: &ImageTopic,
) -> Result<MessageStream, SubscribeError> {
    let (type_name, profile) = (topic.transport.message().name, qos::profile(&topic.qos));
    match explained(|| node.subscribe_raw(&topic.name, type_name, profile)) {
        Ok(stream) => Ok(Box::new(stream)),
        Err(problem) => Err(SubscribeError {
            topic: topic.name.clone(),
            problem,
        }),
    }
}
