//! Reads and writes rosbag2 recordings.
//!
//! Reads bag folders of versions 4 to 9 and single files, MCAP and SQLite3, including damaged ones.
//! Detects them by content, not by name. Returns everything readable in the order of log time, and
//! [`Messages::warnings`] lists the problems. Never reads or maps a whole file and trusts no length
//! that a file claims: memory use stays below about 100 MiB plus the largest message. Writes MCAP.
//! Does not interpret the content of messages.
//!
//! Lists the image topics of a recording:
//!
//! ```
//! use shuffledet_bag::{Qos, Recording, RecordingWriter, TopicSpec};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("drive");
//! let mut written = RecordingWriter::create(&path, false)?;
//! written.add_topic(&TopicSpec {
//!     name: "/camera/image_raw",
//!     type_name: "sensor_msgs/msg/Image",
//!     definition: "",
//!     qos: Qos { depth: 1, reliable: false, transient_local: false },
//! })?;
//! written.finish()?;
//!
//! let recording = Recording::open(&path)?;
//! let images = recording.topics().iter().filter(|topic| topic.type_name == "sensor_msgs/msg/Image");
//! assert_eq!(images.map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["/camera/image_raw"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compression;
mod error;
mod journal;
mod listed_file;
mod magic;
mod mcap_chunk;
mod mcap_file;
mod mcap_reader;
mod mcap_records;
mod mcap_scan;
mod merge;
mod metadata;
mod source;
mod sqlite_file;
mod sqlite_reader;
mod storage;
mod stream;
mod topics;
mod writer;
mod written_metadata;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use compression::MessageCompression;
use error::Warnings;
use metadata::Metadata;
use source::{BagFile, files_in};
use stream::{Findings, ReadFilter};
use topics::{TopicTable, merge_topics};

pub use error::BagError;
pub use merge::Messages;
pub use writer::{RecordingWriter, TopicId, TopicSpec, WrittenRecording};
pub use written_metadata::Qos;

/// A topic of a recording, also if several files have it. A name with messages of two types or two
/// serializations is two topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// Such as `sensor_msgs/msg/Image`; empty if an MCAP file does not give it.
    pub type_name: String,
    /// The serialization of the messages: `cdr`, or another that the caller may not know; empty if
    /// unknown.
    pub serialization_format: String,
    /// The count in the recording's metadata; `None` if it is missing.
    pub message_count: Option<u64>,
}

/// Which messages to read.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Exact names; empty: every topic.
    pub topics: Vec<String>,
    /// The log time of the first message, in nanoseconds.
    pub start_ns: Option<u64>,
    /// The log time in nanoseconds at which reading ends; exclusive.
    pub end_ns: Option<u64>,
}

/// A message, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHead {
    /// The index in [`Messages::topics`], which begin with [`Recording::topics`].
    pub topic: usize,
    /// The time of recording, in nanoseconds since the epoch.
    pub log_time_ns: u64,
}

/// An opened recording, with only its metadata read.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    files: Vec<BagFile>,
    topics: Vec<Topic>,
    start_end_ns: Option<(u64, u64)>,
    compression: MessageCompression,
    warnings: Warnings,
}

