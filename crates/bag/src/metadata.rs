//! Reads `metadata.yaml` of rosbag2, versions 4 to 9.
//!
//! Only the fields needed for reading are used; all others are ignored. The versions differ little
//! in them: 5 added `files`, with the start of each file. If a field is missing, null or of another
//! type, its information comes from the files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::Topic;
use super::compression::MessageCompression;
use super::error::{BagError, NEWEST_VERSION, OLDEST_VERSION, Warnings};
use super::listed_file::existing;
use super::source::{BagFile, files_in};
use super::storage::Storage;
use super::yaml_size;
use shuffledet_core::text;

/// The name of the file in a bag folder.
pub(super) const FILE_NAME: &str = "metadata.yaml";

/// A longer file is not from rosbag2 (a topic takes about 500 bytes).
const MAX_BYTES: u64 = 16 << 20;

/// The checked content of `metadata.yaml`.
#[derive(Debug)]
pub(super) struct Metadata {
    pub compression: MessageCompression,
    /// In the order of recording; all of them exist.
    pub files: Vec<BagFile>,
    /// `None` if the list is incomplete.
    pub topics: Option<Vec<Topic>>,
    /// The first and last log time in nanoseconds; `None` for an empty recording.
    pub start_end_ns: Option<(u64, u64)>,
    /// Problems of the file.
    pub warnings: Warnings,
}

/// Returns the files that the `metadata.yaml` at `path` lists, under their names in it; of any
/// version.
pub(super) fn listed_files(path: &Path) -> Result<Vec<PathBuf>, BagError> {
    let names = file_names(&read(path)?);
    Ok(names.into_iter().map(PathBuf::from).collect())
}

impl Metadata {
    /// Reads and checks the `metadata.yaml` at `path`.
    pub fn read(path: &Path) -> Result<Self, BagError> {
        let raw = read(path)?;
        let mut warnings = Warnings::default();
        match raw.get("version").and_then(integer) {
            Some(found) if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&found) => {
                let path = path.to_owned();
                return Err(BagError::Version { path, found });
            }
            Some(_) => {}
            None => warnings.push(path, "states no version; read as a supported version"),
        }
        let compression = compression(&raw, path)?;
        let files = files(&raw, path, &mut warnings)?;
        let topics = topics(&raw);
        if topics.is_none() {
            let text = "does not list every topic; the files are opened to find them";
            warnings.push(path, text);
        }
        Ok(Self {
            compression,
            files,
            start_end_ns: start_end_ns(&raw, topics.as_deref()),
            topics,
            warnings,
        })
    }
}

fn compression(raw: &Value, path: &Path) -> Result<MessageCompression, BagError> {
    let text = |key| {
        raw.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
    };
    let (mode, format) = (text("compression_mode"), text("compression_format"));
    match mode.to_ascii_lowercase().as_str() {
        "" | "none" => Ok(MessageCompression::None),
        // The files themselves tell whether they are compressed.
        "file" if matches!(format, "" | "zstd") => Ok(MessageCompression::None),
        "message" if format == "zstd" => Ok(MessageCompression::Zstd),
        "message" if format.is_empty() => Ok(MessageCompression::Detect),
        _ => Err(BagError::Compression {
            path: path.to_owned(),
            mode: mode.to_owned(),
            format: format.to_owned(),
        }),
    }
}

/// Returns the listed files, or those in the folder if none is listed.
fn files(raw: &Value, path: &Path, warnings: &mut Warnings) -> Result<Vec<BagFile>, BagError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let names = file_names(raw);
    if names.is_empty() {
        let files = files_in(folder)?;
        warnings.push(
            path,
            format!(
                "lists no files; reading those in the folder ({})",
                files.len()
            ),
        );
        return Ok(files);
    }
    let stated = raw.get("storage_identifier").and_then(Value::as_str);
    let stated = stated.unwrap_or_default().trim();
    let storage = Storage::from_identifier(stated);
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for name in &names {
        let Some(found) = existing(folder, name, path)? else {
            missing.push(folder.join(name));
            continue;
        };
        if files.iter().any(|file: &BagFile| file.path == found) {
            warnings.push(
                path,
                format!("lists {name} more than once; it is read once"),
            );
            continue;
        }
        let of_name = Storage::from_extension(&found).filter(|_| stated.is_empty());
        let file = BagFile::with_storage(&found, storage.or(of_name))?;
        let Some(mut file) = file else {
            return Err(BagError::Storage {
                path: path.to_owned(),
                found: stated.to_owned(),
            });
        };
        if Some(file.storage) != storage && !stated.is_empty() {
            let text = format!(
                "states the storage {stated:?}, but the files are {}; they are read as such",
                file.storage.identifier()
            );
            warnings.push(path, text);
        }
        file.start_ns = start_of(raw, name);
        files.push(file);
    }
    if let Some(path) = missing.iter().find_map(|path| super::journal::find(path)) {
        return Err(BagError::Journal { path });
    }
    if missing.is_empty() {
        return Ok(files);
    }
    Err(BagError::MissingFiles {
        path: path.to_owned(),
        files: missing,
    })
}

