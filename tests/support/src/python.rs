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

/// Whether the interpreter has a module; `false`, and a line that says so, where it has not.
pub fn has(test: &str, module: &str) -> bool {
    let found = python(test).is_some_and(|mut python| {
        let output = python.args(["-c", &format!("import {module}")]).output();
        output.is_ok_and(|output| output.status.success())
    });
    if !found {
        eprintln!("skipped: {test}: needs the Python package {module}");
    }
    found
}
