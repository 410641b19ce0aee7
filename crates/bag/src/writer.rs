//! Writes a recording as MCAP, with the `metadata.yaml` for `ros2 bag`.
//!
//! Chunks are short (1 MiB or 1 s), and each is written to disk in one piece with its index
//! records. After a crash, the file only lacks the last second and the summary. The same messages
//! always give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use mcap::records::MessageHeader;
use mcap::{Compression, McapError, WriteOptions};

use super::error::BagError;
use super::metadata;
use super::storage::Storage;
use super::written_metadata::{self, Qos, WrittenTopic};

/// A chunk ends with the message that reaches this number of bytes, before compression.
const CHUNK_BYTES: u64 = 1 << 20;
/// A chunk ends with the message logged this long after its first.
const CHUNK_NS: u64 = 1_000_000_000;

/// A topic to write.
#[derive(Debug, Clone, Copy)]
pub struct TopicSpec<'a> {
    pub name: &'a str,
    /// Such as `sensor_msgs/msg/Image`.
    pub type_name: &'a str,
    /// The `.msg` text of the type and, after separators, of all nested types (`ros2msg`).
    pub definition: &'a str,
    pub qos: Qos,
}

/// A topic of a [`RecordingWriter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(usize);

/// The result of [`RecordingWriter::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRecording {
    pub mcap: PathBuf,
    pub metadata: PathBuf,
    pub message_count: u64,
    /// The name and number of messages of each topic, in the order of addition.
    pub topics: Vec<(String, u64)>,
}

/// A recording being written. If it is dropped without [`finish`](Self::finish), the MCAP file has
/// everything written so far, without `metadata.yaml`.
pub struct RecordingWriter {
    target: Target,
    mcap: mcap::Writer<BufWriter<File>>,
    topics: Vec<WrittenTopic>,
    channels: Vec<u16>,
    /// The first and last log time in nanoseconds.
    start_end_ns: Option<(u64, u64)>,
    chunk_bytes: u64,
    chunk_start_ns: u64,
}

impl RecordingWriter {
    /// Starts a recording: a `path` ending in `.mcap` is that file, with `metadata.yaml` beside it.
    /// Any other path is a bag folder with `path/NAME_0.mcap` and `path/metadata.yaml`.
    ///
    /// # Errors
    /// The output exists and `force` is not set, or it contains something other than a recording of
    /// that name, which `force` does not replace either. Nothing is changed then.
    pub fn create(path: &Path, force: bool) -> Result<Self, BagError> {
        let target = Target::check(path, force)?;
        std::fs::create_dir_all(&target.folder).map_err(BagError::io(&target.folder))?;
        for old in &target.replaced {
            std::fs::remove_file(old).map_err(BagError::io(old))?;
        }
        let file = File::create_new(&target.mcap).map_err(BagError::io(&target.mcap))?;
        let mut mcap = WriteOptions::new()
            .profile("ros2")
            .library(concat!("shuffledet ", env!("CARGO_PKG_VERSION")))
            .compression(Some(Compression::Zstd))
            // One thread, because the bytes could depend on their number.
            .compression_threads(0)
            // Chunks end here, also by time, and are then written in one piece.
            .chunk_size(None)
            .disable_seeking(true)
            .create(BufWriter::new(file))
            .map_err(target.failed())?;
        mcap.flush().map_err(target.failed())?;
        Ok(Self {
            target,
            mcap,
            topics: Vec::new(),
            channels: Vec::new(),
            start_end_ns: None,
            chunk_bytes: 0,
            chunk_start_ns: 0,
        })
    }

    /// Adds a topic of CDR messages. One name may have topics of several types.
    ///
    /// # Errors
    /// A topic with that name and type exists already, or the file cannot be written.
    pub fn add_topic(&mut self, topic: &TopicSpec) -> Result<TopicId, BagError> {
        let is_same = |t: &WrittenTopic| t.name == topic.name && t.type_name == topic.type_name;
        if self.topics.iter().any(is_same) {
            return Err(BagError::Topic {
                topic: topic.name.to_owned(),
                reason: "it was already added".into(),
            });
        }
        let profiles = topic.qos.to_profiles();
        let about = BTreeMap::from([("offered_qos_profiles".into(), profiles.clone())]);
        let channel = self
            .mcap
            .add_schema(topic.type_name, "ros2msg", topic.definition.as_bytes())
            .and_then(|schema| self.mcap.add_channel(schema, topic.name, "cdr", &about))
            .map_err(self.target.failed())?;
        self.channels.push(channel);
        self.topics.push(WrittenTopic {
            name: topic.name.to_owned(),
            type_name: topic.type_name.to_owned(),
            profiles,
            message_count: 0,
        });
        Ok(TopicId(self.topics.len() - 1))
    }

