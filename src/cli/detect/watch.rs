//! The images that appear in a folder, each once it is complete.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, bail};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use shuffledet_image::folder::is_visible_image;

/// A folder whose new images are reported: files that a program closes after writing, and files that are
/// moved into the folder. A file that is written under a name that begins with a dot, or with another
/// extension, counts when it gets its name.
pub struct WatchedFolder {
    path: PathBuf,
    events: Receiver<notify::Result<Event>>,
    /// Reports events as long as it lives.
    _watcher: RecommendedWatcher,
}

/// Events that wait for the images before them. If they are more, the system's queue holds the next ones.
const WAITING_EVENTS: usize = 1024;

/// How long one call waits.
const WAIT: Duration = Duration::from_millis(100);

impl WatchedFolder {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = || format!("--watch {}", path.display());
        let metadata = fs::metadata(path).with_context(shown)?;
        if !metadata.is_dir() {
            bail!("{}: expected a folder, found a file", shown());
        }
        let (sender, events) = sync_channel(WAITING_EVENTS);
        let mut watcher = notify::recommended_watcher(move |event| {
            // nobody reads any more if the run has ended
            let _ = sender.send(event);
        })
        .with_context(shown)?;
        let watching = watcher.watch(path, RecursiveMode::NonRecursive);
        watching.with_context(shown)?;
        Ok(Self {
            path: path.to_owned(),
            events,
            _watcher: watcher,
        })
    }

    /// Returns the next complete image; `None` if there is none within a tenth of a second.
    ///
    /// # Errors
    /// The folder is gone, or the system reports no more events.
    pub fn next_image(&mut self) -> anyhow::Result<Option<PathBuf>> {
        let shown = self.path.display();
        let event = match self.events.recv_timeout(WAIT) {
            Ok(event) => event.with_context(|| format!("--watch {shown}"))?,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("--watch {shown}: the system reports no more events; start the command again")
            }
        };
        if event.need_rescan() {
            tracing::warn!(
                "--watch {shown}: too many new files at once, some are left out; raise fs.inotify.max_queued_events"
            );
            return Ok(None);
        }
        let is_gone = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
        );
        if is_gone && event.paths.first() == Some(&self.path) {
            bail!("--watch {shown}: the folder was removed or renamed; start the command again");
        }
        let is_complete = matches!(
            event.kind,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(RenameMode::To))
        );
        let path = event.paths.into_iter().next().filter(|_| is_complete);
        Ok(path.filter(|path| is_visible_image(path) && holds_bytes(path)))
    }
}

/// Returns whether to report the file. An empty file is one that a program has only created.
fn holds_bytes(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(metadata) => metadata.is_file() && metadata.len() > 0,
        // a file that is already gone is none; any other error is reported where the file is read
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits for the next image.
    fn next(watched: &mut WatchedFolder) -> String {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(path) = watched.next_image().unwrap() {
                return path.file_name().unwrap().to_string_lossy().into_owned();
            }
            assert!(Instant::now() < limit, "no image");
        }
    }

    /// Looks for a while; an image that comes later is seen by the next [`next`].
    fn assert_nothing(watched: &mut WatchedFolder) {
        let until = Instant::now() + 3 * WAIT;
        while Instant::now() < until {
            assert_eq!(watched.next_image().unwrap(), None);
        }
    }

    #[test]
    fn files_count_when_they_are_closed_or_moved_there() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::write(at("before.jpg"), "1").unwrap();
        let mut watched = WatchedFolder::open(folder.path()).unwrap();
        let mut open = fs::File::create(at("slow.jpg")).unwrap();
        io::Write::write_all(&mut open, b"half").unwrap();
        assert_nothing(&mut watched);
        drop(open);
        assert_eq!(next(&mut watched), "slow.jpg");
        fs::write(at("a.jpg.part"), "1").unwrap();
        fs::write(at(".b.png"), "1").unwrap();
        fs::write(at("empty.png"), "").unwrap();
        fs::create_dir(at("folder.jpg")).unwrap();
        assert_nothing(&mut watched);
        fs::rename(at("a.jpg.part"), at("a.jpg")).unwrap();
        assert_eq!(next(&mut watched), "a.jpg");
        fs::write(elsewhere.path().join("c.png"), "1").unwrap();
        fs::rename(elsewhere.path().join("c.png"), at("c.png")).unwrap();
        assert_eq!(next(&mut watched), "c.png");
    }

    #[test]
    fn a_folder_that_goes_away_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in");
        let error = WatchedFolder::open(&path).err().unwrap();
        assert!(format!("{error:#}").contains("--watch"), "{error:#}");
        fs::create_dir(&path).unwrap();
        let mut watched = WatchedFolder::open(&path).unwrap();
        fs::remove_dir(&path).unwrap();
        let error = loop {
            if let Err(error) = watched.next_image() {
                break error.to_string();
            }
        };
        assert!(error.contains("removed or renamed"), "{error}");
    }
}
