//! Notices that a model's file has changed since it was read.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use shuffledet_core::bounded_file::{self, MODEL_LIMIT};
use shuffledet_core::sha256;

/// A file as it was when it was read.
#[derive(Debug)]
pub struct FileState {
    path: PathBuf,
    sha256: String,
    /// How the system described the file that had this content; `None` if it may have changed
    /// unnoticed since.
    seen: Mutex<Option<Identity>>,
}

/// What changes with a file's content, as long as nobody sets the times back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file of the model is another than the one that was read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{}: the file changed after the model was loaded: expected sha256 {expected}, found {found}; let it be while a command runs, and run the command again",
    path.display()
)]
pub struct FileChanged {
    path: PathBuf,
    expected: String,
    found: String,
}

impl Identity {
    fn new(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn read(path: &Path) -> Option<Self> {
        Self::new(&fs::metadata(path).ok()?)
    }

    /// Returns whether a change after now would show: the times of a file system are coarse, up to
    /// two seconds.
    fn is_settled(&self) -> bool {
        const COARSE_S: i64 = 2;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_s = now.map_or(0, |now| now.as_secs());
        i64::try_from(now_s).unwrap_or(0) > self.changed.0.saturating_add(COARSE_S)
    }
}

impl FileState {
    /// Returns the bytes that `read` reads from the file `path`, and its state. There is no state if
    /// `path` does not lead to a regular file, such as a pipe, which cannot be read again.
    ///
    /// # Errors
    /// As of `read`.
    pub fn read(
        path: &Path,
        read: impl FnOnce(&Path) -> io::Result<Vec<u8>>,
    ) -> io::Result<(Vec<u8>, Option<Self>)> {
        let before = Identity::read(path);
        let bytes = read(path)?;
        let state = before.map(|before| Self {
            path: path.to_owned(),
            sha256: sha256(&bytes),
            seen: Mutex::new(
                Identity::read(path).filter(|after| *after == before && after.is_settled()),
            ),
        });
        Ok((bytes, state))
    }

    /// Checks that the file has the content that was read. Reads it only if the system describes it
    /// in another way than before.
    ///
    /// # Errors
    /// The content is another, or there is no such file any more.
    pub fn check(&self) -> Result<(), FileChanged> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Identity::read(&self.path);
        if now.is_some() && now == *seen {
            return Ok(());
        }
        let found = match bounded_file::read(&self.path, MODEL_LIMIT) {
            Ok(bytes) => sha256(&bytes),
            Err(error) => format!("none ({error})"),
        };
        if found != self.sha256 {
            return Err(FileChanged {
                path: self.path.clone(),
                expected: self.sha256.clone(),
                found,
            });
        }
        *seen = now.filter(Identity::is_settled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    fn state(path: &Path) -> FileState {
        let read = |path: &Path| bounded_file::read(path, MODEL_LIMIT);
        FileState::read(path, read).unwrap().1.unwrap()
    }

    #[test]
    fn another_content_is_noticed_and_the_same_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.onnx");
        fs::write(&path, "one").unwrap();
        let state = state(&path);
        assert_eq!(state.check(), Ok(()));
        // the same content in another file
        fs::write(folder.path().join("b"), "one").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_eq!(state.check(), Ok(()));
        fs::write(&path, "two").unwrap();
        let text = state.check().unwrap_err().to_string();
        assert!(text.contains("a.onnx: the file changed") && text.contains(&sha256(b"two")));
        fs::remove_file(&path).unwrap();
        assert!(state.check().unwrap_err().found.starts_with("none ("));
        fs::write(&path, "one").unwrap();
        assert_eq!(state.check(), Ok(()));
    }

    #[test]
    fn a_change_in_place_with_the_old_time_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.onnx");
        fs::write(&path, "one").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let state = state(&path);
        fs::write(&path, "two").unwrap();
        let times = FileTimes::new().set_modified(modified);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(times).unwrap();
        assert!(state.check().is_err());
    }

    #[test]
    fn a_device_has_no_state() {
        let read = |_: &Path| Ok(Vec::new());
        let (bytes, state) = FileState::read(Path::new("/dev/null"), read).unwrap();
        assert!(bytes.is_empty() && state.is_none());
    }
}
