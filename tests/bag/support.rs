//! What the tests of recordings share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shuffledet::bag::{BagError, Recording, Selection};
use tempfile::TempDir;

/// Topic, log time in nanoseconds, SHA-256 of the bytes.
pub type Reading = Vec<(String, u64, String)>;

#[derive(Deserialize)]
pub struct Case {
    pub path: PathBuf,
    pub messages: Reading,
}

pub fn digest(data: &[u8]) -> String {
    Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// All messages that `selection` selects, and the warnings.
pub fn read_selected(
    path: &Path,
    selection: &Selection,
) -> Result<(Reading, Vec<String>), BagError> {
    let recording = Recording::open(path)?;
    let mut messages = recording.read(selection)?;
    let (mut data, mut reading) = (Vec::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data)? {
        let topic = recording.topics()[head.topic].name.clone();
        reading.push((topic, head.log_time_ns, digest(&data)));
    }
    Ok((reading, messages.warnings().to_vec()))
}

pub fn read(path: &Path) -> Result<(Reading, Vec<String>), BagError> {
    read_selected(path, &Selection::default())
}

/// The Python interpreter with the reference packages.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps/venv/bin/python");
    let python = std::env::var_os("SHUFFLEDET_PYTHON").map_or(own, PathBuf::from);
    python.exists().then_some(python)
}

/// Standard output of the reference script; none where there is no Python.
fn run_reference(command: &str, path: &Path) -> Option<Vec<u8>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/make_bags.py");
    let output = Command::new(python()?)
        .arg(script)
        .arg(command)
        .arg(path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output.stdout)
}

/// Says that `test` is skipped where Python gave nothing.
fn or_skipped<T>(test: &str, from_python: Option<T>) -> Option<T> {
    if from_python.is_none() {
        eprintln!("skipped: {test}: needs the Python tools");
    }
    from_python
}

/// What Python's readers find in a recording; none, after saying so, where there is no Python.
pub fn read_by_python(test: &str, path: &Path) -> Option<Vec<u8>> {
    or_skipped(test, run_reference("read", path))
}

/// The recordings that Python wrote, made once.
pub fn python_bags(test: &str) -> Option<(&'static Path, &'static [Case])> {
    static BAGS: OnceLock<Option<(TempDir, Vec<Case>)>> = OnceLock::new();
    let bags = BAGS.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        run_reference("make", folder.path())?;
        let expected = std::fs::read(folder.path().join("expected.json")).unwrap();
        Some((folder, serde_json::from_slice(&expected).unwrap()))
    });
    let (folder, cases) = or_skipped(test, bags.as_ref())?;
    Some((folder.path(), cases))
}

/// One of the recordings in the shared assets.
pub fn asset(test: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/assets");
    let assets = std::env::var_os("SHUFFLEDET_ASSETS").map_or(beside, PathBuf::from);
    let path = assets.join("bags").join(name);
    if !path.exists() {
        eprintln!("skipped: {test}: needs the shared assets");
        return None;
    }
    Some(path)
}
