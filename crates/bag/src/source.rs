//! The files of a recording, of any storage.

use std::path::{Path, PathBuf};

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, Warnings};
use super::journal;
use super::magic::{Kind, Magic};
use super::mcap_file::McapFile;
use super::mcap_reader::McapStream;
use super::sqlite_file::SqliteFile;
use super::sqlite_reader::SqliteStream;
use super::storage::Storage;
use super::stream::{Findings, ReadFilter, Stream};

/// Returns the bag files in a folder by name; all have the same storage.
pub(super) fn files_in(folder: &Path) -> Result<Vec<BagFile>, BagError> {
    let (mut files, mut other) = (Vec::new(), None);
    for entry in std::fs::read_dir(folder).map_err(BagError::io(folder))? {
        let path = entry.map_err(BagError::io(folder))?.path();
        if !path.is_file() {
            continue;
        }
        match BagFile::find(path) {
            Ok(file) => files.push(file),
            Err(BagError::NotARecording { .. }) => {}
            Err(error) => other = Some(error),
        }
    }
    // If bag files have their usual names, other files are something else.
    if files
        .iter()
        .any(|file| Storage::from_extension(&file.path).is_some())
    {
        files.retain(|file| Storage::from_extension(&file.path).is_some());
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let path = folder.to_owned();
    match (files.first(), other) {
        (None, Some(error)) => Err(error),
        (None, None) => Err(BagError::NotARecording { path }),
        (Some(first), _) if files.iter().any(|f| f.storage != first.storage) => {
            Err(BagError::MixedStorage { path })
        }
        (Some(_), _) => Ok(files),
    }
}

/// A file of a recording, opened or not.
#[derive(Debug, Clone)]
pub(super) struct BagFile {
    pub path: PathBuf,
    pub storage: Storage,
    is_packed: bool,
    /// The log time of its first message in nanoseconds, once known.
    pub start_ns: Option<u64>,
    source: Option<Source>,
}

impl BagFile {
    /// Detects the storage of the file by its content, or by its name if the content does not show
    /// it, as after damage.
    ///
    /// # Errors
    /// The file is not part of a recording, is a ROS 1 bag, or is a journal.
    pub fn find(path: PathBuf) -> Result<Self, BagError> {
        let of_name = Storage::from_extension(&path);
        match Self::with_storage(&path, of_name)? {
            Some(file) => Ok(file),
            None if journal::is_journal(&path) => Err(BagError::Journal { path }),
            None => Err(BagError::NotARecording { path }),
        }
    }

    /// Like [`find`](Self::find), with another fallback if the content does not show the storage;
    /// `None` without a fallback.
    pub fn with_storage(path: &Path, guess: Option<Storage>) -> Result<Option<Self>, BagError> {
        // A file that cannot be read is reported when it is opened; other files of the recording
        // may be fine.
        let magic = Magic::read(path).unwrap_or(Magic {
            is_packed: false,
            kind: None,
        });
        let storage = match magic.kind {
            Some(Kind::Ros1) => {
                let path = path.to_owned();
                return Err(BagError::Ros1 { path });
            }
            Some(Kind::Storage(storage)) => Some(storage),
            None => guess,
        };
        let is_named_packed = path.extension().is_some_and(|e| e == "zstd");
        Ok(storage.map(|storage| Self {
            path: path.to_owned(),
            storage,
            is_packed: magic.is_packed || (is_named_packed && magic.kind.is_none()),
            start_ns: None,
            source: None,
        }))
    }

    pub fn open(&mut self, warnings: &mut Warnings) -> Result<&Source, BagError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => self.open_source(warnings)?,
        };
        self.start_ns = self
            .start_ns
            .or(source.start_end_ns().map(|(start, _)| start));
        Ok(self.source.insert(source))
    }

    pub fn into_stream(
        mut self,
        wanted: &ReadFilter,
        found: &mut Findings,
    ) -> Result<Box<dyn Stream>, BagError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => self.open_source(&mut found.warnings)?,
        };
        for topic in source.topics() {
            if !wanted.is_recorded(&topic.name) {
                let text = format!("{} is not in metadata.yaml and is skipped", topic.name);
                found.warnings.push(&self.path, text);
            }
        }
        Ok(match source {
            Source::Mcap(file) => Box::new(McapStream::new(file, wanted, found)?),
            Source::Sqlite3(file) => Box::new(SqliteStream::new(file, wanted, found)?),
        })
    }

    fn open_source(&self, warnings: &mut Warnings) -> Result<Source, BagError> {
        let (file, damage) = PlainFile::new(&self.path, self.is_packed)?;
        if let Some(damage) = damage {
            warnings.push(&self.path, damage);
        }
        Ok(match self.storage {
            Storage::Mcap => Source::Mcap(McapFile::open(file, warnings)?),
            Storage::Sqlite3 => Source::Sqlite3(SqliteFile::open(file, warnings)?),
        })
    }
}

/// An opened file: its topics and the positions of its messages.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Mcap(McapFile),
    Sqlite3(SqliteFile),
}

impl Source {
    pub fn topics(&self) -> Vec<Topic> {
        match self {
            Self::Mcap(file) => file.topics().collect(),
            Self::Sqlite3(file) => file.topics().collect(),
        }
    }

    pub fn start_end_ns(&self) -> Option<(u64, u64)> {
        match self {
            Self::Mcap(file) => file.start_end_ns,
            Self::Sqlite3(file) => file.start_end_ns,
        }
    }
}
