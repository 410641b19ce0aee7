//! Reads the messages of one SQLite3 bag file in the order of log time.
//!
//! Keys are read in pages through the index on the time stamp, and each message's bytes by its id,
//! so memory use does not depend on the file size. SQLite itself refuses a message above 10^9
//! bytes.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use super::compression::PlainFile;
use super::error::BagError;
use super::journal::recover_hint;
use super::sqlite_file::{Database, SqliteFile, connect, nanoseconds};
use super::stream::{Findings, ReadFilter, Stream};

/// The number of keys read at once; without an index each page takes a scan of the table.
const PAGE: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Key {
    timestamp: i64,
    id: i64,
    topic: usize,
}

pub(super) struct SqliteStream {
    name: PathBuf,
    /// Keeps a decompressed copy until the connection is closed.
    _file: PlainFile,
    database: Database,
    wanted: ReadFilter,
    /// The topic of each id; `None` if it is not selected.
    topics: HashMap<i64, Option<usize>>,
    /// Whether a row has an id without a topic.
    has_unknown_topic: bool,
    page: VecDeque<Key>,
    /// The time stamp and id after which the next page starts.
    after: (i64, i64),
    /// After the index proved damaged: the id after which the next page starts.
    without_index: Option<i64>,
    exhausted: bool,
}

impl SqliteStream {
    /// Creates the reader without reading anything yet.
    pub fn new(
        file: SqliteFile,
        wanted: &ReadFilter,
        found: &mut Findings,
    ) -> Result<Self, BagError> {
        let database = connect(&file.file, &mut found.warnings)?;
        let start = i64::try_from(wanted.start_ns).unwrap_or(i64::MAX);
        Ok(Self {
            name: file.file.name.clone(),
            _file: file.file,
            database,
            topics: (file.topics.into_iter())
                .map(|(id, topic)| (id, found.topics.index(topic)))
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

    /// Fills `page` with the next selected keys, including rows read before an error.
    fn next_page(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.database.db.prepare_cached(match self.without_index {
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
        self.database
            .db
            .prepare_cached("SELECT data FROM messages WHERE id = ?1")?
            .query_row([id], |row| {
                data.extend_from_slice(row.get_ref(0)?.as_blob()?);
                Ok(())
            })
    }
}

impl Stream for SqliteStream {
    fn peek(&mut self, found: &mut Findings) -> Option<u64> {
        while self.page.is_empty() && !self.exhausted {
            if let Err(e) = self.next_page() {
                // The table may be intact even if its index is not. The ids of a recording rise
                // with time.
                self.exhausted = self.without_index.is_some();
                self.without_index = Some(i64::MIN);
                if self.exhausted {
                    let hint = recover_hint(&self.name);
                    let text = format!("damaged ({e}); the rest is lost; {hint}");
                    found.warnings.push(&self.name, text);
                }
            }
            if self.without_index.is_some() {
                (self.page.make_contiguous()).sort_by_key(|key| (key.timestamp, key.id));
            }
        }
        if self.exhausted && std::mem::take(&mut self.has_unknown_topic) {
            let text = "messages of undefined topics are skipped";
            found.warnings.push(&self.name, text);
        }
        self.page.front().map(|key| nanoseconds(key.timestamp))
    }

    fn take(&mut self, data: &mut Vec<u8>, found: &mut Findings) -> Option<usize> {
        let key = self.page.pop_front()?;
        match self.data(key.id, data) {
            Ok(()) => Some(key.topic),
            Err(e) => {
                let text = format!("the message with id {} is lost: {e}", key.id);
                found.warnings.push(&self.name, text);
                None
            }
        }
    }
}
