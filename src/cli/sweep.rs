//! `shuffledet sweep`: evaluates a grid of parameters.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use serde_json::Value;

use super::cameras::NothingRead;
use super::ground_truth::{DataSet, TruthArgs};
use super::model_watch::ModelWatch;
use super::replay::versions;
use super::{Status, interrupt, output_paths, progress, values};
use crate::cli::terminal::{self, shows_colour};
use shuffledet_core::whole_file;
use shuffledet_detector::config::Config;
use shuffledet_eval::sweep::Detections;
use shuffledet_eval::sweep::outcome::{judge, outcomes};
use shuffledet_eval::sweep::{Grid, Objective, SweepOutcome};
use shuffledet_eval::{Failure, Problem, Problems, TruthImage};
use shuffledet_harness::images::{ImageReader, Images};
use shuffledet_harness::sweep::{Group, detect, measure, sample};
use shuffledet_report::sweep::{SweepReport, render};
use shuffledet_report::sweep_table::SweepTable;

#[derive(Debug, Args)]
#[command(after_help = "\
VALUES is a list, such as model.name=a,b, or a range that includes both ends, such as
detector.score_threshold=0.2..0.6:0.05. The grid contains every combination, at most 1000.
Every image is decoded once for all settings. Each setting is evaluated with its own thresholds.
Latency is measured afterwards on a sample of the images, one setting at a time on one thread,
from the bytes of a message to its detections.
Exit code: 0 on success; 2 if images failed or the annotations leave nothing to evaluate; 3 if no
setting is within --max-latency-ms; 1 on an error.")]
pub struct SweepArgs {
    #[command(flatten)]
    truth: TruthArgs,

    /// Parameter file in the format of ROS 2
    #[arg(long, value_name = "FILE", help_heading = "Grid")]
    config: Option<PathBuf>,

