//! `shuffledet`: parse, run, report. Needs no ROS.

use std::process::ExitCode;

use clap::Parser;

use shuffledet::cli::{self, Cli};
use shuffledet_detector::metrics::allocations::CountingAllocator;

/// For `bench`, which tells what a frame allocates; it costs nothing that can be measured.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::explain_usage(&error),
    };
    cli::log::start(cli.log_level());
    match cli::run(cli) {
        Ok(status) => status.into(),
        Err(error) => cli::explain(&error),
    }
}
