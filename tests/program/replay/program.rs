//! The program as a user runs it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

pub use shuffledet_testing::ended::Ended;

pub const MODELS: [&str; 2] = ["fastestdet_352", "nanodet_m_416"];

/// `shuffledet replay BAG`, to be given more arguments.
pub fn replay(bag: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    command.arg("replay").arg(bag);
    command
}

pub fn end(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

/// The summary of a run that ends with `code`.
pub fn summary(command: &mut Command, code: i32) -> Value {
    end(command.arg("--json")).summary(code)
}

/// The message of a run that must be refused: exit code 1, an error and nothing else.
pub fn refusal(command: &mut Command) -> String {
    let ended = end(command);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), ""),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.matches("error:").count(), 1, "{ended:?}");
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
    ended.stderr
}
