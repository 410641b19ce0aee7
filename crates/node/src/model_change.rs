//! A change of the model while the node runs: which files may be named, what is under way, and
//! whether the first frames of the new model succeed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shuffledet_core::{Mark, Outcome, locations};
use shuffledet_detector::config::Config;
use shuffledet_detector::model::is_path;
use shuffledet_detector::pipeline::Frame;

/// Returns the folder of the models that may be named by their path while a node runs that started
/// with `config`.
pub fn model_folder(config: &Config) -> PathBuf {
    let beside_first = || {
        let first = Path::new(&config.model);
        let parent = first.parent().filter(|_| is_path(&config.model));
        parent.map(|parent| match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        })
    };
    let given = config.model_folder.clone();
    given
        .or_else(beside_first)
        .unwrap_or_else(locations::model_folder)
}

/// Checks that `name`, if it is a path, leads to a file in `folder`, whatever links it follows.
/// Whoever can set parameters must not read other files with the rights of the node.
///
/// # Errors
/// Returns the reason for the caller. It says nothing about files elsewhere.
pub fn check_place(name: &str, folder: &Path) -> Result<(), String> {
    if !is_path(name) {
        return Ok(());
    }
    let whole = |path: &Path| path.canonicalize().ok();
    let inside = |path: &Path| {
        whole(path)
            .zip(whole(folder))
            .is_some_and(|(path, folder)| path.starts_with(folder))
    };
    let path = Path::new(name);
    let sidecar = path.with_extension("yaml");
    let is_there = inside(path) && (inside(&sidecar) || fs::symlink_metadata(&sidecar).is_err());
    is_there.then_some(()).ok_or_else(|| {
        format!(
            "model.name: expected a name of the manifest or a file in {}, found {name:?}; copy the model there, or \
             start the node with another model.folder",
            folder.display()
        )
    })
}

/// What became of the latest change of the model, for diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChangeNote {
    Loading { change: String, since: Instant },
    FirstFrames { change: String },
    Done { change: String },
    Refused { change: String, reason: String },
    RolledBack { change: String, reason: String },
}

impl ModelChangeNote {
    /// Returns the problem that remains, if frames of the new model failed.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::RolledBack { .. } => Some(format!("the model was changed back: {self}")),
            _ => None,
        }
    }
}

impl fmt::Display for ModelChangeNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loading { change, since } => {
                write!(f, "{change}: loading for {} s", since.elapsed().as_secs())
            }
            Self::FirstFrames { change } => write!(f, "{change}: its first frames are watched"),
            Self::Done { change } => write!(f, "{change}: done"),
            Self::Refused { change, reason } => write!(f, "{change}: refused: {reason}"),
            Self::RolledBack { change, reason } => write!(f, "{change}: rolled back: {reason}"),
        }
    }
}

/// Watches the first frames of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The number of the model.
    model: u64,
    seen: u32,
    failure: Option<String>,
}

impl Trial {
    /// How many frames must succeed.
    pub const FRAMES: u32 = 10;
    /// How long they are waited for. With fewer frames, those that came decide.
    pub const LONGEST: Duration = Duration::from_secs(3);

    pub fn new(model: u64) -> Self {
        Self {
            model,
            seen: 0,
            failure: None,
        }
    }

    /// Takes the outcome of a frame, of whichever model.
    pub fn note(&mut self, frame: &Frame, outcome: &Outcome) {
        if frame.model_number != self.model || frame.ticket.is_none() {
            return;
        }
        match outcome {
            Outcome::Published => self.seen += 1,
            // an image that cannot be decoded, or is too old, tells nothing about the model
            Outcome::Dropped(_) => (),
            Outcome::Failed(failure) => {
                let reached = frame.trace.at(Mark::Prepared).is_some();
                if reached || failure.reason == "stuck" {
                    let text =
                        || format!("frame {} of it failed: {}", self.seen + 1, failure.message);
                    self.failure.get_or_insert_with(text);
                }
            }
        }
    }

