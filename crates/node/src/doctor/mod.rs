//! Finds out why no frame arrives from a camera, based on the topics and their publishers.
//!
//! DDS does not connect endpoints with different types or incompatible policies, and reports
//! nothing.

pub mod candidates;

use std::fmt;

use candidates::Likeness;

use crate::qos::Qos;

/// A topic that may carry the camera's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTopic {
    /// The camera's `image_topic` parameter, before namespaces and remapping: `image_raw`.
    pub image_topic: String,
    /// The full name, such as `/front/image_raw`; compressed images have `/compressed` appended.
    pub topic: String,
    /// The message type, such as `sensor_msgs/msg/Image`.
    pub message_type: &'static str,
    /// The quality of service that the subscription requests.
    pub qos: Qos,
}

/// A topic with its publishers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTopic {
    /// In full.
    pub name: String,
    pub publishers: Vec<Publisher>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// In full.
    pub node: String,
    pub message_type: String,
    /// The quality of service that the publisher offers.
    pub qos: Qos,
    /// Whether its node also publishes detections.
    pub detects: bool,
}

/// The node's other cameras and the discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Full names of the topics of the node's other cameras.
    pub others: Vec<String>,
    /// Whether a discovery server is used, which reports only matching publishers.
    pub discovery_server: bool,
}

/// A reason why no frames arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The problem.
    pub problem: String,
    /// The fix.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem, self.fix)
    }
}

/// The maximum number of topics to suggest.
const MOST_NAMED: usize = 3;

/// The suffix of topics with compressed images.
pub(super) const COMPRESSED: &str = "/compressed";

/// Returns the reasons why no frames arrive on any of `wanted`, the alternative topics of one
/// camera. Returns at least one. `published` has at least the wanted topics and those that
/// [`may_be_meant`].
pub fn examine(
    wanted: &[ExpectedTopic],
    published: &[PublishedTopic],
    around: &Surroundings,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wanted in wanted {
        let topic = published.iter().find(|topic| topic.name == wanted.topic);
        let publishers = topic.map_or(&[][..], |topic| &topic.publishers);
        let before = findings.len();
        for publisher in publishers {
            judge(publisher, wanted, &mut findings);
        }
        if !publishers.is_empty() && findings.len() == before {
            findings.push(silent(wanted, publishers));
        }
    }
    if findings.is_empty() {
        findings = lookalikes(wanted, published, around);
    }
    if findings.is_empty() {
        findings.push(nobody(wanted, published, around));
    }
    findings
}

/// Adds the reasons why one publisher of the wanted topic does not connect.
fn judge(publisher: &Publisher, wanted: &ExpectedTopic, findings: &mut Vec<Finding>) {
    let (topic, node) = (&wanted.topic, &publisher.node);
    if publisher.message_type != wanted.message_type {
        let (found, expected) = (&publisher.message_type, wanted.message_type);
        findings.push(Finding {
            problem: format!("{node} publishes {found} on {topic}, expected {expected}"),
            fix: fix_of_type(found, wanted),
        });
        return;
    }
    for mismatch in publisher.qos.mismatches(&wanted.qos, topic) {
        let (policy, offered, requested) = (mismatch.policy, mismatch.offered, mismatch.requested);
        findings.push(Finding {
            problem: format!(
                "{node} offers {policy} {offered} on {topic}, but the node requests {requested}"
            ),
            fix: format!("set the parameter {}", mismatch.fix),
        });
    }
}

fn fix_of_type(found: &str, wanted: &ExpectedTopic) -> String {
    let topic = &wanted.topic;
    match found {
        "sensor_msgs/msg/CompressedImage" => format!(
            "compressed images are expected on NAME/compressed: set input.transport to compressed and start the node with \
             --ros-args -r {topic}{COMPRESSED}:={topic}"
        ),
        "sensor_msgs/msg/Image" => {
            "raw images are expected on NAME without /compressed: remap the publisher, or set image_topic and transport"
                .to_owned()
        }
        _ => "set image_topic to an image topic, or remap it".to_owned(),
    }
}