/// Returns the names in `relative_file_paths`, otherwise those in `files`.
fn file_names(raw: &Value) -> Vec<String> {
    let names = |names: Vec<&Value>| -> Vec<String> {
        let names = names.into_iter().filter_map(Value::as_str);
        let names = names.filter(|name| !name.trim().is_empty());
        names.map(str::to_owned).collect()
    };
    let listed = names(list(raw, "relative_file_paths"));
    if !listed.is_empty() {
        return listed;
    }
    let files = list(raw, "files").into_iter();
    names(files.filter_map(|file| file.get("path")).collect())
}

/// Returns the log time of the first message in the file of this name; `None` if it is unknown.
fn start_of(raw: &Value, name: &str) -> Option<u64> {
    let file = list(raw, "files").into_iter().find(|file| {
        let path = file.get("path").and_then(Value::as_str);
        path.is_some_and(|path| super::listed_file::same_file(path, name))
    })?;
    // The time of an empty file is meaningless.
    let count = file.get("message_count").and_then(integer)?;
    let start = integer(file.get("starting_time")?.get("nanoseconds_since_epoch")?)?;
    (count > 0).then(|| u64::try_from(start).unwrap_or(0))
}

/// Returns the topics; `None` without a list, or if a topic lacks its name or type.
fn topics(raw: &Value) -> Option<Vec<Topic>> {
    let text = |of: &Value, key| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let topic = |entry: &Value| {
        let about = entry.get("topic_metadata")?;
        Some(Topic {
            name: text(about, "name").filter(|name| !name.is_empty())?,
            type_name: text(about, "type").filter(|name| !name.is_empty())?,
            serialization_format: text(about, "serialization_format").unwrap_or_default(),
            message_count: entry.get("message_count").and_then(count),
        })
    };
    let entries = list(raw, "topics_with_message_count");
    let topics: Option<Vec<Topic>> = entries.into_iter().map(topic).collect();
    topics.filter(|topics| !topics.is_empty())
}

fn start_end_ns(raw: &Value, topics: Option<&[Topic]>) -> Option<(u64, u64)> {
    let of_topics = || topics?.iter().map(|topic| topic.message_count).sum();
    let messages = raw
        .get("message_count")
        .and_then(count)
        .or_else(of_topics)?;
    let start = raw.get("starting_time")?.get("nanoseconds_since_epoch");
    let duration = raw.get("duration").and_then(|d| d.get("nanoseconds"));
    let start = u64::try_from(integer(start?)?).unwrap_or(0);
    let duration = duration.and_then(count)?;
    (messages > 0).then(|| (start, start.saturating_add(duration)))
}

/// Returns the elements of a list; any other value is its only element.
fn list<'a>(raw: &'a Value, key: &str) -> Vec<&'a Value> {
    match raw.get(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Sequence(elements)) => elements.iter().collect(),
        Some(one) => vec![one],
    }
}

/// Also parses a number in quotes.
fn integer(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn count(value: &Value) -> Option<u64> {
    integer(value).map(|count| u64::try_from(count).unwrap_or(0))
}

/// Returns the content below `rosbag2_bagfile_information`.
fn read(path: &Path) -> Result<Value, BagError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(BagError::io(path))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(bad(path, format!("longer than {MAX_BYTES} bytes")));
    }
    let text = text::decode(&text).map_err(|e| bad(path, e.to_string()))?;
    let document: Value = yaml_size::check(&text, 4 * MAX_BYTES)
        .and_then(|()| serde_yaml::from_str(&text))
        .map_err(|e| bad(path, format!("not rosbag2 metadata: {e}")))?;
    match document.get("rosbag2_bagfile_information") {
        Some(information @ Value::Mapping(_)) => Ok(information.clone()),
        _ => Err(bad(
            path,
            "not rosbag2 metadata: expected the field rosbag2_bagfile_information".to_owned(),
        )),
    }
}

fn bad(path: &Path, reason: String) -> BagError {
    BagError::Metadata {
        path: path.to_owned(),
        reason,
    }
}
