//! A folder with what a provider has built, used only if nothing in it has changed.
//!
//! The folder's name is derived from everything that the content depends on. The content is written
//! under a temporary name. The folder gets its final name when the session created with it passes
//! its self-test. A seal in it lists every file with its sha256.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use shuffledet_core::sha256::{file_sha256, sha256};

const SEAL: &str = "seal.json";

/// A folder that a provider reads from or writes to.
pub(super) struct CacheFolder {
    sealed: PathBuf,
    facts: String,
    /// Set until the folder is sealed.
    fresh: Option<TempDir>,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Seal {
    /// Everything that the content depends on.
    facts: String,
    /// By file name.
    sha256: BTreeMap<String, String>,
}

impl CacheFolder {
    /// Opens the sealed folder of `facts` under `root`. Opens an empty one if there is none, or if
    /// it does not match its seal.
    pub(super) fn open(root: &Path, facts: String) -> io::Result<Self> {
        let name: String = sha256(facts.as_bytes()).chars().take(32).collect();
        let sealed = root.join(&name);
        let fresh = if is_intact(&sealed, &facts) {
            None
        } else {
            if sealed.exists() {
                let folder = sealed.display();
                tracing::warn!("{folder} has changed since it was written; its content is rebuilt");
            }
            fs::create_dir_all(root)?;
            Some(TempDir::with_prefix_in(format!("{name}.part-"), root)?)
        };
        Ok(Self {
            sealed,
            facts,
            fresh,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.fresh.as_ref().map_or(&self.sealed, TempDir::path)
    }

    /// Keeps the written files for the next session. If two processes do so at once, one of them
    /// wins. Never removes a folder that is in use.
    pub(super) fn seal(self) -> io::Result<()> {
        let Some(fresh) = self.fresh else {
            return Ok(());
        };
        let seal = Seal {
            sha256: sha256_by_name(fresh.path())?,
            facts: self.facts,
        };
        if seal.sha256.is_empty() || is_intact(&self.sealed, &seal.facts) {
            return Ok(());
        }
        fs::write(fresh.path().join(SEAL), serde_json::to_string(&seal)?)?;
        if self.sealed.exists() {
            fs::remove_dir_all(&self.sealed)?;
        }
        fs::rename(fresh.keep(), &self.sealed)
    }

    /// Removes everything. Returns whether the folder was sealed, so that a second attempt differs
    /// from the first.
    pub(super) fn discard(self) -> bool {
        self.fresh.is_none() && fs::remove_dir_all(&self.sealed).is_ok()
    }
}

fn is_intact(folder: &Path, facts: &str) -> bool {
    let Ok(text) = fs::read_to_string(folder.join(SEAL)) else {
        return false;
    };
    let (Ok(seal), Ok(found)) = (serde_json::from_str::<Seal>(&text), sha256_by_name(folder))
    else {
        return false;
    };
    seal.facts == facts && seal.sha256 == found
}

/// Returns the sha256 of every file except the seal.
fn sha256_by_name(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != SEAL {
            let sha256 = file_sha256(&entry.path())?;
            found.insert(name, sha256);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(root: &Path, facts: &str) -> CacheFolder {
        CacheFolder::open(root, facts.to_owned()).unwrap()
    }

    fn is_warm(root: &Path, facts: &str) -> bool {
        open(root, facts).fresh.is_none()
    }

    fn fill(root: &Path, facts: &str) -> PathBuf {
        let folder = open(root, facts);
        fs::write(folder.path().join("a.engine"), "built").unwrap();
        fs::write(folder.path().join("a.timing"), "measured").unwrap();
        let sealed = folder.sealed.clone();
        folder.seal().unwrap();
        sealed
    }

    #[test]
    fn what_was_sealed_is_found_by_the_same_facts_alone() {
        let root = tempfile::tempdir().unwrap();
        let facts = "model 1, GPU A, driver 580.95";
        assert!(!is_warm(root.path(), facts));
        let sealed = fill(root.path(), facts);
        let warm = open(root.path(), facts);
        assert_eq!(warm.path(), sealed);
        assert_eq!(fs::read(warm.path().join("a.engine")).unwrap(), b"built");
        assert!(!is_warm(root.path(), "model 1, GPU A, driver 581.00"));
        assert!(!is_warm(root.path(), "model 2, GPU A, driver 580.95"));
        // nothing unfinished is left
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_damaged_is_not_trusted_and_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let damages: [fn(&Path); 5] = [
            |folder| fs::write(folder.join("a.engine"), "bui1t").unwrap(),
            |folder| fs::remove_file(folder.join("a.timing")).unwrap(),
            |folder| fs::write(folder.join("b.engine"), "more").unwrap(),
            |folder| fs::write(folder.join(SEAL), "{").unwrap(),
            |folder| fs::create_dir(folder.join("folder")).unwrap(),
        ];
        for damage in damages {
            let sealed = fill(root.path(), "facts");
            assert!(is_warm(root.path(), "facts"));
            damage(&sealed);
            assert!(!is_warm(root.path(), "facts"));
        }
        fill(root.path(), "facts");
        assert!(is_warm(root.path(), "facts"));
    }

    #[test]
    fn only_what_was_sealed_is_worth_discarding() {
        let root = tempfile::tempdir().unwrap();
        assert!(!open(root.path(), "facts").discard());
        let sealed = fill(root.path(), "facts");
        assert!(open(root.path(), "facts").discard());
        assert!(!sealed.exists());
        // a provider that wrote nothing has nothing to seal
        open(root.path(), "facts").seal().unwrap();
        assert!(!sealed.exists());
    }
}
