//! SQLite journals, which a recording that was not closed has beside its database.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The suffixes of SQLite for the write-ahead log and the rollback journal.
const SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// Returns the journal beside `database`, if it is not empty.
pub(super) fn find(database: &Path) -> Option<PathBuf> {
    let beside = SUFFIXES.map(|suffix| beside(database, suffix));
    beside.into_iter().find(|path| !is_empty(path))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Whether the file is empty or missing.
fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| file.len() == 0)
}

/// The index that SQLite creates beside a database to read its write-ahead log, and leaves behind
/// if it cannot write the database. Dropping this after the connection removes the index.
pub(super) struct MadeIndex(PathBuf);

impl MadeIndex {
    /// Call it before opening the database. Returns `None` if there is an index already, which
    /// belongs to another program.
    pub fn remove_later(database: &Path) -> Option<Self> {
        let index = beside(database, "-shm");
        let is_there = std::fs::symlink_metadata(&index).is_ok();
        // Lazily: a value that is created and not returned would be dropped and would remove the
        // index.
        (!is_there).then(|| Self(index))
    }
}

impl Drop for MadeIndex {
    fn drop(&mut self) {
        // It may not exist; one that cannot be removed does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns why SQLite must not open the journal, or would treat it as empty without an error.
pub(super) fn not_one(database: &Path, journal: &Path) -> Option<String> {
    /// The last bit gives the byte order of the checksums.
    const MAGIC: u32 = 0x377f_0682;
    if is_empty(database) {
        return Some(format!(
            "the database is empty, so its journal {} cannot be replayed (SQLite would delete it)",
            journal.display()
        ));
    }
    if !journal.to_string_lossy().ends_with(SUFFIXES[0]) {
        return None;
    }
    let mut start = [0; 4];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut start));
    let is_log = read.is_ok() && u32::from_be_bytes(start) & !1 == MAGIC;
    (!is_log).then(|| {
        let journal = journal.display();
        format!(
            "its journal {journal} is damaged (it has no header of a write-ahead log); messages may be missing"
        )
    })
}

/// Whether the name is a journal's.
pub(super) fn is_journal(path: &Path) -> bool {
    database_of(path).is_some()
}

/// Returns the database of the journal with this name.
pub(super) fn database_of(journal: &Path) -> Option<PathBuf> {
    let name = journal.file_name()?.to_str()?;
    let database = SUFFIXES.iter().find_map(|end| name.strip_suffix(end))?;
    (!database.is_empty()).then(|| journal.with_file_name(database))
}

/// Explains why messages may be missing, and how to recover them.
pub(super) fn not_replayed(database: &Path, journal: &Path, why: &str) -> String {
    let command = format!("sqlite3 {} 'SELECT count(*) FROM messages'", name(database));
    format!(
        "its journal {} cannot be replayed ({why}); messages may be missing; copy both files to a writable folder, run `{command}` there and read that copy",
        journal.display(),
    )
}

/// Returns a hint for a damaged database.
pub(super) fn recover_hint(database: &Path) -> String {
    format!(
        "`sqlite3 {} .recover | sqlite3 recovered.db3` may recover more messages",
        database.display()
    )
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
