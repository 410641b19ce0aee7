//! Ranks published topics by how likely they are the missing camera.

use std::cmp::Ordering;

use super::{COMPRESSED, ExpectedTopic, PublishedTopic};

/// The similarity of a name to the wanted one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Number of equal parts, counted from the end.
    parts: usize,
    /// Similarity of the letters, in [0, 1].
    letters: f64,
}

impl Likeness {
    pub fn between(name: &str, wanted: &ExpectedTopic) -> Self {
        Self {
            parts: shared_parts(name, &wanted.topic),
            letters: strsim::normalized_levenshtein(name, &wanted.topic),
        }
    }

    pub fn total_cmp(&self, other: &Self) -> Ordering {
        let parts = self.parts.cmp(&other.parts);
        parts.then(self.letters.total_cmp(&other.letters))
    }
}

/// Sorts by similarity, then by name, so that findings stay the same from one check to the next.
pub fn sort(found: &mut [(&ExpectedTopic, &str)]) {
    found.sort_by(|(a, a_name), (b, b_name)| {
        let nearer = Likeness::between(b_name, b).total_cmp(&Likeness::between(a_name, a));
        nearer.then(a_name.cmp(b_name))
    });
}

/// Returns whether `name` may stand for the wanted topic: its last part is equal, for compressed
/// images the last two.
pub fn may_be_meant(name: &str, wanted: &ExpectedTopic) -> bool {
    let least = if wanted.topic.ends_with(COMPRESSED) {
        2
    } else {
        1
    };
    name != wanted.topic && shared_parts(name, &wanted.topic) >= least
}

/// Returns whether `name` belongs to another camera of the node or is closer to it than to
/// `wanted`.
pub fn is_of_another(name: &str, wanted: &ExpectedTopic, others: &[String]) -> bool {
    let shared = shared_parts(name, &wanted.topic);
    others
        .iter()
        .any(|other| other == name || shared_parts(name, other) > shared)
}

/// Returns whether the topic may be a camera with the wanted type: not a detector's picture, not
/// depth, and not a transport that the node cannot read.
pub fn is_camera(topic: &PublishedTopic, wanted: &ExpectedTopic) -> bool {
    let name = topic.name.to_lowercase();
    let depth = |name: &str| DEPTH.iter().any(|word| name.contains(word));
    let mut parts = name.rsplit('/');
    let last = parts.next().unwrap_or_default();
    if OTHER_TRANSPORTS.contains(&last) || (depth(&name) && !depth(&wanted.topic.to_lowercase())) {
        return false;
    }
    let base = if last == "compressed" {
        parts.next().unwrap_or_default()
    } else {
        last
    };
    let drawn_in = OUTPUTS.iter().any(|word| base.contains(word))
        || parts.any(|part| SECTIONS.iter().any(|word| part.contains(word)));
    !drawn_in
        && topic.publishers.iter().any(|publisher| {
            let of_camera = !publisher.detects || CAMERA_NAMES.contains(&base);
            of_camera && publisher.message_type == wanted.message_type
        })
}

/// Returns whether a node that publishes this message type is a detector.
pub fn is_detection(message_type: &str) -> bool {
    ["Detection", "BoundingBox"]
        .iter()
        .any(|word| message_type.contains(word))
}

/// Transports, in lower case, that use image message types for other contents.
const OTHER_TRANSPORTS: [&str; 4] = ["compresseddepth", "theora", "ffmpeg", "zstd"];
const DEPTH: [&str; 2] = ["depth", "disparity"];
/// Words in the last part of a name that mark images with drawings.
const OUTPUTS: [&str; 15] = [
    "annotat", "detect", "dbg", "debug", "overlay", "visual", "result", "heatmap", "mask",
    "segment", "track", "label", "bbox", "boxes", "output",
];
/// Words in the other parts of a name that mark images with drawings.
const SECTIONS: [&str; 3] = ["annotat", "overlay", "visualiz"];
/// Names of plain pictures from a camera that has a detector of its own.
const CAMERA_NAMES: [&str; 5] = [
    "image_raw",
    "image_rect",
    "image_rect_color",
    "image_color",
    "image_mono",
];

fn shared_parts(a: &str, b: &str) -> usize {
    let pairs = a.rsplit('/').zip(b.rsplit('/'));
    pairs.take_while(|(a, b)| a == b && !a.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::super::Publisher;
    use super::*;
    use crate::qos::Qos;

    fn wanted(topic: &str) -> ExpectedTopic {
        ExpectedTopic {
            image_topic: "image_raw".to_owned(),
            topic: topic.to_owned(),
            message_type: "sensor_msgs/msg/Image",
            qos: Qos::IMAGES,
        }
    }

    fn is_camera_named(name: &str, wanted: &ExpectedTopic) -> bool {
        let publisher = Publisher {
            node: "/somebody".to_owned(),
            message_type: wanted.message_type.to_owned(),
            qos: Qos::IMAGES,
            detects: false,
        };
        let topic = PublishedTopic {
            name: name.to_owned(),
            publishers: vec![publisher],
        };
        is_camera(&topic, wanted)
    }

    #[test]
    fn only_the_same_last_parts_are_other_names() {
        let (raw, compressed) = (wanted("/image_raw"), wanted("/image_raw/compressed"));
        assert!(may_be_meant("/front/image_raw", &raw));
        assert!(!may_be_meant("/image_raw", &raw));
        assert!(!may_be_meant("/front/ximage_raw", &raw));
        assert!(may_be_meant("/front/image_raw/compressed", &compressed));
        assert!(!may_be_meant("/front/image_rect/compressed", &compressed));
        assert!(!may_be_meant("", &raw));
    }

    #[test]
    fn names_of_cameras_are_told_from_those_of_outputs() {
        let raw = wanted("/image_raw");
        for name in [
            "/front/image_raw",
            "/usb_cam/image_rect_color",
            "/camera/color/image_raw/compressed",
            "/debug_car/image_raw",
            "/infra1/image_rect_raw",
        ] {
            assert!(is_camera_named(name, &raw), "{name}");
        }
        for name in [
            "/shuffledet/image_annotated",
            "/shuffledet/front/image_annotated",
            "/yolo/dbg_image",
            "/yolo/dbg_image/compressed",
            "/darknet_ros/detection_image",
            "/detectnet/overlay",
            "/annotated/image_raw",
            "/tag_detections_image",
            "/camera/depth/image_rect_raw",
            "/stereo/disparity_image",
            "/image_raw/compressedDepth",
            "/image_raw/zstd",
        ] {
            assert!(!is_camera_named(name, &raw), "{name}");
        }
        assert!(is_camera_named(
            "/camera/depth/image_raw",
            &wanted("/my/depth/image_raw")
        ));
    }
}
