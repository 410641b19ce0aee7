//! What can go wrong with a recording as a whole; damage inside one is a warning instead.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use super::journal;

/// Oldest version of `metadata.yaml` that is read.
pub const OLDEST_VERSION: i64 = 4;

/// Newest version of `metadata.yaml` that is read.
pub const NEWEST_VERSION: i64 = 9;

/// Why a recording cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// The operating system refused.
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
    /// A journal of a SQLite database in place of the database.
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
    /// A folder without `metadata.yaml` that holds files of both storages.
    #[error(
        "{}: found .mcap and .db3 files but no metadata.yaml; pass the path of one file, or restore metadata.yaml (ros2 bag reindex)",
        path.display()
    )]
    MixedStorage { path: PathBuf },
    /// `metadata.yaml` is not what rosbag2 writes.
    #[error(
        "{}: {reason}; restore it with `ros2 bag reindex`, or remove it to read the files as they are",
        path.display()
    )]
    Metadata { path: PathBuf, reason: String },
    /// `metadata.yaml` of a version that is not known.
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
    /// A storage plugin that is not known.
    #[error("{}: storage {found:?} is not supported; expected mcap or sqlite3", path.display())]
    Storage { path: PathBuf, found: String },
    /// A compression that is not known.
    #[error(
        "{}: compression {format:?} in mode {mode:?} is not supported; expected zstd in mode file or message",
        path.display()
    )]
    Compression {
        path: PathBuf,
        mode: String,
        format: String,
    },
    /// A bag file of which nothing can be read.
    #[error("{}: not a readable {kind} file: {reason}", path.display())]
    Unreadable {
        path: PathBuf,
        kind: &'static str,
        reason: String,
    },
    /// A selected topic that the recording does not have.
    #[error("topic {topic} is not in the recording, which has: {}", known.join(", "))]
    UnknownTopic { topic: String, known: Vec<String> },
    /// The output is there already.
    #[error("{} exists; use --force to replace it", path.display())]
    Exists { path: PathBuf },
    /// Replacing the output would destroy or mislabel something else.
    #[error("{}: {reason}; choose another output", path.display())]
    NotOurs { path: PathBuf, reason: String },
    /// A topic that cannot be added to the output.
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
    /// For `map_err`: an I/O error with the path that it happened on.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What to do where only a journal was found or given.
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

/// The warnings of one recording, of which there are never more than [`Warnings::LIMIT`].
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    /// A file with damage everywhere must not fill the memory with warnings about it.
    const LIMIT: usize = 200;

    pub fn push(&mut self, file: &Path, text: impl Display) {
        self.add(format_args!("{}: {text}", file.display()));
    }

    /// An error that names its file, and that reading goes on after.
    pub fn push_error(&mut self, error: &BagError) {
        self.add(error);
    }

    pub fn add(&mut self, text: impl Display) {
        let text = text.to_string();
        if self.0.contains(&text) {
            // A file that is opened twice has the same to tell.
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