    /// A parameter with one or more values; may be repeated
    #[arg(
        long,
        value_name = "KEY=VALUES",
        required = true,
        help_heading = "Grid"
    )]
    set: Vec<String>,

    /// The figure to maximise
    #[arg(long, value_enum, default_value_t = Objective::F1, help_heading = "Choice")]
    objective: Objective,

    /// Maximum median latency of the best setting in milliseconds
    #[arg(long, value_name = "MS", value_parser = values::positive, help_heading = "Choice")]
    max_latency_ms: Option<f64>,

    /// Number of images for the latency measurement
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..), default_value = "100", help_heading = "Choice")]
    latency_images: u64,

    /// Write the best setting as a parameter file for --config and for the node
    #[arg(long, value_name = "OUT.yaml", help_heading = "Output")]
    best: Option<PathBuf>,

    /// Write a report: one HTML file with a plot of the objective against latency
    #[arg(long, value_name = "OUT.html", help_heading = "Output")]
    report: Option<PathBuf>,

    /// Overwrite existing outputs
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print only one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub fn run(args: &SweepArgs) -> anyhow::Result<Status> {
    let outputs = [("--best", &args.best), ("--report", &args.report)].into_iter();
    let outputs = outputs.filter_map(|(option, path)| Some((option, path.as_deref()?)));
    let inputs = args.truth.inputs().chain(args.config.as_deref());
    output_paths::check_files(outputs, inputs, args.force)?;
    let grid = Grid::parse(&args.set)?;
    let load = |setting: &Vec<String>| Config::load(args.config.as_deref(), None, setting);
    let configs: Vec<Config> = grid.settings().iter().map(load).collect::<Result<_, _>>()?;
    let groups = Group::for_settings(&configs)?;
    // categories and images are the same for all
    let (groups, data) = with_truth(args, groups)?;
    let stop = interrupt::listen().context("listening for signals")?;

    let images = &data.ground_truth.truth.images;
    let every: Vec<u64> = (0..images.len() as u64).collect();
    let bar = progress::bar(Some(every.len() as u64), args.json);
    let workers = configs[0].threads.workers.get();
    let mut reader = ImageReader::new(&data.images, images, &every)?;
    let mut watch = ModelWatch::new(groups.iter().map(|group| &group.loaded));
    let done = || {
        bar.inc(1);
        if watch.look().is_err() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let found = detect(
        &groups,
        configs.len(),
        images,
        &mut reader,
        workers,
        &stop,
        done,
    );
    let warnings = reader.warnings().iter();
    warnings.for_each(|warning| tracing::warn!("{warning}"));
    let found = found?;
    bar.finish_and_clear();
    watch.finish()?;
    if matches!(data.images, Images::Recording(_))
        && !stop.load(Ordering::Relaxed)
        && found.failures.len() == images.len()
        && found.failures.values().all(Failure::is_missing)
    {
        return Err(NothingRead::of_annotated(args.truth.input()).into());
    }
    let sample = sample(&data.images, images, &found, args.latency_images)?;
    let times = measure(&groups, configs.len(), &sample, &stop)?;
    watch.finish()?;
    if stop.load(Ordering::Relaxed) {
        let _ = writeln!(
            terminal::stderr(),
            "interrupted: no results, because a sweep needs a complete run"
        );
        return Ok(Status::Interrupted);
    }
    let most: Vec<usize> = configs
        .iter()
        .map(|c| c.thresholds.max_detections)
        .collect();
    let shown = configs.iter().map(|config| shown(&grid, config)).collect();
    let categories = &data.ground_truth.truth.categories;
    let mut settings = outcomes(categories, images, &found, shown, &most, times);
    let best = judge(&mut settings, args.objective, args.max_latency_ms);
    let outcome = SweepOutcome {
        objective: args.objective,
        max_latency_ms: args.max_latency_ms,
        annotations: data.ground_truth.description.annotations.clone(),
        images_in: data.ground_truth.description.images_in.clone(),
        images: images.len(),
        failed: found.failures.len(),
        measured: sample.len(),
        versions: versions(&groups[0].loaded)?,
        best,
        settings,
    };
    let varying: Vec<&str> = grid.varying().map(|axis| axis.key.as_str()).collect();
    let yaml = best
        .map(|best| configs[best].differing_yaml(&varying))
        .transpose()?;
    write_outputs(args, &outcome, yaml.as_deref())?;
    print(args, &outcome)?;
    warn(&data.ground_truth.problems, &found, images);
    Ok(match best {
        None => Status::NotGoodEnough,
        Some(_) if !found.failures.is_empty() => Status::SomeFailed,
        Some(_) => Status::Success,
    })
}

/// Reads the ground truth and maps the classes of each model to categories.
fn with_truth(args: &SweepArgs, mut groups: Vec<Group>) -> anyhow::Result<(Vec<Group>, DataSet)> {
    let mut first = None;
    for group in &mut groups {
        let data = args.truth.load(
            &group.loaded.model.description.labels,
            group.loaded.settings(),
        )?;
        group.categories.clone_from(&data.ground_truth.categories);
        first.get_or_insert(data);
    }
    let data = first.context("the grid has no setting")?;
    if data.ground_truth.settings.camera.is_some() {
        bail!(
            "--camera-height: sweep has no figures by distance; use this option with eval and the best setting"
        );
    }
    Ok((groups, data))
}

/// Returns the effective values of the varying parameters.
fn shown(grid: &Grid, config: &Config) -> BTreeMap<String, Value> {
    let tree = config.to_tree();
    let value = |key: &str| key.split('.').fold(&tree, |tree, key| &tree[key]).clone();
    grid.varying()
        .map(|axis| (axis.key.clone(), value(&axis.key)))
        .collect()
}

fn write_outputs(
    args: &SweepArgs,
    outcome: &SweepOutcome,
    yaml: Option<&str>,
) -> anyhow::Result<()> {
    if let (Some(path), Some(yaml)) = (&args.best, yaml) {
        whole_file::write(path, yaml).with_context(|| format!("--best {}", path.display()))?;
    }
    if let Some(path) = &args.report {
        let generated_at = SystemTime::now();
        let report = SweepReport {
            outcome,
            yaml,
            generated_at,
        };
        whole_file::write(path, &render(&report)?)
            .with_context(|| format!("--report {}", path.display()))?;
    }
    Ok(())
}

fn print(args: &SweepArgs, outcome: &SweepOutcome) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(outcome)?)?;
        return Ok(());
    }
    let colour = shows_colour(&io::stdout());
    write!(out, "{}", SweepTable { outcome, colour })?;
    if let (Some(path), Some(_)) = (&args.best, outcome.best) {
        writeln!(out, "written to {}", path.display())?;
    }
    Ok(())
}

/// Logs the problems of the annotations and the images.
fn warn(problems: &Problems, found: &Detections, images: &[TruthImage]) {
    for (problem, occurrences) in problems.iter().filter(|(p, _)| !p.is_ordinary()) {
        let first = occurrences.first.join("; ");
        tracing::warn!("{}: {first}", problem.counted(occurrences.count));
    }
    if let Some(failure) = found.failures.values().next() {
        let text = Problem::ImageFailed.counted(found.failures.len() as u64);
        tracing::warn!("{text}: {failure}");
    }
    if let Some((index, damage)) = found.damage.iter().next() {
        let text = Problem::ImageDamaged.counted(found.damage.len() as u64);
        tracing::warn!(
            "{text}: {}: {damage}",
            images[*index as usize].source.title()
        );
    }
}
