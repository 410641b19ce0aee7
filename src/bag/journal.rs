//! Journals of SQLite: what a recording that was not closed has beside its database.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What SQLite appends to the database's name: the write-ahead log, and the rollback journal.
const SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// The journal beside `database` that is not empty.
pub(super) fn of(database: &Path) -> Option<PathBuf> {
    let beside = |suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let holds_something = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|m| m.len() > 0);
    SUFFIXES.map(beside).into_iter().find(holds_something)
}

/// What to say of a journal that SQLite takes for an empty one: a write-ahead log that does not begin as one.
pub(super) fn not_one(journal: &Path) -> Option<String> {
    /// The last bit says in which byte order checksums are.
    const MAGIC: u32 = 0x377f_0682;
    if !journal.to_string_lossy().ends_with(SUFFIXES[0]) {
        return None;
    }
    let mut start = [0; 4];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut start));
    let is_log = read.is_ok() && u32::from_be_bytes(start) & !1 == MAGIC;
    (!is_log).then(|| {
        let journal = journal.display();
        format!(
            "its journal {journal} is damaged (it does not begin as a write-ahead log), and messages may be missing"
        )
    })
}

/// Whether the name is that of a journal.
pub(super) fn is_journal(path: &Path) -> bool {
    database_of(path).is_some()
}

/// The database that a journal of this name belongs to.
pub(super) fn database_of(journal: &Path) -> Option<PathBuf> {
    let name = journal.file_name()?.to_str()?;
    let database = SUFFIXES.iter().find_map(|end| name.strip_suffix(end))?;
    (!database.is_empty()).then(|| journal.with_file_name(database))
}

/// Why messages may be missing, and how to get them.
pub(super) fn not_replayed(database: &Path, journal: &Path, why: &str) -> String {
    let command = format!("sqlite3 {} 'SELECT count(*) FROM messages'", name(database));
    format!(
        "its journal {} cannot be replayed ({why}), and messages may be missing; copy both files to a folder that you can \
         write to, run `{command}` there, and read that copy",
        journal.display(),
    )
}

/// What to do about a damaged database.
pub(super) fn recover_hint(database: &Path) -> String {
    format!(
        "`sqlite3 {} .recover | sqlite3 recovered.db3` may save more of it",
        database.display()
    )
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