    /// Returns whether the model stays, once that is decided; the error is the reason why not.
    pub fn verdict(&self) -> Option<Result<(), String>> {
        match &self.failure {
            Some(failure) => Some(Err(failure.clone())),
            None => (self.seen >= Self::FRAMES).then_some(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::{DropReason, Failure};

    fn frame(model: u64, reached: Option<Mark>) -> Frame {
        let mut frame = Frame {
            model_number: model,
            ticket: Some(7),
            ..Frame::default()
        };
        if let Some(mark) = reached {
            frame.trace.mark(mark);
        }
        frame
    }

    fn failed(reason: &'static str) -> Outcome {
        Outcome::Failed(Failure {
            reason,
            message: "as it is".into(),
        })
    }

    #[test]
    fn a_model_lies_in_its_folder_whatever_its_path() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("models");
        fs::create_dir(&folder).unwrap();
        for path in [
            "models/a.onnx",
            "models/b.onnx",
            "secret.onnx",
            "secret.yaml",
        ] {
            fs::write(outer.path().join(path), "").unwrap();
        }
        let link = |from: &str, to: &str| {
            std::os::unix::fs::symlink(outer.path().join(to), folder.join(from)).unwrap();
        };
        link("link.onnx", "secret.onnx");
        link("inner.onnx", "models/a.onnx");
        link("b.yaml", "secret.yaml");
        let check = |path: &str| check_place(folder.join(path).to_str().unwrap(), &folder);
        for fine in ["a.onnx", "inner.onnx", "../models/a.onnx"] {
            assert_eq!(check(fine), Ok(()));
        }
        for outside in [
            "../secret.onnx",
            "link.onnx",
            "b.onnx",
            "absent.onnx",
            "/etc/passwd",
        ] {
            let refused = check(outside).unwrap_err();
            assert!(refused.contains("expected a name of the manifest or a file in"));
        }
        assert_eq!(check_place("road", &folder), Ok(()));
    }

    #[test]
    fn the_folder_is_that_of_the_first_model_unless_it_is_given() {
        let folder = |assignments: &[&str]| {
            let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
            model_folder(&Config::load(None, None, &assignments).unwrap())
        };
        assert_eq!(folder(&[]), locations::model_folder());
        assert_eq!(folder(&["model.name=/a/b.onnx"]), Path::new("/a"));
        assert_eq!(folder(&["model.name=b.onnx"]), Path::new("."));
        let given = ["model.name=/a/b.onnx", "model.folder=/c"];
        assert_eq!(folder(&given), Path::new("/c"));
    }

    #[test]
    fn ten_frames_of_the_model_decide() {
        let mut trial = Trial::new(3);
        for _ in 0..20 {
            trial.note(&frame(2, None), &Outcome::Published);
            trial.note(&frame(2, Some(Mark::Prepared)), &failed("inference"));
            trial.note(&frame(3, None), &Outcome::Dropped(DropReason::TooOld));
        }
        for _ in 0..Trial::FRAMES {
            assert_eq!(trial.verdict(), None);
            trial.note(&frame(3, None), &Outcome::Published);
        }
        assert_eq!(trial.verdict(), Some(Ok(())));
    }

    #[test]
    fn only_failures_of_the_model_count() {
        let mut trial = Trial::new(3);
        trial.note(&frame(3, Some(Mark::Decoded)), &failed("damaged_image"));
        assert_eq!(trial.verdict(), None);
        trial.note(&frame(3, None), &Outcome::Published);
        trial.note(&frame(3, Some(Mark::Prepared)), &failed("bad_output"));
        let reason = trial.verdict().unwrap().unwrap_err();
        assert_eq!(reason, "frame 2 of it failed: as it is");
        let mut trial = Trial::new(3);
        trial.note(&frame(3, None), &failed("stuck"));
        assert!(trial.verdict().unwrap().is_err());
    }

    #[test]
    fn only_a_change_that_was_rolled_back_stays_a_problem() {
        let (change, reason) = ("b".to_owned(), "NaN".to_owned());
        let refused = ModelChangeNote::Refused {
            change: change.clone(),
            reason: reason.clone(),
        };
        assert_eq!(
            (refused.to_string(), refused.problem()),
            ("b: refused: NaN".to_owned(), None)
        );
        let rolled_back = ModelChangeNote::RolledBack { change, reason };
        assert_eq!(
            rolled_back.problem().unwrap(),
            "the model was changed back: b: rolled back: NaN"
        );
    }
}
