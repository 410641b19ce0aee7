//! `shuffledet compare`: compares two evaluations.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use serde::Serialize;

use super::Status;
use super::merge::images_of;
use super::{output_paths, values};
use crate::cli::terminal::{self, shows_colour};
use shuffledet_core::whole_file;
use shuffledet_eval::compare::LatencyRule;
use shuffledet_eval::tracks::{TrackCompareSettings, TrackEvaluation, compare_tracks};
use shuffledet_eval::{BootstrapSettings, CompareSettings, Comparison, Evaluation, compare};
use shuffledet_harness::pictures::draw;
use shuffledet_report::change_pictures::pictures;
use shuffledet_report::comparison::{ComparisonReport, render};
use shuffledet_report::comparison_table::ComparisonTable;
use shuffledet_report::tracks_comparison::{self, TracksComparisonReport, TracksComparisonTable};

#[derive(Debug, Args)]
#[command(after_help = "\
A figure is better or worse if the bootstrap confidence interval of its difference excludes 0. A
stage is slower or faster if the rank test gives p < 0.01 and the medians differ by more than
--latency-margin.
Images that are in one file only are listed and left out.
Evaluations of tracks must have the same truth. With fewer than 10 sequences, parts of 50 frames are
resampled.
Exit code: 0 if nothing is worse, 3 if something is, 1 on an error.")]
pub struct CompareArgs {
    /// The baseline: an evaluation that `eval --output` or `eval-tracks --output` wrote
    #[arg(value_name = "A.json")]
    a: PathBuf,

    /// The candidate: an evaluation by the same command
    #[arg(value_name = "B.json")]
    b: PathBuf,

    /// Minimum relative change of a stage's median latency that counts
    #[arg(long, value_name = "SHARE", value_parser = values::positive, default_value = "0.1", help_heading = "Rules")]
    latency_margin: f64,

    /// Confidence level of the intervals
    #[arg(long, value_name = "SHARE", value_parser = confidence, default_value = "0.95", help_heading = "Rules")]
    confidence: f64,

    /// Number of bootstrap resamples of the images, or of the sequences
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(100..=100_000), default_value = "2000", help_heading = "Rules")]
    resamples: u32,

    /// Confidence threshold for the comparison of single detections
    #[arg(long, value_name = "S", value_parser = share, default_value = "0.25", help_heading = "Rules")]
    operating_score: f64,

    /// Allow different annotations of an image; both runs are evaluated with those of B
    #[arg(long, help_heading = "Rules")]
    allow_different_truth: bool,

    /// Location of the images for the report [default: the location recorded in B.json]
    #[arg(
        long,
        value_name = "DIR|BAG",
        requires = "report",
        help_heading = "Output"
    )]
    images: Option<PathBuf>,

    /// Write a report: one HTML file with every row and with pictures of the changed detections
    #[arg(long, value_name = "OUT.html", help_heading = "Output")]
    report: Option<PathBuf>,

    /// Overwrite an existing report
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print only one JSON object on standard output
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
        _ => Err("expected a number of at least 0.5 and less than 1, such as 0.95".to_owned()),
    }
}

pub fn run(args: &CompareArgs) -> anyhow::Result<Status> {
    let report = args.report.as_deref().map(|path| ("--report", path));
    let inputs = [args.a.as_path(), &args.b].into_iter();
    output_paths::check_files(report.into_iter(), inputs, args.force)?;
    match [&args.a, &args.b].map(|path| TrackEvaluation::is_in(path)) {
        [true, true] => return compare_track_files(args),
        [false, false] => {}
        [a, _] => {
            let (tracks, other) = if a {
                (&args.a, &args.b)
            } else {
                (&args.b, &args.a)
            };
            bail!(
                "{} is an evaluation of tracks, {} is none; compare two by the same command",
                tracks.display(),
                other.display()
            );
        }
    }
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
        write(path, page(args, &comparison, &b))?;
    }
    print(args, &comparison, |colour| ComparisonTable {
        comparison: &comparison,
        colour,
    })?;
    Ok(status(comparison.regression))
}

/// Compares two evaluations of tracks.
fn compare_track_files(args: &CompareArgs) -> anyhow::Result<Status> {
    let (a, b) = (
        TrackEvaluation::read(&args.a)?,
        TrackEvaluation::read(&args.b)?,
    );
    let settings = TrackCompareSettings {
        resamples: args.resamples as usize,
        confidence: args.confidence,
        seed: BootstrapSettings::default().seed,
        threads: thread::available_parallelism().map_or(1, usize::from),
    };
    let (a_file, b_file) = (args.a.display().to_string(), args.b.display().to_string());
    let comparison = compare_tracks((&a_file, &a), (&b_file, &b), &settings)?;
    if let Some(path) = &args.report {
        let page = tracks_comparison::render(&TracksComparisonReport {
            comparison: &comparison,
            generated_at: SystemTime::now(),
        });
        write(path, page.map_err(anyhow::Error::from))?;
    }
    print(args, &comparison, |colour| TracksComparisonTable {
        comparison: &comparison,
        colour,
    })?;
    Ok(status(comparison.regression))
}

/// Writes a page.
fn write(path: &Path, page: anyhow::Result<String>) -> anyhow::Result<()> {
    let written = page.and_then(|page| Ok(whole_file::write(path, page)?));
    written.with_context(|| format!("--report {}", path.display()))
}

/// Prints a comparison as JSON, or as the table that `table` returns, with colours or without.
fn print<T: Display>(
    args: &CompareArgs,
    comparison: &impl Serialize,
    table: impl FnOnce(bool) -> T,
) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(comparison)?)?;
    } else {
        write!(out, "{}", table(shows_colour(&io::stdout())))?;
    }
    Ok(())
}

fn status(regression: bool) -> Status {
    if regression {
        Status::NotGoodEnough
    } else {
        Status::Success
    }
}

/// Returns the page of a comparison, with pictures of the changes.
fn page(args: &CompareArgs, comparison: &Comparison, b: &Evaluation) -> anyhow::Result<String> {
    let images = match &args.images {
        Some(path) => Some(images_of(b, path)?),
        // on another machine than the one of the evaluation, the images may be missing
        None => images_of(b, Path::new(&b.subject.dataset.images_in)).ok(),
    };
    Ok(render(&ComparisonReport {
        comparison,
        pictures: &pictures(comparison, b, |wanted| draw(wanted, images.as_ref()))?,
        generated_at: SystemTime::now(),
    })?)
}
