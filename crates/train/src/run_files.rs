//! The files of a run.

use std::path::{Path, PathBuf};

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct RunFiles {
    pub folder: PathBuf,
}

impl RunFiles {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn settings(&self) -> PathBuf {
        self.file("settings.json")
    }

    /// The weights before the first step.
    pub fn start(&self) -> PathBuf {
        self.file("start.safetensors")
    }

    /// The state after the last saved step: what `--resume` continues.
    pub fn last(&self) -> PathBuf {
        self.file("last.safetensors")
    }

    /// The averaged weights with the best AP so far.
    pub fn best(&self) -> PathBuf {
        self.file("best.safetensors")
    }

    /// The result: the best weights, blended with the start's.
    pub fn result(&self) -> PathBuf {
        self.file("result.safetensors")
    }

    pub fn log(&self) -> PathBuf {
        self.file("log.csv")
    }

    pub fn page(&self) -> PathBuf {
        self.file("report.html")
    }

    /// The figures of the start, of the trained weights and of the result.
    pub fn figures(&self) -> PathBuf {
        self.file("figures.json")
    }
}
