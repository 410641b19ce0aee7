//! Why no frame comes from a camera, judged from what is known of the topics and their publishers.
//!
//! DDS connects nothing where types or policies do not fit, and says nothing about it.

use std::cmp::Reverse;
use std::fmt;

use super::qos::Qos;

/// One of the topics that would bring the camera's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The camera's `image_topic` as it was given, before namespaces and remapping: `image_raw`.
    pub image_topic: String,
    /// In full: `/front/image_raw`; of compressed images that of the raw ones and `/compressed`.
    pub topic: String,
    /// `sensor_msgs/msg/Image`
    pub message_type: &'static str,
    /// What the subscription asks for.
    pub qos: Qos,
}

/// A topic that somebody publishes.
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
    /// What it offers.
    pub qos: Qos,
}

/// Something that keeps frames away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem, self.mend)
    }
}

/// The most topics that are named as what might be meant.
const MOST_NAMED: usize = 3;

/// What the name of a topic of compressed images ends with.
const COMPRESSED: &str = "/compressed";

/// Why none of `wanted`, one camera's topics of which any would do, brings frames; never nothing. `published` has at least
/// the topics that are wanted and those that [`may_be_meant`], with their publishers.
pub fn examine(wanted: &[Wanted], published: &[PublishedTopic]) -> Vec<Finding> {
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
        findings = lookalikes(wanted, published);
    }
    if findings.is_empty() {
        findings.push(nobody(wanted, published));
    }
    findings
}

/// Whether `name` is another name of what is wanted: the last part is the same, of compressed images the last two.
pub fn may_be_meant(name: &str, wanted: &Wanted) -> bool {
    let least = if wanted.topic.ends_with(COMPRESSED) {
        2
    } else {
        1
    };
    name != wanted.topic && shared_parts(name, &wanted.topic) >= least
}

fn shared_parts(a: &str, b: &str) -> usize {
    let pairs = a.rsplit('/').zip(b.rsplit('/'));
    pairs.take_while(|(a, b)| a == b && !a.is_empty()).count()
}

/// What keeps one publisher of the wanted topic from being heard.
fn judge(publisher: &Publisher, wanted: &Wanted, findings: &mut Vec<Finding>) {
    let (topic, node) = (&wanted.topic, &publisher.node);
    if publisher.message_type != wanted.message_type {
        let (found, expected) = (&publisher.message_type, wanted.message_type);
        findings.push(Finding {
            problem: format!("{node} publishes {found} on {topic}, expected {expected}"),
            mend: match found.as_str() {
                "sensor_msgs/msg/Image" | "sensor_msgs/msg/CompressedImage" => {
                    "raw images belong on NAME and compressed ones on NAME/compressed: remap the \
                     publisher or set image_topic and transport"
                        .to_owned()
                }
                _ => "set image_topic to a topic of images, or remap".to_owned(),
            },
        });
        return;
    }
    for mismatch in publisher.qos.mismatches(&wanted.qos, topic) {
        let (policy, offered, requested) = (mismatch.policy, mismatch.offered, mismatch.requested);
        findings.push(Finding {
            problem: format!(
                "{node} offers {policy} {offered} on {topic}, and {requested} is asked for"
            ),
            mend: format!("set the parameter {}", mismatch.mend),
        });
    }
}

/// Every publisher of the topic fits.
fn silent(wanted: &Wanted, publishers: &[Publisher]) -> Finding {
    let nodes: Vec<_> = publishers
        .iter()
        .map(|publisher| publisher.node.as_str())
        .collect();
    Finding {
        problem: format!(
            "{} is published by {}, type and quality of service fit, and nothing arrives",
            wanted.topic,
            nodes.join(", ")
        ),
        mend: "see whether the camera runs; big images need more shared memory (Fast DDS: segment_size) or larger socket \
               buffers (sysctl net.core.rmem_max) than the default"
            .to_owned(),
    }
}

/// The topics whose names come nearest to those wanted.
fn lookalikes(wanted: &[Wanted], published: &[PublishedTopic]) -> Vec<Finding> {
    let mut found = Vec::new();
    for wanted in wanted {
        let meant = published.iter().filter(|topic| {
            let fits = |publisher: &Publisher| publisher.message_type == wanted.message_type;
            may_be_meant(&topic.name, wanted) && topic.publishers.iter().any(fits)
        });
        found.extend(meant.map(|topic| {
            (
                shared_parts(&topic.name, &wanted.topic),
                wanted,
                topic.name.as_str(),
            )
        }));
    }
    // the nearest first; equally near ones by name, so that the findings do not change from one look to the next
    found.sort_by_key(|&(shared, _, name)| (Reverse(shared), name));
    let found = found.into_iter().take(MOST_NAMED);
    found
        .map(|(_, wanted, name)| Finding {
            problem: format!("nobody publishes {}, but {name} is published", wanted.topic),
            // as with image_transport, the name of compressed images follows that of raw ones
            mend: format!(
                "start the node with --ros-args -r {}:={}",
                wanted.image_topic,
                name.strip_suffix(COMPRESSED).unwrap_or(name)
            ),
        })
        .collect()
}

