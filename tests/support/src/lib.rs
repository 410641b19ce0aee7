//! What the end-to-end tests share: where their material is, and how a test without it is skipped.

pub mod browser;
pub mod computed;
pub mod detector;
pub mod ended;
pub mod process;
pub mod python;
pub mod written;

use std::env;
use std::path::{Path, PathBuf};

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A file or folder of the shared assets; `None`, and a line that says so, where there are none.
pub fn asset(test: &str, path: &str) -> Option<PathBuf> {
    let folder = env::var_os("SHUFFLEDET_ASSETS")
        .map_or_else(|| repository("../shared/assets"), PathBuf::from);
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {test}: needs the shared assets");
    None
}
