//! What the node knows of the topics that a camera's frames could come on.

use r2r::Node;
use thiserror::Error;

use super::graph::{self, GraphError, Topic};
use super::{Executor, ExecutorGone};
use crate::node::doctor::{PublishedTopic, Publisher, Wanted, may_be_meant};
use crate::ros::qos::offered;

/// Why nothing is known of the topics.
#[derive(Debug, Error)]
pub enum LookError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("the topics' publishers: {0}")]
    Ros(#[from] r2r::Error),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What [`crate::node::doctor::examine`] judges by: the topics that are wanted and, where none of them has a publisher,
/// those that may be meant and those of images. May block for half a second.
pub fn look(executor: &Executor, wanted: &[Wanted]) -> Result<Vec<PublishedTopic>, LookError> {
    let topics = published(
        executor,
        wanted.iter().map(|wanted| wanted.topic.clone()).collect(),
    )?;
    if topics.iter().any(|topic| !topic.publishers.is_empty()) {
        return Ok(topics);
    }
    let is_candidate = |topic: &Topic| {
        wanted.iter().any(|wanted| {
            let of_type = topic.types.iter().any(|name| name == wanted.message_type);
            of_type || may_be_meant(&topic.name, wanted)
        })
    };
    let candidates = graph::topics()?.into_iter().filter(is_candidate);
    published(executor, candidates.map(|topic| topic.name).collect())
}

/// The topics with their publishers.
fn published(executor: &Executor, names: Vec<String>) -> Result<Vec<PublishedTopic>, LookError> {
    let look = move |node: &mut Node| {
        let topics = names.into_iter().map(|name| publishers(node, name));
        topics.collect::<r2r::Result<Vec<_>>>()
    };
    Ok(executor.call(look)??)
}

fn publishers(node: &Node, name: String) -> r2r::Result<PublishedTopic> {
    let known = node.get_publishers_info_by_topic(&name, false)?;
    let publishers = known.into_iter().map(|known| Publisher {
        // the root namespace ends with the slash that the others lack
        node: format!(
            "{}/{}",
            known.node_namespace.trim_end_matches('/'),
            known.node_name
        ),
        message_type: known.topic_type,
        qos: offered(&known.qos_profile),
    });
    Ok(PublishedTopic {
        publishers: publishers.collect(),
        name,
    })
}