/// Returns the finding for a topic with matching publishers only.
fn silent(wanted: &ExpectedTopic, publishers: &[Publisher]) -> Finding {
    let nodes: Vec<_> = publishers
        .iter()
        .map(|publisher| publisher.node.as_str())
        .collect();
    Finding {
        problem: format!(
            "no messages arrive on {} from {}, although type and quality of service match",
            wanted.topic,
            nodes.join(", ")
        ),
        fix: "check that the camera runs; large images need more shared memory (Fast DDS: segment_size) or larger socket \
               buffers (sysctl net.core.rmem_max) than the default"
            .to_owned(),
    }
}

/// Suggests the topics with the names closest to the wanted ones.
fn lookalikes(
    wanted: &[ExpectedTopic],
    published: &[PublishedTopic],
    around: &Surroundings,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for wanted in wanted {
        let meant = published.iter().filter(|topic| {
            candidates::may_be_meant(&topic.name, wanted)
                && candidates::is_camera(topic, wanted)
                && !candidates::is_of_another(&topic.name, wanted, &around.others)
        });
        found.extend(meant.map(|topic| (wanted, topic.name.as_str())));
    }
    candidates::sort(&mut found);
    let found = found.into_iter().take(MOST_NAMED);
    found
        .map(|(wanted, name)| Finding {
            problem: format!("nobody publishes {}, but {name} is published", wanted.topic),
            // as in image_transport, the name for compressed images derives from the raw name
            fix: format!(
                "start the node with --ros-args -r {}:={}",
                wanted.image_topic,
                name.strip_suffix(COMPRESSED).unwrap_or(name)
            ),
        })
        .collect()
}

