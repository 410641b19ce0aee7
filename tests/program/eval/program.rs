//! The program as a user runs it, and what it writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use shuffledet_testing as support;
pub use shuffledet_testing::ended::Ended;

pub const KEYS: [&str; 12] = [
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
];

pub fn shuffledet(command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    program.arg(command);
    program
}

/// The 64 COCO images: their folder and annotations. `None`, and a line that says so, where they are not.
pub fn coco(test: &str) -> Option<(PathBuf, PathBuf)> {
    let annotations = support::asset(test, "images/instances_coco_part.json")?;
    Some((annotations.parent().unwrap().to_owned(), annotations))
}

/// `shuffledet eval` on them at the model's own input size, to be given more arguments.
pub fn eval((images, annotations): &(PathBuf, PathBuf)) -> Command {
    let mut command = shuffledet("eval");
    command.args(["--set", "model.input_size=native"]);
    command.arg("--images").arg(images);
    command.arg("--annotations").arg(annotations);
    command
}

pub fn end(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

/// A run that must end with `code`.
pub fn ends(command: &mut Command, code: i32) -> Ended {
    let ended = end(command);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    ended
}

/// The message of a run that must be refused: exit code 1, an error and nothing else.
pub fn refusal(command: &mut Command) -> String {
    let ended = ends(command, 1);
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
    ended.stderr
}

pub fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// An evaluation file without what was measured of the run.
pub fn without_times(path: &Path) -> String {
    let mut evaluation = read(path);
    let object = evaluation.as_object_mut().unwrap();
    for key in ["latency_ms", "throughput", "machines"] {
        object.remove(key).unwrap();
    }
    object["parameters"]["runtime"]["workers"].take();
    for image in object["images"].as_array_mut().unwrap() {
        image["stages_ms"].take();
    }
    evaluation.to_string()
}
