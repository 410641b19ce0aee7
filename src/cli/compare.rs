//! `shuffledet compare`: is the new model better?

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use anyhow::Context;
use clap::{Args, value_parser};

use super::Status;
use super::evaluation_outputs::check_outputs;
use super::merge::images_of;
use super::values;
use shuffledet_core::whole_file;
use shuffledet_eval::compare::LatencyRule;
use shuffledet_eval::{BootstrapSettings, CompareSettings, Comparison, Evaluation, compare};
use shuffledet_report::change_pictures::pictures;
use shuffledet_report::comparison::{ComparisonReport, render};
use shuffledet_report::comparison_table::ComparisonTable;

#[derive(Debug, Args)]
#[command(after_help = "\
A figure is better or worse where the bootstrap's interval of its difference does not hold 0; a stage is
slower or faster where the rank test gives p < 0.01 and the medians differ by more than --latency-margin.
Images that one of the files lacks are named and left out.
Exit code: 0 when nothing is worse, 3 when something is, 1 on an error.")]
pub struct CompareArgs {
    /// What `eval --output` wrote: what there was
    #[arg(value_name = "A.json")]
    a: PathBuf,

    /// The same of what is to be judged
    #[arg(value_name = "B.json")]
    b: PathBuf,

    /// How much slower or faster a stage's median must be to count, as a share of it
    #[arg(long, value_name = "SHARE", value_parser = values::positive, default_value = "0.1", help_heading = "Rules")]
    latency_margin: f64,

    /// How sure an interval is
    #[arg(long, value_name = "SHARE", value_parser = confidence, default_value = "0.95", help_heading = "Rules")]
    confidence: f64,

    /// How often the images are drawn anew
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(100..=100_000), default_value = "2000", help_heading = "Rules")]
    resamples: u32,

    /// Detections that score more are compared one by one
    #[arg(long, value_name = "S", value_parser = share, default_value = "0.25", help_heading = "Rules")]
    operating_score: f64,

    /// Go on where the annotations of images differ, and judge both runs by those of B
    #[arg(long, help_heading = "Rules")]
    allow_different_truth: bool,

    /// Where the images are, for the pictures of the report [default: where they were evaluated]
    #[arg(
        long,
        value_name = "DIR|BAG",
        requires = "report",
        help_heading = "Output"
    )]
    images: Option<PathBuf>,

    /// Write a report: one HTML file with every row, and what changed as pictures
    #[arg(long, value_name = "OUT.html", help_heading = "Output")]
    report: Option<PathBuf>,

    /// Replace a report that exists
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print one JSON object, and nothing else, on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn confidence(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(confidence) if (0.5..1.0).contains(&confidence) => Ok(confidence),
        _ => Err("expected a number from 0.5 to below 1, as 0.95".to_owned()),
    }
}

pub fn run(args: &CompareArgs) -> anyhow::Result<Status> {
    let report = args.report.as_deref().map(|path| ("--report", path));
    let inputs = [args.a.as_path(), &args.b].into_iter();
    check_outputs(report.into_iter(), inputs, args.force)?;
    let (a, b) = (Evaluation::read(&args.a)?, Evaluation::read(&args.b)?);
    let settings = CompareSettings {
        bootstrap: BootstrapSettings {
            resamples: args.resamples as usize,
            confidence: args.confidence,
            threads: thread::available_parallelism().map_or(1, usize::from),
            ..BootstrapSettings::default()
        },
        latency: LatencyRule {
            margin: args.latency_margin,
            ..LatencyRule::default()
        },
        operating_score: args.operating_score,
        allow_different_truth: args.allow_different_truth,
    };
    let (a_file, b_file) = (args.a.display().to_string(), args.b.display().to_string());
    let comparison = compare((&a_file, &a), (&b_file, &b), &settings)?;
    if let Some(path) = &args.report {
        write_report(args, path, &comparison, &b)
            .with_context(|| format!("--report {}", path.display()))?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&comparison)?)?;
    } else {
        let colour = out.is_terminal();
        let comparison = &comparison;
        write!(out, "{}", ComparisonTable { comparison, colour })?;
    }
    Ok(if comparison.regression {
        Status::NotGoodEnough
    } else {
        Status::Success
    })
}

fn write_report(
    args: &CompareArgs,
    path: &Path,
    comparison: &Comparison,
    b: &Evaluation,
) -> anyhow::Result<()> {
    let images = match &args.images {
        Some(path) => Some(images_of(b, path)?),
        // elsewhere than on the machine that evaluated them they need not be
        None => images_of(b, Path::new(&b.subject.dataset.images_in)).ok(),
    };
    let page = render(&ComparisonReport {
        comparison,
        pictures: &pictures(comparison, b, images.as_ref())?,
        generated_at: SystemTime::now(),
    })?;
    Ok(whole_file::write(path, page)?)
}
