//! What the end-to-end tests share: where their material is, and how a test without it is skipped.

pub mod browser;
pub mod colours;
pub mod computed;
pub mod detector;
pub mod ended;
pub mod page;
pub mod pinhole;
pub mod process;
pub mod python;
pub mod variants;
pub mod written;

use std::env;
use std::path::{Path, PathBuf};

use shuffledet_core::locations;

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The file of a fetched model; `None`, and a line that says so, if it is not fetched.
pub fn fetched(test: &str, model: &str) -> Option<PathBuf> {
    let path = locations::model_folder().join(format!("{model}.onnx"));
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {test}: needs the model {model} (shuffledet models fetch)");
    None
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
