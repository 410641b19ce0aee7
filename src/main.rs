//! `shuffledet`: parse, run, report. Needs no ROS.

use std::process::ExitCode;

use clap::Parser;

use shuffledet::cli::{self, Cli};
use shuffledet_detector::metrics::allocations::CountingAllocator;

/// Counts allocations for `bench`. The overhead is too small to measure.
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
