//! The command line: one file for each subcommand.

mod check;
mod classify;
mod data;
mod detect;
mod export;
mod quantise;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains detectors with a ShuffleNet V2 backbone, and writes ONNX files that shuffledet runs.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Options),
    Classify(classify::Options),
    Detect(Box<detect::Options>),
    Export(export::Options),
    Quantise(quantise::Options),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(options) => check::run(&options),
        Command::Classify(options) => classify::run(&options),
        Command::Detect(options) => detect::run(*options),
        Command::Export(options) => export::run(&options),
        Command::Quantise(options) => quantise::run(&options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("shuffledet-train: {error:#}");
        ExitCode::FAILURE
    })
}
