//! `metadata.yaml` of rosbag2, versions 4 to 9, as it is read.
//!
//! Only what reading needs is looked at; other fields, known and unknown, are left alone. Versions
//! differ little in it: 5 added `files`, with the start of each one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Topic;
use super::compression::MessageCompression;
use super::error::BagError;
use super::source::Storage;

/// Oldest version of `metadata.yaml` that is read.
pub const OLDEST_VERSION: i64 = 4;
/// Newest version of `metadata.yaml` that is read.
pub const NEWEST_VERSION: i64 = 9;

/// Name of the file in a bag folder.
pub(super) const FILE_NAME: &str = "metadata.yaml";

/// A longer file is not one that rosbag2 wrote (a topic takes about 500 bytes).
const MAX_BYTES: u64 = 16 << 20;

/// What `metadata.yaml` says, checked.
#[derive(Debug)]
pub(super) struct Metadata {
    pub storage: Storage,
    pub compression: MessageCompression,
    /// In the order of recording, each an existing file.
    pub files: Vec<ListedFile>,
    pub topics: Vec<Topic>,
    /// First and last log time in nanoseconds; none for an empty recording.
    pub start_end_ns: Option<(u64, u64)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct ListedFile {
    pub path: PathBuf,
    /// Log time of its first message in nanoseconds; none where the file does not say (version 4).
    pub start_ns: Option<u64>,
}

#[derive(Deserialize)]
struct Document<T> {
    rosbag2_bagfile_information: T,
}

#[derive(Deserialize)]
struct RawVersion {
    version: i64,
}

#[derive(Deserialize)]
struct RawFiles {
    relative_file_paths: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Raw {
    storage_identifier: String,
    relative_file_paths: Vec<PathBuf>,
    #[serde(default)]
    duration: RawDuration,
    #[serde(default)]
    starting_time: RawTime,
    #[serde(default)]
    message_count: u64,
    topics_with_message_count: Vec<RawCount>,
    #[serde(default)]
    compression_format: Option<String>,
    #[serde(default)]
    compression_mode: Option<String>,
    #[serde(default)]
    files: Option<Vec<RawFile>>,
}

#[derive(Deserialize, Default)]
struct RawDuration {
    nanoseconds: i64,
}

#[derive(Deserialize, Default)]
struct RawTime {
    nanoseconds_since_epoch: i64,
}

#[derive(Deserialize)]
struct RawCount {
    topic_metadata: RawTopic,
    message_count: u64,
}

#[derive(Deserialize)]
struct RawTopic {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    serialization_format: String,
}

#[derive(Deserialize)]
struct RawFile {
    path: PathBuf,
    starting_time: RawTime,
    message_count: u64,
}

/// The files that the `metadata.yaml` at `path` describes, as it names them; of any version.
pub(super) fn listed_files(path: &Path) -> Result<Vec<PathBuf>, BagError> {
    parse::<RawFiles>(&read(path)?, path).map(|raw| raw.relative_file_paths)
}

impl Metadata {
    /// Read and check the `metadata.yaml` at `path`.
    pub fn read(path: &Path) -> Result<Self, BagError> {
        let text = read(path)?;
        // The version comes first: a format to come may have other fields.
        let found = parse::<RawVersion>(&text, path)?.version;
        if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&found) {
            return Err(BagError::Version {
                path: path.to_owned(),
                found,
            });
        }
        Self::check(parse(&text, path)?, path)
    }

    fn check(raw: Raw, path: &Path) -> Result<Self, BagError> {
        let storage =
            Storage::from_identifier(&raw.storage_identifier).ok_or_else(|| BagError::Storage {
                path: path.to_owned(),
                found: raw.storage_identifier.clone(),
            })?;
        let mode = raw.compression_mode.unwrap_or_default();
        let format = raw.compression_format.unwrap_or_default();
        let compression = match (mode.to_ascii_lowercase().as_str(), format.as_str()) {
            ("" | "none", _) | ("file", "zstd") => MessageCompression::None,
            ("message", "zstd") => MessageCompression::Zstd,
            _ => {
                return Err(BagError::Compression {
                    path: path.to_owned(),
                    mode,
                    format,
                });
            }
        };
        let listed = raw.files.unwrap_or_default();
        let start_of = |name: &Path| {
            let file = listed.iter().find(|f| f.path.as_path() == name)?;
            // An empty file carries a meaningless time.
            (file.message_count > 0).then(|| nanoseconds(&file.starting_time))
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for name in &raw.relative_file_paths {
            match existing(folder, name) {
                Some(path) => files.push(ListedFile {
                    path,
                    start_ns: start_of(name),
                }),
                None => missing.push(folder.join(name)),
            }
        }
        if !missing.is_empty() {
            return Err(BagError::MissingFiles {
                path: path.to_owned(),
                files: missing,
            });
        }
        let start = nanoseconds(&raw.starting_time);
        let duration = u64::try_from(raw.duration.nanoseconds).unwrap_or(0);
        Ok(Self {
            storage,
            compression,
            files,
            topics: raw
                .topics_with_message_count
                .into_iter()
                .map(|t| Topic {
                    name: t.topic_metadata.name,
                    type_name: t.topic_metadata.type_name,
                    serialization_format: t.topic_metadata.serialization_format,
                    message_count: Some(t.message_count),
                })
                .collect(),
            start_end_ns: (raw.message_count > 0).then(|| (start, start.saturating_add(duration))),
        })
    }
}

fn read(path: &Path) -> Result<String, BagError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(BagError::io(path))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(bad(path, format!("longer than {MAX_BYTES} bytes")));
    }
    String::from_utf8(text).map_err(|e| bad(path, e.to_string()))
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str, path: &Path) -> Result<T, BagError> {
    serde_yaml::from_str::<Document<T>>(text)
        .map(|document| document.rosbag2_bagfile_information)
        .map_err(|e| bad(path, format!("not rosbag2 metadata: {e}")))
}

fn bad(path: &Path, reason: String) -> BagError {
    BagError::Metadata {
        path: path.to_owned(),
        reason,
    }
}

fn nanoseconds(time: &RawTime) -> u64 {
    u64::try_from(time.nanoseconds_since_epoch).unwrap_or(0)
}

/// The file that `name` stands for: some rosbag2 versions leave out the suffix of compression.
fn existing(folder: &Path, name: &Path) -> Option<PathBuf> {
    let plain = folder.join(name);
    let mut compressed = plain.clone().into_os_string();
    compressed.push(".zstd");
    [plain, compressed.into()]
        .into_iter()
        .find(|path| path.is_file())
}
