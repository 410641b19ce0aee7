//! The command line: one module per subcommand.

pub mod bench;
pub mod cameras;
pub mod classify;
pub mod compare;
pub mod completions;
pub mod detect;
pub mod doctor;
pub mod eval;
pub mod eval_tracks;
pub mod evaluation_outputs;
pub mod ground_truth;
pub mod import;
pub mod interrupt;
pub mod label;
pub mod log;
pub mod man;
pub mod merge;
pub mod model_watch;
mod models;
mod output_paths;
pub mod outputs;
pub mod parameters;
pub mod progress;
pub mod replay;
pub mod sweep;
mod terminal;
pub mod track;
mod values;
pub mod view;
mod viewing;

use std::io;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use shuffledet_eval::ground_truth::GroundTruthError;

/// Detect objects in ROS 2 recordings and images with ShuffleNet V2 detectors.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Log level for standard error: error, warn, info, debug or trace; RUST_LOG overrides it
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    log_level: tracing::Level,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Detect objects in the images of a rosbag2 recording
    Replay(Box<replay::ReplayArgs>),
    /// Play a rosbag2 recording with its detections on a page in the browser
    View(Box<view::ViewRecordingArgs>),
    /// Detect objects in image files
    Detect(detect::DetectArgs),
    /// Classify image files: what each of them shows
    Classify(classify::ClassifyArgs),
    /// Measure accuracy and latency on annotated images or an annotated recording
    Eval(Box<eval::EvalArgs>),
    /// Measure tracks against the truth: HOTA, MOTA, IDF1, identity switches
    EvalTracks(Box<eval_tracks::EvalTracksArgs>),
    /// Merge the shards of an evaluation into one result
    Merge(merge::MergeArgs),
    /// Compare two evaluations, of detections or of tracks, and test whether their differences are significant
    Compare(compare::CompareArgs),
    /// Evaluate a grid of parameters and find the best setting
    Sweep(Box<sweep::SweepArgs>),
    /// Track the objects of a file of detections
    Track(Box<track::TrackArgs>),
    /// Convert a video or a folder of images to a rosbag2 recording
    Import(import::ImportArgs),
    /// Export frames and detections for a labelling tool, and import the corrected labels
    #[command(subcommand)]
    Label(label::LabelCommand),
    /// List, fetch, verify, inspect and describe models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Measure the processing time of a frame, the throughput and the age of live frames
    Bench(bench::BenchArgs),
    /// Report what is missing, slow or misconfigured on this machine, with a fix for each
    Doctor(doctor::DoctorArgs),
    /// Print a script that completes the command line in a shell
    Completions(completions::CompletionsArgs),
    /// Write manual pages of all subcommands
    Man(man::ManArgs),
}

/// The result of a command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Success,
    /// Part of the input could not be processed. Exit code 2.
    SomeFailed,
    /// A condition of the budget is not met. Exit code 3.
    OverBudget,
    /// The goal is not reached: the second evaluation is worse, or no setting is fast enough.
    /// Exit code 3.
    NotGoodEnough,
    /// The user stopped the command. Finished work is written. Exit code 130.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => ExitCode::SUCCESS,
            Status::SomeFailed => ExitCode::from(2),
            Status::OverBudget | Status::NotGoodEnough => ExitCode::from(3),
            Status::Interrupted => ExitCode::from(130),
        }
    }
}

impl Cli {
    pub fn log_level(&self) -> tracing::Level {
        self.log_level
    }
}

/// Runs the command. The caller shows an error to the user with [`explain`].
pub fn run(cli: Cli) -> anyhow::Result<Status> {
    match cli.command {
        Command::Replay(args) => replay::run(&args),
        Command::View(args) => view::run(*args),
        Command::Detect(args) => detect::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::EvalTracks(args) => eval_tracks::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Track(args) => track::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Label(command) => label::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Bench(args) => bench::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Prints clap's usage error or help text. A usage error exits with code 1, not with clap's code 2,
/// because 2 means here that frames failed.
pub fn explain_usage(error: &clap::Error) -> ExitCode {
    // if the terminal is gone, nobody reads the message
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints an error with its causes. Returns exit code 1, or 2 if the input could be read but
/// contains nothing to process.
pub fn explain(error: &anyhow::Error) -> ExitCode {
    let pipe_closed = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(pipe_closed) {
        // the reader of our output has closed the pipe, as `| head` does
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(terminal::stderr(), "error: {}", causes(error));
    if yields_nothing(error) {
        Status::SomeFailed.into()
    } else {
        ExitCode::FAILURE
    }
}

/// Returns whether the input could be read but contains nothing to process.
fn yields_nothing(error: &anyhow::Error) -> bool {
    let labels = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<GroundTruthError>());
    labels.is_some_and(GroundTruthError::yields_nothing) || error.is::<cameras::NothingRead>()
}

/// Joins the error and its causes, outermost first. Skips a cause that an outer error quotes.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use shuffledet_eval::truth::TruthError;

    #[test]
    fn a_wrong_command_line_is_an_error_and_help_is_not() {
        let parse = |args: &[&str]| Cli::try_parse_from(args).unwrap_err();
        let code = |args: &[&str]| format!("{:?}", explain_usage(&parse(args)));
        assert_eq!(
            code(&["shuffledet", "replay"]),
            format!("{:?}", ExitCode::FAILURE)
        );
        assert_eq!(
            code(&["shuffledet", "--help"]),
            format!("{:?}", ExitCode::SUCCESS)
        );
    }

    #[test]
    fn an_error_tells_each_cause_once() {
        let cause = std::io::Error::other("disk full");
        let quoting = shuffledet_detector::model::ModelError::Read {
            path: "a.onnx".into(),
            source: cause,
        };
        let error = anyhow::Error::new(quoting).context("--model");
        assert_eq!(causes(&error), "--model: a.onnx: disk full");
        let plain = anyhow::Error::msg("disk full").context("--draw");
        assert_eq!(causes(&plain), "--draw: disk full");
    }

    #[test]
    fn labels_of_which_nothing_comes_are_a_failure_of_their_own() {
        let error = anyhow::Error::new(GroundTruthError::from(TruthError::AllEmpty {
            path: "labels".into(),
            count: 3,
        }));
        let code = format!("{:?}", explain(&error.context("--annotations")));
        assert_eq!(code, format!("{:?}", ExitCode::from(2)));
        let error = anyhow::Error::new(GroundTruthError::from(TruthError::NoNames {
            path: "labels".into(),
            names: "data.yaml".into(),
        }));
        assert_eq!(
            format!("{:?}", explain(&error)),
            format!("{:?}", ExitCode::FAILURE)
        );
    }

    /// Completions and manual pages show the first line of each help.
    #[test]
    fn every_subcommand_and_option_has_help() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path}");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                assert!(!help.trim().is_empty(), "{path} {}", argument.get_id());
            }
            for subcommand in command.get_subcommands() {
                check(subcommand, &path);
            }
        }
        let mut command = Cli::command();
        command.build();
        check(&command, "");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
