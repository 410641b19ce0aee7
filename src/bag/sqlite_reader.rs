//! The messages of one SQLite3 bag file in the order of log time.
//!
//! Keys are read in pages through the index on the time stamp, each message's bytes by its id, so
//! memory does not grow with the file. SQLite itself refuses a message above 10^9 bytes.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, Warnings};
use super::merge::{Stream, Wanted};

/// Keys that are read at once; where there is no index every page costs a scan of the table.
const PAGE: usize = 16_384;

/// A `.db3` file, as far as it can be read.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile {
    file: PlainFile,
    /// Id and topic of each row of `topics`.
    topics: Vec<(i64, Topic)>,
    /// First and last log time in nanoseconds.
    pub start_end_ns: Option<(u64, u64)>,
}

impl SqliteFile {
    pub fn open(file: PlainFile, warnings: &mut Warnings) -> Result<Self, BagError> {
        let file = whole_pages(file, warnings)?;
        let db = connect(&file, warnings)?;
        let topics = read_topics(&db).map_err(|e| unreadable(&file, e.to_string()))?;
        let mut opened = Self {
            file,
            topics,
            start_end_ns: None,
        };
        // Both may fail in a damaged file of which much can be read all the same.
        opened.start_end_ns = read_start_end(&db).ok().flatten();
        if let Ok(counts) = read_counts(&db) {
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

/// A file that was cut off within a page, without that page: SQLite would read zeros for the rest
/// of it, and give out a message that never was.
fn whole_pages(file: PlainFile, warnings: &mut Warnings) -> Result<PlainFile, BagError> {
    let mut head = [0; 18];
    let mut handle = File::open(&file.path).map_err(BagError::io(&file.name))?;
    if handle.read_exact(&mut head).is_err() || !head.starts_with(b"SQLite format 3\0") {
        // Not a database, as SQLite will say.
        return Ok(file);
    }
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 1 << 16,
        size => u64::from(size),
    };
    let length = handle.metadata().map_err(BagError::io(&file.name))?.len();
    match length.checked_rem(page) {
        None | Some(0) => Ok(file),
        Some(rest) => {
            warnings.push(
                &file.name,
                format!("cut off within a page, at byte {length}"),
            );
            file.start(length - rest)
        }
    }
}

/// Open read-only; the file must be one with the tables of rosbag2.
fn connect(file: &PlainFile, warnings: &mut Warnings) -> Result<Connection, BagError> {
    let open = |path: &Path, flags| {
        let db = Connection::open_with_flags(path, flags)?;
        is_recording(&db).map(|is_one| is_one.then_some(db))
    };
    let sidecar = |suffix: &str| {
        let mut path = file.path.clone().into_os_string();
        path.push(suffix);
        std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
    };
    // A recording that was not closed has its newest messages in a journal. Without one the file
    // is read as immutable, which needs no lock and so works in folders that cannot be written.
    if sidecar("-wal") || sidecar("-journal") {
        match open(&file.path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Ok(Some(db)) => return Ok(db),
            Ok(None) => {}
            Err(e) => warnings.push(
                &file.name,
                format!("its journal cannot be read ({e}); the file is read without it"),
            ),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    match open(&immutable_uri(&file.path), flags) {
        Ok(Some(db)) => Ok(db),
        Ok(None) => Err(unreadable(file, "it lacks the tables topics and messages")),
        Err(e) => Err(unreadable(file, e.to_string())),
    }
}

fn unreadable(file: &PlainFile, reason: impl Into<String>) -> BagError {
    BagError::Unreadable {
        path: file.name.clone(),
        kind: "SQLite3 bag",
        reason: reason.into(),
    }
}

/// Prepare the connection for files that nobody vouches for, and look for the tables of rosbag2.
fn is_recording(db: &Connection) -> rusqlite::Result<bool> {
    // The first lets a file with missing pages open at all, which is a truncated one; the
    // connection cannot write. The second keeps a prepared file from running functions.
    db.execute_batch("PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF;")?;
    // Tables proper: a view could run for ever.
    db.query_row(
        "SELECT count(*) = 2 FROM sqlite_master WHERE type = 'table'
         AND name IN ('topics', 'messages') AND sql LIKE 'CREATE TABLE%'",
        [],
        |row| row.get(0),
    )
}

/// The path as a URI of SQLite, in which `%`, `?` and `#` have a meaning.
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
    // Two queries, since SQLite uses the index for a single minimum or maximum only.
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

fn nanoseconds(timestamp: i64) -> u64 {
    u64::try_from(timestamp).unwrap_or(0)
}

#[derive(Debug, Clone, Copy)]
struct Key {
    timestamp: i64,
    id: i64,
    topic: usize,
}

pub(super) struct SqliteStream {
    name: PathBuf,
    /// Keeps an unpacked copy until the connection is closed.
    _file: PlainFile,
    db: Connection,
    wanted: Wanted,
    /// The topic of each id; none where it is not wanted.
    topics: HashMap<i64, Option<usize>>,
    /// Whether a row has an id that is no topic's.
    has_unknown_topic: bool,
    page: VecDeque<Key>,
    /// Time stamp and id after which the next page starts.
    after: (i64, i64),
    /// Once the index proved damaged: the id after which the next page starts.
    without_index: Option<i64>,
    exhausted: bool,
}

impl SqliteStream {
    /// Reads nothing yet.
    pub fn new(
        file: SqliteFile,
        wanted: &Wanted,
        warnings: &mut Warnings,
    ) -> Result<Self, BagError> {
        let db = connect(&file.file, warnings)?;
        let start = i64::try_from(wanted.start_ns).unwrap_or(i64::MAX);
        Ok(Self {
            name: file.file.name.clone(),
            _file: file.file,
            db,
            topics: (file.topics.iter())
                .map(|(id, topic)| (*id, wanted.topic(&topic.name)))
                .collect(),
            has_unknown_topic: false,
            wanted: wanted.clone(),
            page: VecDeque::new(),
            // A negative time stamp is read as 0.
            after: if start == 0 {
                (i64::MIN, i64::MIN)
            } else {
                (start, i64::MIN)
            },
            without_index: None,
            exhausted: false,
        })
    }

    /// Fill `page` with the next keys that are wanted; the rows that were read even on error.
    fn next_page(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.db.prepare_cached(match self.without_index {
            None => {
                "SELECT timestamp, id, topic_id FROM messages
                 WHERE (timestamp, id) > (?1, ?2) AND timestamp < ?3
                 ORDER BY timestamp, id LIMIT ?5"
            }
            Some(_) => {
                "SELECT timestamp, id, topic_id FROM messages NOT INDEXED
                 WHERE (timestamp, id) > (?1, ?2) AND timestamp < ?3 AND id > ?4
                 ORDER BY id LIMIT ?5"
            }
        })?;
        let end = (self.wanted.end_ns)
            .and_then(|end| i64::try_from(end).ok())
            .unwrap_or(i64::MAX);
        let (timestamp, id) = self.after;
        let mut rows = statement.query((timestamp, id, end, self.without_index, PAGE as i64))?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            read += 1;
            let (timestamp, id) = (row.get(0)?, row.get(1)?);
            match &mut self.without_index {
                None => self.after = (timestamp, id),
                Some(after) => *after = id,
            }
            match self.topics.get(&row.get(2)?) {
                Some(&Some(topic)) => self.page.push_back(Key {
                    timestamp,
                    id,
                    topic,
                }),
                Some(None) => {}
                None => self.has_unknown_topic = true,
            }
        }
        self.exhausted = read < PAGE;
        Ok(())
    }

    fn data(&self, id: i64, data: &mut Vec<u8>) -> rusqlite::Result<()> {
        data.clear();
        self.db
            .prepare_cached("SELECT data FROM messages WHERE id = ?1")?
            .query_row([id], |row| {
                data.extend_from_slice(row.get_ref(0)?.as_blob()?);
                Ok(())
            })
    }
}

impl Stream for SqliteStream {
    fn peek(&mut self, warnings: &mut Warnings) -> Option<u64> {
        while self.page.is_empty() && !self.exhausted {
            if let Err(e) = self.next_page() {
                // The table may be fine where its index is not. A recording's ids rise with time.
                self.exhausted = self.without_index.is_some();
                self.without_index = Some(i64::MIN);
                if self.exhausted {
                    warnings.push(&self.name, format!("damaged ({e}); the rest is lost"));
                }
            }
            if self.without_index.is_some() {
                (self.page.make_contiguous()).sort_by_key(|key| (key.timestamp, key.id));
            }
        }
        if self.exhausted && std::mem::take(&mut self.has_unknown_topic) {
            let text = "messages of a topic that is defined nowhere are left out";
            warnings.push(&self.name, text);
        }
        self.page.front().map(|key| nanoseconds(key.timestamp))
    }

    fn take(&mut self, data: &mut Vec<u8>, warnings: &mut Warnings) -> Option<usize> {
        let key = self.page.pop_front()?;
        match self.data(key.id, data) {
            Ok(()) => Some(key.topic),
            Err(e) => {
                warnings.push(
                    &self.name,
                    format!("the message of id {} is lost: {e}", key.id),
                );
                None
            }
        }
    }
}
