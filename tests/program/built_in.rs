//! The model that is compiled into the program: no file, no fetch, any folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use shuffledet_core::{file_sha256, locations};
use shuffledet_detector::model::Manifest;
use shuffledet_testing::ended::Ended;
use tempfile::{TempDir, tempdir};

/// A copy of the program in a folder with nothing else, which is its home, too.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        fs::copy(
            env!("CARGO_BIN_EXE_shuffledet"),
            folder.path().join("shuffledet"),
        )
        .unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(self.folder.path().join("shuffledet"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ORT_DYLIB_PATH", locations::onnx_runtime())
            .env("HOME", self.folder.path())
            .env_remove("XDG_CACHE_HOME")
            .env_remove("SHUFFLEDET_MODEL_DIR")
            .env_remove("SHUFFLEDET_MODEL_MIRROR");
        Ended::from(command.output().unwrap())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A grey picture of 64x48 pixels.
fn bitmap() -> Vec<u8> {
    let (width, height) = (64_u32, 48_u32);
    let mut file = b"BM".to_vec();
    for field in [54 + 3 * width * height, 0, 54, 40, width, height] {
        file.extend(field.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    file.resize(54, 0);
    file.resize(54 + 3 * (width * height) as usize, 128);
    file
}

#[test]
fn a_copied_program_detects_and_writes_nothing() {
    let copy = Copy::new();
    fs::write(copy.folder.path().join("grey.bmp"), bitmap()).unwrap();
    let ended = copy.run(&["detect", "grey.bmp", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(found["detections"].is_array(), "{found}");
    let other = copy.run(&["detect", "grey.bmp", "--model", "nanodet_m_416"]);
    assert_eq!(other.code, Some(1));
    let command = "shuffledet models fetch nanodet_m_416";
    assert!(other.stderr.contains(command), "{}", other.stderr);
    let inspected = copy.run(&["models", "inspect", "auto"]);
    assert!(
        inspected.stdout.starts_with("road.onnx (built in)\n"),
        "{}",
        inspected.stdout
    );
    assert_eq!(copy.names(), ["grey.bmp", "shuffledet"]);
}

#[test]
fn the_path_of_a_built_in_model_is_that_of_a_file() {
    let copy = Copy::new();
    let listed = copy.run(&["models", "list"]).stdout;
    let first = listed.lines().nth(1).unwrap();
    assert!(
        first.starts_with("road ") && first.ends_with("built in, used by default"),
        "{listed}"
    );
    let verified = |expected: &str, code: i32| {
        let ended = copy.run(&["models", "verify"]);
        let line = ended.stdout.lines().next().unwrap();
        assert!(line.contains(expected), "{}", ended.stdout);
        assert_eq!(ended.code, Some(code));
    };
    verified("built in", 0);
    let path = || {
        let ended = copy.run(&["models", "path", "road"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        PathBuf::from(ended.stdout.trim())
    };
    let file = path();
    let manifest = Manifest::shipped().unwrap();
    let sha256 = &manifest.model("road").unwrap().file.sha256;
    assert_eq!(file_sha256(&file).unwrap(), *sha256);
    verified("matches", 0);
    // a damaged copy is written again
    fs::write(&file, "something else").unwrap();
    verified("DIFFERS", 2);
    assert_eq!(path(), file);
    assert_eq!(file_sha256(&file).unwrap(), *sha256);
    let fetched = copy.run(&["models", "fetch", "road"]);
    assert!(fetched.stdout.contains("already fetched"), "{fetched:?}");
}
