//! The files of a recording, of whichever storage.

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
use super::stream::{Findings, Stream, Wanted};

/// The bag files in a folder, all of one storage, by name.
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
    // Where bag files have their usual names, others are something else.
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
    /// Log time of its first message in nanoseconds, once it is known.
    pub start_ns: Option<u64>,
    source: Option<Source>,
}

impl BagFile {
    /// Takes the file for what its content is; where that says nothing, as damage does, for what its name says.
    ///
    /// # Errors
    /// It is no file of a recording, one of ROS 1, or a journal.
    pub fn find(path: PathBuf) -> Result<Self, BagError> {
        let of_name = Storage::from_extension(&path);
        match Self::with_storage(&path, of_name)? {
            Some(file) => Ok(file),
            None if journal::is_journal(&path) => Err(BagError::Journal { path }),
            None => Err(BagError::NotARecording { path }),
        }
    }

    /// As [`find`](Self::find), with another guess where the content says nothing; none where there is no guess.
    pub fn with_storage(path: &Path, guess: Option<Storage>) -> Result<Option<Self>, BagError> {
        // One that cannot be read is told of when it is opened; others of the recording may be fine.
        let magic = Magic::of(path).unwrap_or(Magic {
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
        wanted: &Wanted,
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

/// An opened file: what is in it, and where.
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
