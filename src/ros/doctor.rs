//! What the node knows of the topics that a camera's frames could come on.

use std::collections::HashSet;

use r2r::Node;
use thiserror::Error;

use super::error::{RosError, explained};
use super::graph::{GraphError, Listener, Topic};
use super::{Executor, ExecutorGone};
use crate::ros::qos::offered;
use shuffledet_node::doctor::candidates::{is_detection, may_be_meant};
use shuffledet_node::doctor::{PublishedTopic, Publisher, Wanted};

/// Why nothing is known of the topics.
#[derive(Debug, Error)]
pub enum LookError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("the topics' publishers: {0}")]
    Ros(#[from] RosError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Looks at the topics of others. Listens to the whole system only as long as a camera without publishers makes it.
pub struct Doctor {
    executor: Executor,
    /// The node's own full name: what it publishes itself is no camera's.
    own: String,
    /// The node's, for the listener.
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

    /// What [`shuffledet_node::doctor::examine`] judges by: the topics that are wanted and, where none of them has a
    /// publisher, those that may be meant and those of images. Blocks for half a second when it begins to listen.
    pub fn look(&mut self, wanted: &[Wanted]) -> Result<Vec<PublishedTopic>, LookError> {
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

    /// Nothing is silent: there is nothing to listen for.
    pub fn rest(&mut self) {
        self.listener = None;
    }

    /// The topics with their publishers, the node itself left out.
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
        // the root namespace ends with the slash that the others lack
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
