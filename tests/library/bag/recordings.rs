//! What the tests of recordings share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shuffledet_bag::{BagError, Recording, Selection};
use tempfile::TempDir;

use shuffledet_testing as support;
use shuffledet_testing::python::python;

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
        let topic = messages.topics()[head.topic].name.clone();
        reading.push((topic, head.log_time_ns, digest(&data)));
    }
    Ok((reading, messages.warnings().to_vec()))
}

pub fn read(path: &Path) -> Result<(Reading, Vec<String>), BagError> {
    read_selected(path, &Selection::default())
}

/// Standard output of the reference script; none, after saying so, where there is no Python.
fn run_reference(test: &str, command: &str, path: &Path) -> Option<Vec<u8>> {
    let script = support::repository("tests/reference/make_bags.py");
    let output = python(test)?
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

/// What Python's readers find in a recording; none, after saying so, where there is no Python.
pub fn read_by_python(test: &str, path: &Path) -> Option<Vec<u8>> {
    run_reference(test, "read", path)
}

/// The recordings that Python wrote, made once; none, after saying so, where there is no Python.
pub fn python_bags(test: &str) -> Option<(&'static Path, &'static [Case])> {
    static BAGS: OnceLock<(TempDir, Vec<Case>)> = OnceLock::new();
    python(test)?;
    let (folder, cases) = BAGS.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        run_reference(test, "make", folder.path()).unwrap();
        let expected = std::fs::read(folder.path().join("expected.json")).unwrap();
        (folder, serde_json::from_slice(&expected).unwrap())
    });
    Some((folder.path(), cases))
}
