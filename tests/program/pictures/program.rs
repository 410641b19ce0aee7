//! The program as a user runs it.

use std::process::Command;

use serde_json::Value;

pub use shuffledet_testing::ended::Ended;

pub fn shuffledet(command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    program.arg(command);
    program
}

/// A run that must end with `code`.
pub fn ends(command: &mut Command, code: i32) -> Ended {
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(code), "{ended:?}");
    ended
}

/// The JSON that a run prints which must end with `code`.
pub fn json(command: &mut Command, code: i32) -> Value {
    let ended = ends(command.arg("--json"), code);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}
