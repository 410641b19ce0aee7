//! `shuffledet-train`: trains detectors that shuffledet runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    shuffledet_train::cli::main()
}
