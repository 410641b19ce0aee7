//! What an evaluation has finished so far, on disk: a run that was interrupted or killed goes on from there.
//!
//! Lines of JSON: first what the run is of, then one for each image as it is done. The file is there while the run is,
//! and goes when its results are written.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::subject::differences;
use super::{ImageRecord, Shard};
use shuffledet_core::text;

/// A journal that this process writes, alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// What a journal held.
#[derive(Debug, Default)]
pub struct FinishedImages {
    pub records: Vec<ImageRecord>,
    /// Seconds that were spent on them.
    pub wall_s: f64,
}

/// Why a journal cannot be gone on with.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: another run is writing this file; wait until it ends", path.display())]
    InUse { path: PathBuf },
    #[error("{}: line {line} is damaged: {problem}; start over with --force", path.display())]
    Damaged {
        path: PathBuf,
        line: usize,
        problem: String,
    },
    #[error("{}: belongs to a different run; it differs in:\n  {}\nrepeat that command, or start over with --force", path.display(), differences.join("\n  "))]
    Foreign {
        path: PathBuf,
        differences: Vec<String>,
    },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    /// The version of the format.
    shuffledet_journal: u32,
    identity: Value,
    shard: Option<Shard>,
}

const VERSION: u32 = 1;

/// Every other line.
#[derive(Deserialize)]
struct Line {
    wall_s: f64,
    image: ImageRecord,
}

/// A [`Line`] to be written.
#[derive(Serialize)]
struct LineRef<'a> {
    wall_s: f64,
    image: &'a ImageRecord,
}

impl Journal {
    /// Creates an empty journal at `path` for a run, which `identity` and its share identify.
    /// Replaces an existing file.
    pub fn begin(path: &Path, identity: Value, shard: Option<Shard>) -> Result<Self, JournalError> {
        let mut journal = Self::open(path)?;
        journal.start(identity, shard)?;
        Ok(journal)
    }

    /// Opens the journal at `path`, or an empty one, and returns its content. Leaves out a last
    /// line that was not written completely.
    pub fn resume(
        path: &Path,
        identity: Value,
        shard: Option<Shard>,
    ) -> Result<(Self, FinishedImages), JournalError> {
        let mut journal = Self::open(path)?;
        let mut bytes = Vec::new();
        let read = journal.file.read_to_end(&mut bytes);
        read.map_err(|source| journal.io(source))?;
        // what was not written whole may end within a character
        let text = text::decode_lossy(&bytes);
        let mut lines = text.split_inclusive('\n');
        let whole = |line: &&str| line.ends_with('\n');
        let Some(first) = lines.next().filter(whole) else {
            journal.start(identity, shard)?;
            return Ok((journal, FinishedImages::default()));
        };
        let damaged = |line, problem: String| JournalError::Damaged {
            path: path.to_owned(),
            line,
            problem,
        };
        let header: Header =
            serde_json::from_str(first).map_err(|error| damaged(1, error.to_string()))?;
        if header.shuffledet_journal != VERSION {
            let found = header.shuffledet_journal;
            let problem = format!("expected version {VERSION} of the format, found {found}");
            return Err(damaged(1, problem));
        }
        let with_shard = |identity: &Value, shard: Option<Shard>| {
            let mut identity = identity.clone();
            identity["shard"] = shard.map_or(Value::Null, |shard| shard.to_string().into());
            identity
        };
        let differences = differences(
            &with_shard(&header.identity, header.shard),
            &with_shard(&identity, shard),
        );
        if !differences.is_empty() {
            let path = path.to_owned();
            return Err(JournalError::Foreign { path, differences });
        }
        let (mut finished, mut end) = (FinishedImages::default(), first.len());
        for (number, line) in (2..).zip(lines.take_while(whole)) {
            let line_read: Line =
                serde_json::from_str(line).map_err(|error| damaged(number, error.to_string()))?;
            finished.wall_s = line_read.wall_s;
            finished.records.push(line_read.image);
            end += line.len();
        }
        match &text {
            Cow::Borrowed(_) => journal.cut(end as u64)?,
            // an editor has put a byte order mark or other ends of lines into it
            Cow::Owned(text) => journal.replace(&text[..end])?,
        }
        Ok((journal, finished))
    }

    /// Adds an image, `wall_s` seconds after the beginning, earlier runs included.
    pub fn add(&mut self, image: &ImageRecord, wall_s: f64) -> Result<(), JournalError> {
        self.write(&LineRef { wall_s, image })
    }

    /// Removes the file: the results are elsewhere.
    pub fn finish(self) -> Result<(), JournalError> {
        std::fs::remove_file(&self.path).map_err(|source| self.io(source))
    }

    fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(JournalError::InUse { path });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    fn start(&mut self, identity: Value, shard: Option<Shard>) -> Result<(), JournalError> {
        self.cut(0)?;
        self.write(&Header {
            shuffledet_journal: VERSION,
            identity,
            shard,
        })
    }

    /// Forgets what is behind the first `length` bytes.
    fn cut(&mut self, length: u64) -> Result<(), JournalError> {
        let cut = self.file.set_len(length);
        cut.and_then(|()| self.file.seek(SeekFrom::Start(length)))
            .map(drop)
            .map_err(|source| self.io(source))
    }

    /// Writes `text` in place of all that is there.
    fn replace(&mut self, text: &str) -> Result<(), JournalError> {
        self.cut(0)?;
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|source| self.io(source))
    }

    /// Writes a line at once, so that a process that is killed leaves whole lines.
    fn write(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let written = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.file.write_all(&line)
            });
        written.map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::ImageSource;

    fn image(index: u64) -> ImageRecord {
        ImageRecord {
            index,
            id: index + 100,
            source: ImageSource::File {
                file_name: format!("{index}.jpg"),
            },
            width: 640,
            height: 480,
            annotated_size: None,
            objects: Vec::new(),
            detections: Vec::new(),
            input_sizes: Vec::new(),
            stages_ms: [("infer".to_owned(), 0.1 + index as f64)].into(),
            damage: None,
            failure: None,
        }
    }

    fn indices(finished: &FinishedImages) -> Vec<u64> {
        finished.records.iter().map(|record| record.index).collect()
    }

    #[test]
    fn a_torn_last_line_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/x.journal");
        let mut journal = Journal::begin(&path, json!({"a": 1}), None).unwrap();
        for (index, wall_s) in [(0, 0.5), (1, 1.5), (2, 2.5)] {
            journal.add(&image(index), wall_s).unwrap();
        }
        assert!(matches!(
            Journal::resume(&path, json!({"a": 1}), None),
            Err(JournalError::InUse { .. })
        ));
        drop(journal);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        let (mut journal, finished) = Journal::resume(&path, json!({"a": 1}), None).unwrap();
        assert_eq!(finished.records, [image(0), image(1)]);
        assert_eq!(finished.wall_s, 1.5);
        journal.add(&image(2), 2.5).unwrap();
        drop(journal);
        assert_eq!(fs::read(&path).unwrap(), whole);
        let (journal, finished) = Journal::resume(&path, json!({"a": 1}), None).unwrap();
        assert_eq!(indices(&finished), [0, 1, 2]);
        journal.finish().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn an_editor_may_have_saved_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let mut journal = Journal::begin(&path, json!({}), None).unwrap();
        journal.add(&image(0), 1.0).unwrap();
        drop(journal);
        let whole = fs::read_to_string(&path).unwrap();
        let windows = format!("\u{feff}{}", whole.replace('\n', "\r\n"));
        for saved in [windows.clone(), format!("{windows}{{\"torn")] {
            fs::write(&path, saved).unwrap();
            let (mut journal, finished) = Journal::resume(&path, json!({}), None).unwrap();
            assert_eq!(indices(&finished), [0]);
            journal.add(&image(1), 2.0).unwrap();
            drop(journal);
            let (_, finished) = Journal::resume(&path, json!({}), None).unwrap();
            assert_eq!(indices(&finished), [0, 1]);
            assert!(fs::read_to_string(&path).unwrap().starts_with(&whole));
        }
    }

    #[test]
    fn wherever_it_was_cut_it_can_be_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let mut journal = Journal::begin(&path, json!({}), None).unwrap();
        journal.add(&image(0), 1.0).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (_, finished) = Journal::resume(&path, json!({}), None).unwrap();
            assert!(finished.records.is_empty(), "{length}");
        }
    }

    #[test]
    fn one_of_another_run_is_refused_by_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let shard = |text: &str| Some(text.parse().unwrap());
        drop(Journal::begin(&path, json!({"model": "a"}), shard("1/2")).unwrap());
        let error = Journal::resume(&path, json!({"model": "b"}), shard("2/2")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("model: \"a\" there, \"b\" here"), "{error}");
        assert!(
            error.contains("shard: \"1/2\" there, \"2/2\" here"),
            "{error}"
        );
        fs::write(
            &path,
            "{\"shuffledet_journal\":1,\"identity\":{},\"shard\":null}\nnonsense\n{}\n",
        )
        .unwrap();
        let error = Journal::resume(&path, json!({}), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2 is damaged"), "{error}");
        fs::write(
            &path,
            "{\"shuffledet_journal\":2,\"identity\":{},\"shard\":null}\n",
        )
        .unwrap();
        let error = Journal::resume(&path, json!({}), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected version 1"), "{error}");
    }
}
