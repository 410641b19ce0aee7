//! Writes `metadata.yaml` in version 5, which ROS 2 Humble and later read.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::error::BagError;
use super::metadata::FILE_NAME;
use shuffledet_core::whole_file::{beside, keep};

/// The quality of service with which `ros2 bag play` publishes a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    /// The number of messages kept for a slow subscriber.
    pub depth: u32,
    /// Reliable, or best effort.
    pub reliable: bool,
    /// Transient local, so that late subscribers receive the last messages, or volatile.
    pub transient_local: bool,
}

impl Qos {
    /// Returns the list with one profile as text, with the numbers that rosbag2 of Humble writes
    /// for keep last, the policies, and unlimited durations.
    pub(super) fn to_profiles(self) -> String {
        let reliability = if self.reliable { 1 } else { 2 };
        let durability = if self.transient_local { 1 } else { 2 };
        let unlimited = "\n    sec: 9223372036\n    nsec: 854775807";
        format!(
            "- history: 1\n  depth: {}\n  reliability: {reliability}\n  durability: {durability}\n  \
             deadline:{unlimited}\n  lifespan:{unlimited}\n  liveliness: 1\n  \
             liveliness_lease_duration:{unlimited}\n  avoid_ros_namespace_conventions: false",
            self.depth
        )
    }
}

/// A topic of the written recording.
pub(super) struct WrittenTopic {
    pub name: String,
    pub type_name: String,
    pub profiles: String,
    pub message_count: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    rosbag2_bagfile_information: Information<'a>,
}

#[derive(Serialize)]
struct Information<'a> {
    version: u32,
    storage_identifier: &'a str,
    duration: Duration,
    starting_time: Time,
    message_count: u64,
    topics_with_message_count: Vec<Count<'a>>,
    compression_format: &'a str,
    compression_mode: &'a str,
    relative_file_paths: [&'a str; 1],
    files: [FileInformation<'a>; 1],
}

#[derive(Serialize, Clone, Copy)]
struct Duration {
    nanoseconds: u64,
}

#[derive(Serialize, Clone, Copy)]
struct Time {
    nanoseconds_since_epoch: u64,
}

#[derive(Serialize)]
struct Count<'a> {
    topic_metadata: TopicMetadata<'a>,
    message_count: u64,
}

#[derive(Serialize)]
struct TopicMetadata<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    serialization_format: &'a str,
    offered_qos_profiles: &'a str,
}

#[derive(Serialize)]
struct FileInformation<'a> {
    path: &'a str,
    starting_time: Time,
    duration: Duration,
    message_count: u64,
}

/// Writes the `metadata.yaml` of a recording with the one file `mcap` in `folder`: completely or
/// not at all.
pub(super) fn write(
    folder: &Path,
    mcap: &Path,
    topics: &[WrittenTopic],
    start_end_ns: Option<(u64, u64)>,
) -> Result<(), BagError> {
    let path = folder.join(FILE_NAME);
    let name = mcap.file_name().unwrap_or_default().to_string_lossy();
    let (start, end) = start_end_ns.unwrap_or((0, 0));
    let starting_time = Time {
        nanoseconds_since_epoch: start,
    };
    let duration = Duration {
        nanoseconds: end - start,
    };
    let message_count = topics.iter().map(|t| t.message_count).sum();
    let document = Document {
        rosbag2_bagfile_information: Information {
            version: 5,
            storage_identifier: "mcap",
            duration,
            starting_time,
            message_count,
            topics_with_message_count: topics.iter().map(Count::new).collect(),
            compression_format: "",
            compression_mode: "",
            relative_file_paths: [&name],
            files: [FileInformation {
                path: &name,
                starting_time,
                duration,
                message_count,
            }],
        },
    };
    let text = serde_yaml::to_string(&document).map_err(|e| BagError::Metadata {
        path: path.clone(),
        reason: e.to_string(),
    })?;
    let write = || {
        let mut file = beside(&path)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        keep(file, &path)
    };
    write().map_err(BagError::io(&path))
}

impl<'a> Count<'a> {
    fn new(topic: &'a WrittenTopic) -> Self {
        Self {
            topic_metadata: TopicMetadata {
                name: &topic.name,
                type_name: &topic.type_name,
                serialization_format: "cdr",
                offered_qos_profiles: &topic.profiles,
            },
            message_count: topic.message_count,
        }
    }
}
