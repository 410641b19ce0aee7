//! The files of a recording, of whichever storage.

use std::path::{Path, PathBuf};

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, Warnings};
use super::mcap_file::McapFile;
use super::mcap_reader::McapStream;
use super::merge::{Stream, Wanted};
use super::sqlite_file::SqliteFile;
use super::sqlite_reader::SqliteStream;

/// The bag files in a folder, all of one storage, by name.
pub(super) fn files_in(folder: &Path) -> Result<Vec<BagFile>, BagError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(BagError::io(folder))? {
        let path = entry.map_err(BagError::io(folder))?.path();
        if let Some(storage) = Storage::from_extension(&path) {
            files.push(BagFile::new(path, storage, None));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let path = folder.to_owned();
    match files.first() {
        None => Err(BagError::NotARecording { path }),
        Some(first) if files.iter().any(|f| f.storage != first.storage) => {
            Err(BagError::MixedStorage { path })
        }
        Some(_) => Ok(files),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Mcap,
    Sqlite3,
}

impl Storage {
    pub fn from_identifier(identifier: &str) -> Option<Self> {
        match identifier {
            "mcap" => Some(Self::Mcap),
            "sqlite3" => Some(Self::Sqlite3),
            _ => None,
        }
    }

    pub fn from_extension(path: &Path) -> Option<Self> {
        let plain = match path.extension()?.to_str()? {
            "zstd" => Path::new(path.file_stem()?).extension()?.to_str()?,
            other => other,
        };
        match plain {
            "mcap" => Some(Self::Mcap),
            "db3" => Some(Self::Sqlite3),
            _ => None,
        }
    }
}

/// A file of a recording, opened or not.
#[derive(Debug, Clone)]
pub(super) struct BagFile {
    pub path: PathBuf,
    storage: Storage,
    /// Log time of its first message in nanoseconds, once it is known.
    pub start_ns: Option<u64>,
    source: Option<Source>,
}

impl BagFile {
    pub fn new(path: PathBuf, storage: Storage, start_ns: Option<u64>) -> Self {
        Self {
            path,
            storage,
            start_ns,
            source: None,
        }
    }

    pub fn open(&mut self, warnings: &mut Warnings) -> Result<&Source, BagError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => Source::open(&self.path, self.storage, warnings)?,
        };
        self.start_ns = self
            .start_ns
            .or(source.start_end_ns().map(|(start, _)| start));
        Ok(self.source.insert(source))
    }

    pub fn into_stream(
        self,
        wanted: &Wanted,
        warnings: &mut Warnings,
    ) -> Result<Box<dyn Stream>, BagError> {
        let source = match self.source {
            Some(source) => source,
            None => Source::open(&self.path, self.storage, warnings)?,
        };
        for topic in source.topics() {
            if !wanted.is_recorded(&topic.name) {
                let text = format!("{} is not in metadata.yaml, and left out", topic.name);
                warnings.push(&self.path, text);
            }
        }
        Ok(match source {
            Source::Mcap(file) => Box::new(McapStream::new(file, wanted)?),
            Source::Sqlite3(file) => Box::new(SqliteStream::new(file, wanted, warnings)?),
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
    fn open(path: &Path, storage: Storage, warnings: &mut Warnings) -> Result<Self, BagError> {
        let (file, damage) = PlainFile::new(path)?;
        if let Some(damage) = damage {
            warnings.push(path, damage);
        }
        Ok(match storage {
            Storage::Mcap => Self::Mcap(McapFile::open(file, warnings)?),
            Storage::Sqlite3 => Self::Sqlite3(SqliteFile::open(file, warnings)?),
        })
    }

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
