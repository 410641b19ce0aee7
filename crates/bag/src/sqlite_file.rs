//! An opened SQLite3 bag file: its topics and what its tables show without reading messages.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, EMPTY, Warnings};
use super::journal::{self, MadeIndex};
use super::magic::SQLITE3;

/// The readable part of a `.db3` file.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile {
    pub file: PlainFile,
    /// The id and topic of each row of `topics`.
    pub topics: Vec<(i64, Topic)>,
    /// The first and last log time in nanoseconds.
    pub start_end_ns: Option<(u64, u64)>,
}

impl SqliteFile {
    pub fn open(file: PlainFile, warnings: &mut Warnings) -> Result<Self, BagError> {
        let file = whole_pages(file, warnings)?;
        let database = connect(&file, warnings)?;
        let db = &database.db;
        let topics = read_topics(db).map_err(|e| damaged(&file, &e))?;
        let mut opened = Self {
            file,
            topics,
            start_end_ns: None,
        };
        // Both may fail in a damaged file that is largely readable.
        opened.start_end_ns = read_start_end(db).ok().flatten();
        if let Ok(counts) = read_counts(db) {
            for (id, topic) in &mut opened.topics {
                topic.message_count = Some(counts.get(id).copied().unwrap_or(0));
            }
        }
        Ok(opened)
    }

    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.topics.iter().map(|(_, topic)| topic.clone())
    }
}

/// Returns a file without its last, truncated page: SQLite would read the missing part as zeros and
/// return a message that never existed.
fn whole_pages(file: PlainFile, warnings: &mut Warnings) -> Result<PlainFile, BagError> {
    let mut head = [0; 18];
    let mut handle = File::open(&file.path).map_err(BagError::io(&file.name))?;
    if handle.read_exact(&mut head).is_err() || !head.starts_with(SQLITE3) {
        // Not a database; SQLite will report it.
        return Ok(file);
    }
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 1 << 16,
        size => u64::from(size),
    };
    let length = handle.metadata().map_err(BagError::io(&file.name))?.len();
    match length.checked_rem(page) {
        None | Some(0) => Ok(file),
        // a journal may have every page
        Some(_) if length < page && journal::find(&file.path).is_none() => {
            let reason = format!("it ends at byte {length}, within its first page");
            Err(unreadable(&file, reason))
        }
        Some(rest) => {
            warnings.push(
                &file.name,
                format!("cut off within a page, at byte {length}"),
            );
            file.start(length - rest)
        }
    }
}

/// A read-only connection to a database; it leaves no files beside it.
pub(super) struct Database {
    pub db: Connection,
    /// Dropped after the connection.
    _index: Option<MadeIndex>,
}

/// Opens a file with the tables of rosbag2, read-only.
pub(super) fn connect(file: &PlainFile, warnings: &mut Warnings) -> Result<Database, BagError> {
    let open = |path: &Path, flags, index| {
        let db = Connection::open_with_flags(path, flags)?;
        let is_one = is_recording(&db)?;
        Ok::<_, rusqlite::Error>(is_one.then_some(Database { db, _index: index }))
    };
    // A recording that was not closed has its newest messages in a journal. A file without one is
    // read as immutable: this needs no lock and so works in read-only folders.
    let mut not_replayed = None;
    if let Some(journal) = journal::find(&file.path) {
        let replay = || {
            let index = MadeIndex::remove_later(&file.path);
            open(&file.path, OpenFlags::SQLITE_OPEN_READ_ONLY, index)
        };
        let opened = match journal::not_one(&file.path, &journal) {
            Some(text) => Err(text),
            None => {
                replay().map_err(|e| journal::not_replayed(&file.name, &journal, &e.to_string()))
            }
        };
        match opened {
            Ok(Some(db)) => return Ok(db),
            Ok(None) => {}
            Err(text) => {
                warnings.push(&file.name, &text);
                not_replayed = Some(text);
            }
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    match open(&immutable_uri(file.with_name()?), flags, None) {
        Ok(Some(db)) => Ok(db),
        Ok(None) => {
            let journal = not_replayed
                .map(|text| format!("; {text}"))
                .unwrap_or_default();
            let is_empty = fs::metadata(&file.path).is_ok_and(|data| data.len() == 0);
            let text = match is_empty {
                true => EMPTY,
                false => "it lacks the tables topics and messages",
            };
            let text = format!("{text}{journal}");
            Err(unreadable(file, text))
        }
        Err(e) => Err(damaged(file, &e)),
    }
}

/// Returns the error for a database that SQLite reports as damaged, with a hint.
fn damaged(file: &PlainFile, error: &rusqlite::Error) -> BagError {
    let is_damage = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt);
    let hint = is_damage.then(|| format!("; {}", journal::recover_hint(&file.name)));
    unreadable(file, format!("{error}{}", hint.unwrap_or_default()))
}

fn unreadable(file: &PlainFile, reason: impl Into<String>) -> BagError {
    BagError::Unreadable {
        path: file.name.clone(),
        kind: "SQLite3 bag",
        reason: reason.into(),
    }
}

/// Prepares the connection for untrusted files, and checks for the tables of rosbag2.
fn is_recording(db: &Connection) -> rusqlite::Result<bool> {
    // The first makes a truncated file with missing pages open at all; the connection cannot write.
    // The second keeps a crafted file from running functions.
    db.execute_batch("PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF;")?;
    // Only real tables: a view could run forever.
    db.query_row(
        "SELECT count(*) = 2 FROM sqlite_master WHERE type = 'table'
         AND name IN ('topics', 'messages') AND sql LIKE 'CREATE TABLE%'",
        [],
        |row| row.get(0),
    )
}

/// Returns the path as an SQLite URI, in which `%`, `?` and `#` are escaped.
fn immutable_uri(path: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut uri = b"file:".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(byte),
        }
    }
    uri.extend(b"?immutable=1");
    std::ffi::OsString::from_vec(uri).into()
}

fn read_topics(db: &Connection) -> rusqlite::Result<Vec<(i64, Topic)>> {
    db.prepare("SELECT id, name, type, serialization_format FROM topics ORDER BY id")?
        .query_map([], |row| {
            let topic = Topic {
                name: row.get(1)?,
                type_name: row.get(2)?,
                serialization_format: row.get(3)?,
                message_count: None,
            };
            Ok((row.get(0)?, topic))
        })?
        .collect()
}

fn read_start_end(db: &Connection) -> rusqlite::Result<Option<(u64, u64)>> {
    let one = |sql| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    // Two queries, because SQLite uses the index only for a single minimum or maximum.
    let start = one("SELECT min(timestamp) FROM messages")?;
    let end = one("SELECT max(timestamp) FROM messages")?;
    Ok(start
        .zip(end)
        .map(|(s, e)| (nanoseconds(s), nanoseconds(e))))
}

fn read_counts(db: &Connection) -> rusqlite::Result<HashMap<i64, u64>> {
    db.prepare("SELECT topic_id, count(*) FROM messages GROUP BY topic_id")?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect()
}

pub(super) fn nanoseconds(timestamp: i64) -> u64 {
    u64::try_from(timestamp).unwrap_or(0)
}