fn nobody(wanted: &[Wanted], published: &[PublishedTopic]) -> Finding {
    let topics: Vec<_> = wanted.iter().map(|wanted| wanted.topic.as_str()).collect();
    let is_wanted = |publisher: &Publisher| {
        wanted
            .iter()
            .any(|wanted| publisher.message_type == wanted.message_type)
    };
    let mut others: Vec<_> = published
        .iter()
        .filter(|topic| topic.publishers.iter().any(is_wanted))
        .map(|topic| topic.name.as_str())
        .collect();
    others.sort_unstable();
    others.truncate(MOST_NAMED);
    Finding {
        problem: format!("nobody publishes {}", topics.join(" or ")),
        mend: if others.is_empty() {
            "start the camera's driver, and see that both use the same ROS_DOMAIN_ID and network"
                .to_owned()
        } else {
            format!(
                "images are published on {}: set image_topic, or remap",
                others.join(", ")
            )
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qos::{Durability, Reliability};

    const IMAGE: &str = "sensor_msgs/msg/Image";
    const JPEG: &str = "sensor_msgs/msg/CompressedImage";

    fn wanted(image_topic: &str, topic: &str, message_type: &'static str) -> Wanted {
        Wanted {
            image_topic: image_topic.to_owned(),
            topic: topic.to_owned(),
            message_type,
            qos: Qos::IMAGES,
        }
    }

    fn raw() -> Wanted {
        wanted("image_raw", "/image_raw", IMAGE)
    }

    fn both() -> [Wanted; 2] {
        [raw(), wanted("image_raw", "/image_raw/compressed", JPEG)]
    }

    fn published(name: &str, message_type: &str, qos: Qos) -> PublishedTopic {
        PublishedTopic {
            name: name.to_owned(),
            publishers: vec![Publisher {
                node: "/camera_driver".to_owned(),
                message_type: message_type.to_owned(),
                qos,
            }],
        }
    }

    fn texts(wanted: &[Wanted], published: &[PublishedTopic]) -> Vec<String> {
        let findings = examine(wanted, published);
        findings.iter().map(Finding::to_string).collect()
    }

    fn only(wanted: &[Wanted], published: &[PublishedTopic]) -> String {
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
            format!("{nobody}images are published on /zoo/pictures: set image_topic, or remap")
        );
    }

    #[test]
    fn every_policy_that_does_not_fit_is_named_with_its_mend() {
        let asked = Wanted {
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
                "/camera_driver offers reliability best_effort on /image_raw, and reliable is asked for: set the \
                 parameter qos_overrides./image_raw.subscription.reliability: best_effort",
                "/camera_driver offers durability volatile on /image_raw, and transient_local is asked for: set the \
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
             image_topic to a topic of images, or remap"
        );
        let text = only(&both(), &[published("/image_raw", JPEG, Qos::RESULTS)]);
        assert!(
            text.contains("expected sensor_msgs/msg/Image: raw images belong"),
            "{text}"
        );
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
        let mend = "is published: start the node with --ros-args -r front/image_raw:=";
        assert_eq!(
            texts(std::slice::from_ref(&front), &topics),
            [
                format!("{nobody} /sensors/front/image_raw {mend}/sensors/front/image_raw"),
                format!("{nobody} /rear/image_raw {mend}/rear/image_raw"),
                format!("{nobody} /xfront/image_raw {mend}/xfront/image_raw"),
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
    fn only_the_same_last_parts_are_other_names() {
        let [raw, compressed] = both();
        assert!(may_be_meant("/front/image_raw", &raw));
        assert!(!may_be_meant("/image_raw", &raw));
        assert!(!may_be_meant("/front/ximage_raw", &raw));
        assert!(may_be_meant("/front/image_raw/compressed", &compressed));
        assert!(!may_be_meant("/front/image_rect/compressed", &compressed));
        assert!(!may_be_meant("", &raw));
    }

    #[test]
    fn what_fits_and_is_silent_has_the_big_images_hint() {
        let text = only(&both(), &[published("/image_raw", IMAGE, Qos::RESULTS)]);
        assert!(
            text.starts_with("/image_raw is published by /camera_driver"),
            "{text}"
        );
        assert!(
            text.contains("segment_size") && text.contains("rmem_max"),
            "{text}"
        );
    }
}