    /// Writes a message, logged at `log_time_ns` (nanoseconds since the epoch).
    ///
    /// # Errors
    /// `topic` is from another writer, or the file cannot be written.
    pub fn write(&mut self, topic: TopicId, log_time_ns: u64, data: &[u8]) -> Result<(), BagError> {
        let (Some(&channel_id), Some(written)) =
            (self.channels.get(topic.0), self.topics.get_mut(topic.0))
        else {
            return Err(BagError::Topic {
                topic: format!("number {}", topic.0),
                reason: "it was added to another recording".into(),
            });
        };
        let header = MessageHeader {
            channel_id,
            sequence: 0,
            log_time: log_time_ns,
            publish_time: log_time_ns,
        };
        self.mcap
            .write_to_known_channel(&header, data)
            .map_err(self.target.failed())?;
        written.message_count += 1;
        let (start, end) = self.start_end_ns.unwrap_or((log_time_ns, log_time_ns));
        self.start_end_ns = Some((start.min(log_time_ns), end.max(log_time_ns)));
        if self.chunk_bytes == 0 {
            self.chunk_start_ns = log_time_ns;
        }
        // A message without data also takes space.
        self.chunk_bytes += 1 + data.len() as u64;
        if self.chunk_bytes >= CHUNK_BYTES || log_time_ns.abs_diff(self.chunk_start_ns) >= CHUNK_NS
        {
            self.mcap.flush().map_err(self.target.failed())?;
            self.chunk_bytes = 0;
        }
        Ok(())
    }

    /// Removes what was written, because the recording must not be used. A recording that it
    /// overwrites is gone, too.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn discard(self) -> Result<(), BagError> {
        let mcap = self.target.mcap.clone();
        drop(self);
        std::fs::remove_file(&mcap).map_err(BagError::io(&mcap))
    }

    /// Completes the file with its index, and writes `metadata.yaml`.
    pub fn finish(mut self) -> Result<WrittenRecording, BagError> {
        self.mcap.finish().map_err(self.target.failed())?;
        let Target {
            folder,
            mcap,
            metadata,
            ..
        } = self.target;
        let mut file = self.mcap.into_inner();
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .map_err(BagError::io(&mcap))?;
        written_metadata::write(&folder, &mcap, &self.topics, self.start_end_ns)?;
        Ok(WrittenRecording {
            mcap,
            metadata,
            message_count: self.topics.iter().map(|t| t.message_count).sum(),
            topics: (self.topics.into_iter())
                .map(|t| (t.name, t.message_count))
                .collect(),
        })
    }
}

/// The checked output path.
struct Target {
    folder: PathBuf,
    mcap: PathBuf,
    metadata: PathBuf,
    /// The files to remove first.
    replaced: Vec<PathBuf>,
}

impl Target {
    fn check(path: &Path, force: bool) -> Result<Self, BagError> {
        let refuse = |path: &Path, reason: &str| BagError::NotOurs {
            path: path.to_owned(),
            reason: reason.into(),
        };
        let Some(name) = path.file_name() else {
            return Err(refuse(path, "is not the path of a file or folder"));
        };
        let lone = path.extension().is_some_and(|e| e == "mcap");
        if !lone && Storage::from_extension(path).is_some() {
            return Err(refuse(path, "expected a .mcap file or a bag folder"));
        }
        let (folder, mcap) = if lone {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            (parent.unwrap_or(Path::new(".")).to_owned(), path.to_owned())
        } else {
            let mut file = name.to_owned();
            file.push("_0.mcap");
            (path.to_owned(), path.join(file))
        };
        if folder.exists() && !folder.is_dir() {
            return Err(refuse(&folder, "is not a folder"));
        }
        let metadata = folder.join(metadata::FILE_NAME);
        let described = match metadata.exists() {
            true if lone || force => Some(metadata::listed_files(&metadata)?),
            _ => None,
        };
        let mut replaced = Vec::new();
        if lone {
            if described.is_some_and(|files| files != [Path::new(name)]) {
                return Err(refuse(&metadata, "describes another recording"));
            }
            replaced.extend(
                [&metadata, &mcap]
                    .into_iter()
                    .filter(|f| f.exists())
                    .cloned(),
            );
        } else if folder.exists() {
            if !force {
                return Err(BagError::Exists { path: folder });
            }
            let described = described.unwrap_or_default();
            for entry in std::fs::read_dir(&folder).map_err(BagError::io(&folder))? {
                let entry = entry.map_err(BagError::io(&folder))?.path();
                let ours = entry == metadata
                    || entry == mcap
                    || described.iter().any(|file| folder.join(file) == entry);
                if !ours {
                    return Err(refuse(&entry, "is not part of the recording to replace"));
                }
                replaced.push(entry);
            }
        }
        if let Some(folder) = replaced.iter().find(|path| path.is_dir()) {
            return Err(refuse(folder, "is a folder"));
        }
        match replaced.first() {
            Some(old) if !force => Err(BagError::Exists { path: old.clone() }),
            _ => Ok(Self {
                folder,
                mcap,
                metadata,
                replaced,
            }),
        }
    }

    /// Returns a function for `map_err` that adds the path to the writer's error.
    fn failed(&self) -> impl FnOnce(McapError) -> BagError + '_ {
        |source| BagError::Write {
            path: self.mcap.clone(),
            source,
        }
    }
}
