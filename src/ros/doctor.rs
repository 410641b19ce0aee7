//! What the node knows of the topics that a camera's frames could come on.

use r2r::Node;

use crate::node::doctor::{PublishedTopic, Publisher, Wanted, may_be_meant};
use crate::ros::qos::offered;

/// What [`crate::node::doctor::examine`] judges by: the topics that are wanted and, where none of them has a publisher,
/// those that may be meant and those of images. To be called on the node's own thread; takes some milliseconds at most.
pub fn look(node: &Node, wanted: &[Wanted]) -> r2r::Result<Vec<PublishedTopic>> {
    let published = |names: Vec<String>| {
        let topics = names.into_iter().map(|name| publishers(node, name));
        topics.collect::<r2r::Result<Vec<_>>>()
    };
    let topics = published(wanted.iter().map(|wanted| wanted.topic.clone()).collect())?;
    if topics.iter().any(|topic| !topic.publishers.is_empty()) {
        return Ok(topics);
    }
    published(candidates(node, wanted)?)
}

/// Topics that may be meant, or that are of a wanted type.
fn candidates(node: &Node, wanted: &[Wanted]) -> r2r::Result<Vec<String>> {
    // For a topic of several types r2r gives its first one and then those of other topics: only the first is right, and the
    // publishers are asked for theirs.
    let topics = node.get_topic_names_and_types()?;
    let is_candidate = |name: &str, types: &[String]| {
        wanted.iter().any(|wanted| {
            let first = types
                .first()
                .is_some_and(|first| first == wanted.message_type);
            first || may_be_meant(name, wanted)
        })
    };
    let candidates = topics
        .into_iter()
        .filter(|(name, types)| is_candidate(name, types))
        .map(|(name, _)| name);
    Ok(candidates.collect())
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
