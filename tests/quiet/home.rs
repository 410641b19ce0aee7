//! A user's home without anything in it, and the environment of a program that is run there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What a program may need to find its libraries, and nothing that says how it behaves.
const KEPT: [&str; 10] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "ORT_DYLIB_PATH",
    "SHUFFLEDET_MODEL_DIR",
    "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH",
    "PYTHONPATH",
    "RMW_IMPLEMENTATION",
    "ROS_DISTRO",
    "ROS_VERSION",
];

/// `home/` and `tmp/`, where a program finds nothing, and `work/`, where it runs.
pub struct Home {
    folder: TempDir,
    telemetry: Option<&'static str>,
}

impl Home {
    /// `telemetry` is what ORT_DISABLE_TELEMETRY is set to; `None` leaves it unset.
    pub fn new(telemetry: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, telemetry }
    }

    /// `home`, `tmp`, `work`, or a file beside them.
    pub fn path(&self, name: &str) -> PathBuf {
        // as the kernel names it
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Puts `command` here. ONNX Runtime sends nothing where it sees variables of CI services, so that those are left out.
    pub fn contain(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(
                KEPT.iter()
                    .filter_map(|name| Some((name, env::var_os(name)?))),
            )
            .envs(self.telemetry.map(|value| ("ORT_DISABLE_TELEMETRY", value)))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.path("work"));
    }

    /// Asserts that nothing is left in `home` and `tmp`.
    #[track_caller]
    pub fn assert_is_empty(&self) {
        assert_eq!(self.names("home"), [""; 0]);
        assert_eq!(self.names("tmp"), [""; 0]);
    }

    /// What lies in one of the folders, in order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = entries.map(|entry| name(&entry.unwrap().path())).collect();
        names.sort();
        names
    }
}