fn nobody(
    wanted: &[ExpectedTopic],
    published: &[PublishedTopic],
    around: &Surroundings,
) -> Finding {
    let topics: Vec<_> = wanted.iter().map(|wanted| wanted.topic.as_str()).collect();
    let mut found = Vec::new();
    for topic in published {
        let best = wanted
            .iter()
            .filter(|wanted| {
                candidates::is_camera(topic, wanted)
                    && !candidates::is_of_another(&topic.name, wanted, &around.others)
            })
            .max_by(|a, b| {
                Likeness::between(&topic.name, a).total_cmp(&Likeness::between(&topic.name, b))
            });
        found.extend(best.map(|wanted| (wanted, topic.name.as_str())));
    }
    candidates::sort(&mut found);
    let names: Vec<_> = found
        .iter()
        .take(MOST_NAMED)
        .map(|&(_, name)| name)
        .collect();
    Finding {
        problem: format!("nobody publishes {}", topics.join(" or ")),
        fix: if !names.is_empty() {
            format!(
                "images are published on {}: set image_topic to one of them, or remap it",
                names.join(", ")
            )
        } else if around.discovery_server {
            "start the camera driver; the discovery server (ROS_DISCOVERY_SERVER) reports only publishers with this name \
             and type, so compare both with the output of ROS_SUPER_CLIENT=TRUE ros2 topic list -t"
                .to_owned()
        } else {
            "start the camera driver, and check that both use the same ROS_DOMAIN_ID and network"
                .to_owned()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qos::{Durability, Reliability};

    const IMAGE: &str = "sensor_msgs/msg/Image";
    const JPEG: &str = "sensor_msgs/msg/CompressedImage";

    fn wanted(image_topic: &str, topic: &str, message_type: &'static str) -> ExpectedTopic {
        ExpectedTopic {
            image_topic: image_topic.to_owned(),
            topic: topic.to_owned(),
            message_type,
            qos: Qos::IMAGES,
        }
    }

    fn raw() -> ExpectedTopic {
        wanted("image_raw", "/image_raw", IMAGE)
    }

    fn both() -> [ExpectedTopic; 2] {
        [raw(), wanted("image_raw", "/image_raw/compressed", JPEG)]
    }

    fn published(name: &str, message_type: &str, qos: Qos) -> PublishedTopic {
        PublishedTopic {
            name: name.to_owned(),
            publishers: vec![Publisher {
                node: "/camera_driver".to_owned(),
                message_type: message_type.to_owned(),
                qos,
                detects: false,
            }],
        }
    }

    fn texts(wanted: &[ExpectedTopic], published: &[PublishedTopic]) -> Vec<String> {
        let findings = examine(wanted, published, &Surroundings::default());
        findings.iter().map(Finding::to_string).collect()
    }

    fn only(wanted: &[ExpectedTopic], published: &[PublishedTopic]) -> String {
        let mut texts = texts(wanted, published);
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts.remove(0)
    }

    #[test]
    fn nobody_publishes() {
        let nobody = "nobody publishes /image_raw or /image_raw/compressed: ";
        let text = only(&both(), &[]);
        assert!(
            text.starts_with(nobody) && text.contains("ROS_DOMAIN_ID"),
            "{text}"
        );
        // a topic that is only subscribed to has no publishers
        let empty = PublishedTopic {
            name: "/image_raw".to_owned(),
            publishers: Vec::new(),
        };
        assert_eq!(only(&both(), &[empty]), text);
        let other = [
            published("/zoo/pictures", IMAGE, Qos::IMAGES),
            published("/points", "sensor_msgs/msg/PointCloud2", Qos::IMAGES),
        ];
        assert_eq!(
            only(&both(), &other),
            format!(
                "{nobody}images are published on /zoo/pictures: set image_topic to one of them, or remap it"
            )
        );
    }

    #[test]
    fn every_policy_that_does_not_fit_is_named_with_its_fix() {
        let asked = ExpectedTopic {
            qos: Qos {
                reliability: Some(Reliability::Reliable),
                durability: Some(Durability::TransientLocal),
                ..Qos::IMAGES
            },
            ..raw()
        };
        let offered = published("/image_raw", IMAGE, Qos::IMAGES);
        assert_eq!(
            texts(&[asked], &[offered]),
            [
                "/camera_driver offers reliability best_effort on /image_raw, but the node requests reliable: set the \
                 parameter qos_overrides./image_raw.subscription.reliability: best_effort",
                "/camera_driver offers durability volatile on /image_raw, but the node requests transient_local: set the \
                 parameter qos_overrides./image_raw.subscription.durability: volatile",
            ]
        );
    }

    #[test]
    fn a_wrong_type_is_named() {
        let text = only(
            &[raw()],
            &[published("/image_raw", "std_msgs/msg/String", Qos::RESULTS)],
        );
        assert_eq!(
            text,
            "/camera_driver publishes std_msgs/msg/String on /image_raw, expected sensor_msgs/msg/Image: set \
             image_topic to an image topic, or remap it"
        );
        let text = only(&both(), &[published("/image_raw", JPEG, Qos::RESULTS)]);
        assert!(
            text.contains(
                "expected sensor_msgs/msg/Image: compressed images are expected on NAME/compressed"
            ) && text.ends_with("-r /image_raw/compressed:=/image_raw"),
            "{text}"
        );
        assert!(!text.contains("shared memory"), "{text}");
    }

    #[test]
    fn the_nearest_names_come_with_their_remapping() {
        let topics = [
            published("/image_raw/compressed", "std_msgs/msg/String", Qos::IMAGES),
            published("/sensors/front/image_raw", IMAGE, Qos::IMAGES),
            published("/rear/image_raw", IMAGE, Qos::IMAGES),
            published("/left/image_raw", JPEG, Qos::IMAGES),
            published("/xfront/image_raw", IMAGE, Qos::IMAGES),
            published("/front/image_rect", IMAGE, Qos::IMAGES),
        ];
        let front = wanted("front/image_raw", "/front/image_raw", IMAGE);
        let nobody = "nobody publishes /front/image_raw, but";
        let fix = "is published: start the node with --ros-args -r front/image_raw:=";
        assert_eq!(
            texts(std::slice::from_ref(&front), &topics),
            [
                format!("{nobody} /sensors/front/image_raw {fix}/sensors/front/image_raw"),
                format!("{nobody} /xfront/image_raw {fix}/xfront/image_raw"),
                format!("{nobody} /rear/image_raw {fix}/rear/image_raw"),
            ]
        );
        let compressed = published("/front/image_raw/compressed", JPEG, Qos::IMAGES);
        assert_eq!(
            only(&both(), &[compressed]),
            "nobody publishes /image_raw/compressed, but /front/image_raw/compressed is published: start the node \
             with --ros-args -r image_raw:=/front/image_raw"
        );
    }

    #[test]
    fn a_camera_was_pointed_at_the_other_camera_of_the_node() {
        let left = wanted("left/image_raw", "/left/image_raw", IMAGE);
        let around = Surroundings {
            others: vec![
                "/front/image_raw".to_owned(),
                "/front/image_raw/compressed".to_owned(),
            ],
            discovery_server: false,
        };
        let text = |topics: &[PublishedTopic]| {
            let findings = examine(std::slice::from_ref(&left), topics, &around);
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].to_string()
        };
        let front = published("/front/image_raw", IMAGE, Qos::IMAGES);
        let alone = text(std::slice::from_ref(&front));
        assert!(!alone.contains("/front/image_raw"), "{alone}");
        assert!(alone.contains("start the camera driver"), "{alone}");
        // another name of the front camera's is not the left one, either
        let car = [
            front,
            published("/car/front/image_raw", IMAGE, Qos::IMAGES),
            published("/car/left/image_raw", IMAGE, Qos::IMAGES),
        ];
        assert!(text(&car).ends_with("-r left/image_raw:=/car/left/image_raw"));
    }

    #[test]
    fn a_camera_was_pointed_at_a_detectors_picture() {
        let detector = |name: &str, message_type: &str| {
            let mut topic = published(name, message_type, Qos::RESULTS);
            topic.publishers[0].detects = true;
            topic
        };
        let outputs = [
            published("/shuffledet/image_annotated", JPEG, Qos::RESULTS),
            published("/yolo/dbg_image", IMAGE, Qos::RESULTS),
            published("/camera/image_raw/compressedDepth", JPEG, Qos::RESULTS),
            published("/camera/depth/image_raw", IMAGE, Qos::RESULTS),
            detector("/other/picture", IMAGE),
            detector("/other/picture/compressed", JPEG),
        ];
        let text = only(&both(), &outputs);
        assert!(
            text.ends_with("the same ROS_DOMAIN_ID and network"),
            "{text}"
        );
        // a camera that detects by itself is one, by the name of its pictures
        let smart = detector("/oak/image_raw", IMAGE);
        assert!(only(&both(), &[smart]).ends_with("-r image_raw:=/oak/image_raw"));
    }

    #[test]
    fn behind_a_discovery_server_others_are_not_seen() {
        let around = Surroundings {
            others: Vec::new(),
            discovery_server: true,
        };
        let text = examine(&both(), &[], &around)[0].to_string();
        assert!(text.contains("ROS_SUPER_CLIENT"), "{text}");
    }

    #[test]
    fn what_fits_and_is_silent_has_the_big_images_hint() {
        let text = only(&both(), &[published("/image_raw", IMAGE, Qos::RESULTS)]);
        assert!(
            text.starts_with("no messages arrive on /image_raw from /camera_driver"),
            "{text}"
        );
        assert!(
            text.contains("segment_size") && text.contains("rmem_max"),
            "{text}"
        );
    }
}
