//! `shuffledet doctor`: reports what is missing, slow or misconfigured, with a fix for each.

mod check;
mod dds;
mod models;
mod providers;
mod ranging;
mod ros;
mod system;

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::Status;
use super::parameters::ParameterArgs;
use crate::cli::terminal::{self, shows_colour};
use check::{Check, Level, Report};
use shuffledet_infer::{Runtime, SessionOptions};

#[derive(Debug, Args)]
#[command(after_help = "\
Tests every execution provider, whether or not runtime.providers names it. With a GPU, TensorRT is
tested only if runtime.providers names it, because the test may take minutes.
Exit code: 0 if no check fails, 2 if one does.")]
pub struct DoctorArgs {
    #[command(flatten)]
    parameters: ParameterArgs,

    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DoctorArgs) -> anyhow::Result<Status> {
    let report = examine(args);
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        let colour = shows_colour(&io::stdout());
        report.print(&mut out, colour)?;
    }
    Ok(if report.worst() == Level::Fail {
        Status::SomeFailed
    } else {
        Status::Success
    })
}

fn examine(args: &DoctorArgs) -> Report {
    let root = Path::new("/");
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut report = Report::default();
    report.add(opencv());
    let (check, runtime) = onnx_runtime();
    report.add(check);
    let config = match args.parameters.config() {
        Ok(config) => {
            report.add(Check::ok("parameters", "valid"));
            Some(config)
        }
        Err(error) => {
            let fix = "correct the parameter that the message names; docs/parameters.md lists all parameters";
            report.add(Check::fail("parameters", error.to_string(), fix));
            None
        }
    };
    let chosen = config.as_ref().map(|config| config.model.as_str());
    let model = models::check(runtime.as_ref(), chosen, &mut report);
    if let (Some(runtime), Some(config), Some(model)) = (&runtime, &config, &model) {
        let options: &SessionOptions = &config.session;
        providers::check(runtime, model, options, &mut report);
    }
    if let Some(config) = &config {
        ranging::check(config, &mut report);
    }
    ros::check(&environment, root, &mut report);
    dds::check(&environment, root, &mut report);
    system::check(root, &mut report);
    report
}

fn opencv() -> Check {
    match opencv::core::get_version_string() {
        Ok(version) => Check::ok("OpenCV", version),
        Err(error) => Check::fail("OpenCV", error.to_string(), "reinstall libopencv-dev"),
    }
}

fn onnx_runtime() -> (Check, Option<Runtime>) {
    const NAME: &str = "ONNX Runtime";
    match Runtime::load() {
        Ok(runtime) => {
            let (path, version) = (runtime.path().display(), runtime.version());
            (Check::ok(NAME, format!("{version}, {path}")), Some(runtime))
        }
        Err(error) => {
            let text = error.to_string();
            // the first line names the problem, the second the fix
            let (found, fix) = text
                .split_once('\n')
                .unwrap_or((&text, "reinstall ONNX Runtime"));
            (Check::fail(NAME, found, fix), None)
        }
    }
}
