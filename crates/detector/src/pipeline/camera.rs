//! The image topics of a recording.

use std::collections::BTreeMap;

use super::Transport;
use shuffledet_bag::{Recording, Topic};
use shuffledet_msg::Carries;

/// An image topic of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    pub topic: String,
    /// The transport of its messages; the first one if they have several.
    pub transport: Transport,
}

/// A topic with images that are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableTopic {
    pub topic: String,
    pub why: String,
}

/// The image topics of a recording, one per name.
#[derive(Debug, Clone, Default)]
pub struct ImageTopics {
    pub cameras: Vec<Camera>,
    pub unreadable: Vec<UnreadableTopic>,
}

impl ImageTopics {
    /// Returns the image topics of `recording` by their types. Reads no messages.
    pub fn list(recording: &Recording) -> Self {
        let mut by_name = BTreeMap::<&str, Vec<&Topic>>::new();
        for topic in recording.topics() {
            by_name.entry(&topic.name).or_default().push(topic);
        }
        let mut found = Self::default();
        for (name, topics) in by_name {
            let carried = || topics.iter().map(|topic| carries(topic));
            let transport = carried().find_map(|carries| transport(&carries));
            let why = carried().find_map(|carries| match carries {
                Carries::Unreadable(why) => Some(why),
                _ => None,
            });
            let topic = name.to_owned();
            match (transport, why) {
                (Some(transport), _) => found.cameras.push(Camera { topic, transport }),
                (None, Some(why)) => found.unreadable.push(UnreadableTopic { topic, why }),
                (None, None) => {}
            }
        }
        found
    }
}

/// Classifies the messages of a topic.
pub(super) fn carries(topic: &Topic) -> Carries {
    Carries::by_type(&topic.type_name, &topic.serialization_format)
}

fn transport(carries: &Carries) -> Option<Transport> {
    match carries {
        Carries::Images(form) if form.is_compressed() => Some(Transport::Compressed),
        Carries::Images(_) => Some(Transport::Raw),
        _ => None,
    }
}
