//! `shuffledet`: parse, run, report. Needs no ROS.

use std::process::ExitCode;

use clap::Parser;

use shuffledet::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::log::start(cli.log_level());
    match cli::run(cli) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("error: {}", cli::explain(&error));
            ExitCode::FAILURE
        }
    }
}
