//! Errors that concern a recording as a whole. Damage inside a recording is a warning.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use super::journal;

/// The oldest supported version of `metadata.yaml`.
pub const OLDEST_VERSION: i64 = 4;

/// The newest supported version of `metadata.yaml`.
pub const NEWEST_VERSION: i64 = 9;

/// The reason for a file without content.
pub(super) const EMPTY: &str = "it is empty (0 bytes)";

/// Why a recording cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// The operating system reported an error.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The path is neither a bag folder nor a bag file.
    #[error(
        "{}: no recording found; expected a rosbag2 folder, or an MCAP or SQLite3 file (.mcap, .db3), optionally compressed with zstd",
        path.display()
    )]
    NotARecording { path: PathBuf },
    /// A bag file of ROS 1.
    #[error(
        "{}: a ROS 1 recording; expected one of ROS 2. Convert it: pip install rosbags && rosbags-convert --src {} --dst {}",
        path.display(), quoted(path), quoted(&path.with_extension(""))
    )]
    Ros1 { path: PathBuf },
    /// The path is a journal of a SQLite database instead of the database.
    #[error(
        "{}: found the journal of a SQLite database, which is not a recording; {}",
        path.display(), beside_journal(path)
    )]
    Journal { path: PathBuf },
    /// `metadata.yaml` names a file that is not in the bag folder.
    #[error(
        "{}: lists the file {name:?}, which is outside the bag folder and is not read; move it into the folder and put only its name into relative_file_paths",
        path.display()
    )]
    Outside { path: PathBuf, name: String },
    /// A folder without `metadata.yaml` has files of both storages.
    #[error(
        "{}: found .mcap and .db3 files but no metadata.yaml; pass the path of one file, or restore metadata.yaml (ros2 bag reindex)",
        path.display()
    )]
    MixedStorage { path: PathBuf },
    /// `metadata.yaml` does not have the form that rosbag2 writes.
    #[error(
        "{}: {reason}; restore it with `ros2 bag reindex`, or remove it to read the files as they are",
        path.display()
    )]
    Metadata { path: PathBuf, reason: String },
    /// `metadata.yaml` has an unknown version.
    #[error(
        "{}: version {found} of the rosbag2 format is not supported; expected {OLDEST_VERSION} to {NEWEST_VERSION}",
        path.display()
    )]
    Version { path: PathBuf, found: i64 },
    /// Files that `metadata.yaml` lists do not exist.
    #[error(
        "{}: missing {}; add the files, or remove metadata.yaml to read the files in the folder",
        path.display(), list(files)
    )]
    MissingFiles { path: PathBuf, files: Vec<PathBuf> },
    /// The storage plugin is unknown.
    #[error("{}: storage {found:?} is not supported; expected mcap or sqlite3", path.display())]
    Storage { path: PathBuf, found: String },
    /// The compression is unknown.
    #[error(
        "{}: compression {format:?} in mode {mode:?} is not supported; expected zstd in mode file or message",
        path.display()
    )]
    Compression {
        path: PathBuf,
        mode: String,
        format: String,
    },
    /// Nothing in the bag file is readable.
    #[error("{}: not a readable {kind} file: {reason}", path.display())]
    Unreadable {
        path: PathBuf,
        kind: &'static str,
        reason: String,
    },
    /// The recording does not have a selected topic.
    #[error("topic {topic} is not in the recording, which has: {}", known.join(", "))]
    UnknownTopic { topic: String, known: Vec<String> },
    /// The output already exists.
    #[error("{} exists; use --force to replace it", path.display())]
    Exists { path: PathBuf },
    /// Replacing the output would destroy or mislabel something else.
    #[error("{}: {reason}; choose another output", path.display())]
    NotOurs { path: PathBuf, reason: String },
    /// The topic cannot be added to the output.
    #[error("topic {topic} cannot be added to the recording: {reason}")]
    Topic { topic: String, reason: String },
    /// The MCAP writer failed.
    #[error("{}: cannot write: {source}", path.display())]
    Write {
        path: PathBuf,
        source: mcap::McapError,
    },
}

impl BagError {
    /// Returns a function for `map_err` that adds the path to an I/O error.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Returns the path quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns what to do if only a journal was found or given.
fn beside_journal(journal: &Path) -> String {
    match journal::database_of(journal) {
        Some(database) if database.exists() => {
            format!("give {}", database.display())
        }
        Some(database) => format!("put {} beside it and pass that path", database.display()),
        None => "pass the path of the database".to_owned(),
    }
}

fn list(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
    names.join(", ")
}

/// The warnings of one recording, at most [`Warnings::LIMIT`].
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    /// A file with damage everywhere must not fill the memory with warnings.
    const LIMIT: usize = 200;

    pub fn push(&mut self, file: &Path, text: impl Display) {
        self.add(format_args!("{}: {text}", file.display()));
    }

    /// Adds an error that names its file and does not end reading.
    pub fn push_error(&mut self, error: &BagError) {
        self.add(error);
    }

    pub fn add(&mut self, text: impl Display) {
        let text = text.to_string();
        if self.0.contains(&text) {
            // A file that is opened twice reports the same warnings.
        } else if self.0.len() < Self::LIMIT - 1 {
            self.0.push(text);
        } else if self.0.len() < Self::LIMIT {
            self.0.push("further warnings are omitted".into());
        }
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}
