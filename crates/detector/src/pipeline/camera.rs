//! The image topics of a recording.

use std::collections::BTreeMap;

use super::Transport;
use shuffledet_bag::{Recording, Topic};
use shuffledet_msg::Carries;

/// The suffix of image_transport for the CompressedImage topic of an image topic.
const COMPRESSED: &str = "/compressed";

/// An image topic of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    pub topic: String,
    /// The transport of its messages; the first one if they have several.
    pub transport: Transport,
}

impl Camera {
    /// Returns the topic of the images whatever their transport: `.../image_raw/compressed` belongs
    /// to the image `.../image_raw`.
    pub fn image_topic(&self) -> &str {
        match self.transport {
            Transport::Raw => &self.topic,
            Transport::Compressed => self.topic.strip_suffix(COMPRESSED).unwrap_or(&self.topic),
        }
    }
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

/// Returns the topic where image_transport's camera subscribers expect the CameraInfo of an image:
/// `camera_info` in the namespace of the image.
pub fn info_topic(camera: &Camera) -> String {
    match camera.image_topic().rsplit_once('/') {
        Some((namespace, _)) => format!("{namespace}/camera_info"),
        None if camera.topic.starts_with('/') => "/camera_info".to_owned(),
        None => "camera_info".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_info_is_the_images_sibling() {
        for (topic, transport, expected) in [
            (
                "/camera/front/image_raw/compressed",
                Transport::Compressed,
                "/camera/front/camera_info",
            ),
            (
                "/camera/front/image_raw",
                Transport::Raw,
                "/camera/front/camera_info",
            ),
            (
                "/camera/front/image_raw",
                Transport::Compressed,
                "/camera/front/camera_info",
            ),
            ("/image", Transport::Raw, "/camera_info"),
            ("image_raw", Transport::Raw, "camera_info"),
            ("/image/compressed", Transport::Compressed, "/camera_info"),
            ("/image/compressed", Transport::Raw, "/image/camera_info"),
            ("/compressed", Transport::Compressed, "/camera_info"),
        ] {
            let camera = Camera {
                topic: topic.to_owned(),
                transport,
            };
            assert_eq!(info_topic(&camera), expected, "{topic} {transport:?}");
        }
    }
}
