//! The Python interpreter that has the reference packages.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// `None`, and a line that says so, where there is none.
pub fn python(test: &str) -> Option<Command> {
    let own = || crate::repository(".deps/venv/bin/python");
    let python = env::var_os("SHUFFLEDET_PYTHON").map_or_else(own, PathBuf::from);
    if python.exists() {
        return Some(Command::new(python));
    }
    eprintln!("skipped: {test}: needs the Python tools");
    None
}
