//! Looks up the topics on which a camera's frames may arrive.

use std::collections::HashSet;

use r2r::Node;
use thiserror::Error;

use super::error::{RosError, explained};
use super::graph::{GraphError, Listener, Topic};
use super::{Executor, ExecutorGone};
use crate::ros::qos::offered;
use shuffledet_node::doctor::candidates::{is_detection, may_be_meant};
use shuffledet_node::doctor::{ExpectedTopic, PublishedTopic, Publisher};

/// A failed lookup of the topics.
#[derive(Debug, Error)]
pub enum LookError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("cannot list the publishers of the topics: {0}")]
    Ros(#[from] RosError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Looks up topics of other nodes. Listens to the whole system only while a camera has no
/// publisher.
pub struct Doctor {
    executor: Executor,
    /// The node's own full name, because its own topics are not cameras.
    own: String,
    /// The node's enclave, for the listener.
    enclave: Option<String>,
    listener: Option<Listener>,
}

impl Doctor {
    pub fn new(executor: Executor, own: String, enclave: Option<String>) -> Self {
        Self {
            executor,
            own,
            enclave,
            listener: None,
        }
    }

    /// Returns the input of [`shuffledet_node::doctor::examine`]: the wanted topics and, if none of
    /// them has a publisher, similar topics and image topics. Blocks for half a second when it
    /// starts to listen.
    pub fn look(&mut self, wanted: &[ExpectedTopic]) -> Result<Vec<PublishedTopic>, LookError> {
        let names = wanted.iter().map(|wanted| wanted.topic.clone()).collect();
        let topics = self.published(names)?;
        if topics.iter().any(|topic| !topic.publishers.is_empty()) {
            self.rest();
            return Ok(topics);
        }
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => Listener::start(self.enclave.as_deref())?,
        };
        let is_candidate = |topic: &Topic| {
            wanted.iter().any(|wanted| {
                let of_type = topic.types.iter().any(|name| name == wanted.message_type);
                of_type || may_be_meant(&topic.name, wanted)
            })
        };
        let known = self.listener.insert(listener).topics()?;
        let detections = known
            .iter()
            .filter(|topic| topic.types.iter().any(|name| is_detection(name)));
        let detections = self.published(detections.map(|topic| topic.name.clone()).collect())?;
        let detectors: HashSet<&str> = detections
            .iter()
            .flat_map(|topic| &topic.publishers)
            .filter(|publisher| is_detection(&publisher.message_type))
            .map(|publisher| publisher.node.as_str())
            .collect();
        let candidates = known.iter().filter(|&topic| is_candidate(topic));
        let mut topics = self.published(candidates.map(|topic| topic.name.clone()).collect())?;
        for publisher in topics.iter_mut().flat_map(|topic| &mut topic.publishers) {
            publisher.detects = detectors.contains(publisher.node.as_str());
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Stops listening.
    pub fn rest(&mut self) {
        self.listener = None;
    }

    /// Returns the topics with their publishers, except the node itself.
    fn published(&self, names: Vec<String>) -> Result<Vec<PublishedTopic>, LookError> {
        let look = move |node: &mut Node| {
            let topics = names.into_iter().map(|name| publishers(node, name));
            topics.collect::<Result<Vec<_>, _>>()
        };
        let mut topics = self.executor.call(look)??;
        for topic in &mut topics {
            topic
                .publishers
                .retain(|publisher| publisher.node != self.own);
        }
        Ok(topics)
    }
}

fn publishers(node: &Node, name: String) -> Result<PublishedTopic, RosError> {
    let known = explained(|| node.get_publishers_info_by_topic(&name, false))?;
    let publishers = known.into_iter().map(|known| Publisher {
        // only the root namespace ends with a slash
        node: format!(
            "{}/{}",
            known.node_namespace.trim_end_matches('/'),
            known.node_name
        ),
        message_type: known.topic_type,
        qos: offered(&known.qos_profile),
        detects: false,
    });
    Ok(PublishedTopic {
        publishers: publishers.collect(),
        name,
    })
}