impl Recording {
    /// Opens a bag folder, or a single MCAP or SQLite3 file, optionally compressed with zstd.
    ///
    /// With a `metadata.yaml` this only reads the first bytes of each file. If it is missing or
    /// does not list the topics, each file is opened, and an MCAP file without an index is read
    /// completely once.
    ///
    /// # Errors
    /// There is no recording, its metadata is invalid, files are missing, or (without metadata) no
    /// file is readable.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        let kind = std::fs::metadata(path).map_err(|error| match journal::find(path) {
            Some(path) => BagError::Journal { path },
            None => BagError::io(path)(error),
        })?;
        if !kind.is_dir() && !kind.is_file() {
            // A pipe would block, and has no random access.
            let path = path.to_owned();
            return Err(BagError::NotARecording { path });
        }
        let unstated = MessageCompression::Detect;
        if kind.is_file() {
            let file = BagFile::find(path.to_owned())?;
            return Self::open_files(path, vec![file], unstated, Warnings::default());
        }
        let metadata = path.join(metadata::FILE_NAME);
        if metadata.exists() {
            return Self::from_metadata(path, Metadata::read(&metadata)?);
        }
        let files = files_in(path)?;
        let mut warnings = Warnings::default();
        warnings.push(
            path,
            format!(
                "no metadata.yaml; reading the {} bag files in the folder",
                files.len()
            ),
        );
        Self::open_files(path, files, unstated, warnings)
    }

    /// Returns the topics, sorted by name, type and serialization.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// Returns the log times of the first and the last message in nanoseconds; `None` without
    /// messages or if they are unknown.
    pub fn start_end_ns(&self) -> Option<(u64, u64)> {
        self.start_end_ns
    }

    /// Returns the warnings on opening; [`Messages::warnings`] includes them.
    pub fn warnings(&self) -> &[String] {
        self.warnings.as_slice()
    }

    /// Starts reading. The result owns its data and can move to another thread.
    ///
    /// # Errors
    /// A selected topic does not exist, or no file can be opened.
    pub fn read(&self, selection: &Selection) -> Result<Messages, BagError> {
        let recorded: HashSet<String> = self.topics.iter().map(|t| t.name.clone()).collect();
        let names = match selection.topics.as_slice() {
            [] => recorded.clone(),
            names => names.iter().cloned().collect(),
        };
        if let Some(unknown) = names.difference(&recorded).min() {
            let mut known: Vec<String> = recorded.iter().cloned().collect();
            known.sort_unstable();
            let topic = unknown.clone();
            return Err(BagError::UnknownTopic { topic, known });
        }
        let found = Findings {
            warnings: self.warnings.clone(),
            topics: TopicTable::new(self.topics.clone(), names),
        };
        let wanted = ReadFilter {
            recorded,
            start_ns: selection.start_ns.unwrap_or(0),
            end_ns: selection.end_ns,
        };
        Messages::new(
            self.path.clone(),
            self.files.clone(),
            wanted,
            self.compression,
            found,
        )
    }

    fn from_metadata(path: &Path, metadata: Metadata) -> Result<Self, BagError> {
        let Metadata {
            compression,
            files,
            topics,
            start_end_ns,
            warnings,
        } = metadata;
        match topics {
            None => Self::open_files(path, files, compression, warnings),
            Some(topics) => Ok(Self {
                path: path.to_owned(),
                files,
                topics: merge_topics(topics),
                start_end_ns,
                compression,
                warnings,
            }),
        }
    }

    /// Opens each file to find its topics and times.
    fn open_files(
        path: &Path,
        files: Vec<BagFile>,
        compression: MessageCompression,
        mut warnings: Warnings,
    ) -> Result<Self, BagError> {
        let (mut opened, mut error) = (Vec::new(), None);
        let mut topics = Vec::new();
        let mut start_end_ns: Option<(u64, u64)> = None;
        for mut file in files {
            match file.open(&mut warnings) {
                Ok(source) => {
                    topics.extend(source.topics());
                    if let Some((start, end)) = source.start_end_ns() {
                        let (first, last) = start_end_ns.unwrap_or((start, end));
                        start_end_ns = Some((first.min(start), last.max(end)));
                    }
                    opened.push(file);
                }
                Err(e) => {
                    if let Some(earlier) = error.replace(e) {
                        warnings.push_error(&earlier);
                    }
                }
            }
        }
        match error {
            Some(error) if opened.is_empty() => return Err(error),
            Some(error) => warnings.push_error(&error),
            None => {}
        }
        Ok(Self {
            path: path.to_owned(),
            files: opened,
            topics: merge_topics(topics),
            start_end_ns,
            compression,
            warnings,
        })
    }
}
