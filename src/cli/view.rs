//! `shuffledet view`: plays a recording on a page in the browser, and writes nothing but marks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::outputs::OutputArgs;
use super::parameters::ParameterArgs;
use super::replay::{self, ReplayArgs};
use super::viewing::{PORT, ViewArgs};
use super::{Status, values};
use shuffledet_detector::pipeline::AtEnd;

#[derive(Debug, Args)]
#[command(after_help = "\
The page waits at the end of the recording. Ctrl-C ends the program, with exit code 0.
To look at a video, make a recording of it with `shuffledet import`. To look at a live camera, set
web.port of the node.")]
pub struct ViewRecordingArgs {
    /// A rosbag2 folder, or a single MCAP or SQLite3 file
    #[arg(value_name = "BAG")]
    recording: PathBuf,

    /// An image topic to read; may be repeated [default: every raw or compressed image topic]
    #[arg(long, value_name = "T", help_heading = "Selection")]
    topic: Vec<String>,

    /// Start time in seconds after the first message of the recording
    #[arg(long, value_name = "S", value_parser = values::seconds, default_value = "0", help_heading = "Selection")]
    start: Duration,

    /// End time in seconds after the first message of the recording
    #[arg(long, value_name = "S", value_parser = values::seconds, help_heading = "Selection")]
    end: Option<Duration>,

    /// Play the recording again when it ends
    #[arg(long, help_heading = "View")]
    repeat: bool,

    /// Port of the page; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = PORT, help_heading = "View")]
    port: u16,

    /// Write the frames that are marked on the page to this list, which `label export --frames` takes
    #[arg(long, value_name = "FILE", help_heading = "View")]
    marks: Option<PathBuf>,

    #[command(flatten)]
    parameters: ParameterArgs,
}

pub fn run(args: ViewRecordingArgs) -> anyhow::Result<Status> {
    let status = replay::run(&ReplayArgs {
        recording: args.recording,
        topic: args.topic,
        start: args.start,
        end: args.end,
        limit: None,
        rate: None,
        parameters: args.parameters,
        outputs: OutputArgs::default(),
        view: ViewArgs {
            view: Some(args.port),
            marks: args.marks,
        },
        at_end: if args.repeat {
            AtEnd::Repeat
        } else {
            AtEnd::Wait
        },
        json: false,
        quiet: true,
    })?;
    Ok(match status {
        Status::Interrupted => Status::Success,
        other => other,
    })
}
