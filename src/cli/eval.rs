//! `shuffledet eval`: evaluates detections against annotated images.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use indicatif::ProgressBar;

use super::cameras::NothingRead;
use super::evaluation_outputs::EvaluationOutputArgs;
use super::ground_truth::{DataSet, TruthArgs};
use super::model_watch::ModelWatch;
use super::parameters::ParameterArgs;
use super::replay::versions;
use super::{Status, interrupt, progress};
use crate::cli::terminal;
use shuffledet_core::InputSize;
use shuffledet_detector::pipeline::{Annotate, RunError};
use shuffledet_detector::{LoadedModel, detect::Detector};
use shuffledet_eval::evaluation::add_problems;
use shuffledet_eval::journal::FinishedImages;
use shuffledet_eval::subject::{EvaluationSettings, Machine};
use shuffledet_eval::{Evaluation, Failure, ImageRecord, Journal, Problems, Shard, Subject};
use shuffledet_harness::images::{ImageReader, Images};
use shuffledet_harness::run::{Task, run as run_images};

#[derive(Debug, Args)]
#[command(after_help = "\
The evaluation uses a confidence threshold of 0.001 and at most 100 detections per image. It
ignores the thresholds of --config, because average precision needs the detections with low scores
as well. --score-threshold, --max-detections and --set change these values.
With --output, the results of finished images are kept in OUT.json.journal until the run is
complete; --resume continues an interrupted run.
Exit code: 0 if every image was processed; 2 if some failed, the annotations leave nothing to
evaluate or the recording has none of the images (then nothing is written); 3 if a condition of
the budget is not met; 1 on an error; 130 if interrupted.")]
pub struct EvalArgs {
    #[command(flatten)]
    truth: TruthArgs,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Confidence threshold: only detections with a higher score count [default: 0.001]
    #[arg(long, value_name = "S", help_heading = "Parameters")]
    score_threshold: Option<f64>,

    /// Maximum number of detections per image, best first [default: 100]
    #[arg(long, value_name = "N", help_heading = "Parameters")]
    max_detections: Option<usize>,

    /// Clip boxes to the image, as published detections are. By default boxes are evaluated
    /// unclipped, as in the models' reference figures
    #[arg(long, help_heading = "Parameters")]
    clipped: bool,

    /// Evaluate shard I of N, from 1/N to N/N: the images whose index modulo N is I - 1
    #[arg(long, value_name = "I/N", value_parser = value_parser!(Shard), help_heading = "Run")]
    shard: Option<Shard>,

    /// Continue the interrupted run with this --output, if there is one
    #[arg(long, requires = "output", help_heading = "Run")]
    resume: bool,

    #[command(flatten)]
    outputs: EvaluationOutputArgs,

    /// Write the detections as a COCO results file
    #[arg(long, value_name = "OUT.json", help_heading = "Output")]
    coco_results: Option<PathBuf>,
}

pub fn run(args: &EvalArgs) -> anyhow::Result<Status> {
    let results = args.coco_results.as_deref();
    let results = results.map(|path| ("--coco-results", path));
    args.outputs.check(args.truth.inputs(), results)?;
    let budget = args.outputs.budget()?;
    let (score, most) = (args.score_threshold, args.max_detections);
    let mut loaded = args.parameters.load_for_accuracy(score, most)?;
    if !args.clipped {
        loaded.leave_unclipped();
    }
    let data = args
        .truth
        .load(&loaded.model.description.labels, loaded.settings())?;
    if let Some((budget, path)) = &budget {
        budget.check_classes(path, &data.ground_truth.description.categories)?;
    }
    let stop = interrupt::listen().context("listening for signals")?;

    let detectors = loaded.detectors(loaded.config.threads.workers.get())?;
    let provider = detectors[0].session().provider().onnx_runtime_name();
    let subject = Subject {
        model: loaded.model.identity(),
        parameters: loaded.config.to_tree(),
        provider: provider.to_owned(),
        versions: versions(&loaded)?,
        machines: vec![Machine::this()],
        dataset: data.ground_truth.description.clone(),
        settings: EvaluationSettings {
            input_budget: input_budget(&loaded),
            ..data.ground_truth.settings.clone()
        },
        shard: args.shard,
    };
    let (journal, finished) = open_journal(args, &subject)?;
    for record in &finished.records {
        check(record, args.truth.strict)?;
    }
    let done: HashSet<u64> = finished.records.iter().map(|record| record.index).collect();
    let share = |index: &u64| args.shard.is_none_or(|shard| shard.has(*index));
    let indices = (0..data.ground_truth.truth.images.len() as u64).filter(share);
    let pending: Vec<u64> = indices.filter(|index| !done.contains(index)).collect();
    let mut collected = EvaluatedImages {
        watch: ModelWatch::new([&loaded]),
        strict: args.truth.strict,
        journal,
        records: finished.records,
        earlier_s: finished.wall_s,
        started: Instant::now(),
        bar: progress::bar(Some(pending.len() as u64), args.outputs.quiet),
    };
    let mut images = ImageReader::new(&data.images, &data.ground_truth.truth.images, &pending)?;
    let ran = process(
        &loaded,
        detectors,
        &data,
        &pending,
        &mut images,
        &stop,
        &mut collected,
    );
    let warnings = images.warnings().iter();
    warnings.for_each(|warning| tracing::warn!("{warning}"));
    let wall_s = collected.wall_s();
    collected.bar.finish_and_clear();
    ran?;
    collected.watch.finish()?;
    if stop.load(Ordering::Relaxed) {
        tell_of_interruption(
            &args.outputs,
            collected.records.len(),
            done.len() + pending.len(),
        );
        return Ok(Status::Interrupted);
    }
    let workers = loaded.config.threads.workers.get();
    let EvaluatedImages {
        records, journal, ..
    } = collected;
    let is_recording = matches!(data.images, Images::Recording(_));
    let is_missing =
        |record: &ImageRecord| record.failure.as_ref().is_some_and(Failure::is_missing);
    // a shard may have no image of the recording while others have them
    if is_recording && args.shard.is_none() && records.iter().all(is_missing) {
        if let Some(journal) = journal {
            journal.finish()?;
        }
        return Err(NothingRead::of_annotated(args.truth.input()).into());
    }
    let evaluation = Evaluation::new(
        subject,
        data.ground_truth.problems,
        records,
        wall_s,
        workers,
    )?;
    if let Some(path) = &args.coco_results {
        let written = evaluation.write_coco_results(path, &data.ground_truth.truth.annotated);
        written.with_context(|| format!("--coco-results {}", path.display()))?;
    }
    let budget = budget.map(|(budget, _)| budget);
    let written = args.coco_results.iter().cloned().collect();
    let status = args
        .outputs
        .finish(&evaluation, Some(&data.images), budget.as_ref(), written)?;
    if let Some(journal) = journal {
        journal.finish()?;
    }
    Ok(status)
}

fn tell_of_interruption(outputs: &EvaluationOutputArgs, done: usize, all: usize) {
    let how = match outputs.output {
        Some(_) => "to continue, repeat the command with --resume",
        None => "the results are lost, because --output was not given",
    };
    let _ = writeln!(
        terminal::stderr(),
        "interrupted after {done} of {all} images; {how}"
    );
}

/// Returns the budget of the network's input, in force if the input follows the image.
fn input_budget(loaded: &LoadedModel) -> Option<f64> {
    let choice = loaded.choice();
    (choice.size == InputSize::Auto).then_some(choice.budget)
}

/// Opens the journal beside `--output` and returns it with the images that are already finished.
fn open_journal(
    args: &EvalArgs,
    subject: &Subject,
) -> anyhow::Result<(Option<Journal>, FinishedImages)> {
    let Some(output) = &args.outputs.output else {
        return Ok((None, FinishedImages::default()));
    };
    let mut path = output.clone();
    path.as_mut_os_string().push(".journal");
    let (identity, shard) = (subject.identity(), subject.shard);
    if args.resume {
        let (journal, finished) = Journal::resume(&path, identity, shard)?;
        return Ok((Some(journal), finished));
    }
    if path.exists() && !args.outputs.force {
        bail!(
            "{}: an earlier run was interrupted; continue it with --resume, or start over with --force",
            path.display()
        );
    }
    Ok((
        Some(Journal::begin(&path, identity, shard)?),
        FinishedImages::default(),
    ))
}

/// The results of this run and of the earlier runs that it continues.
struct EvaluatedImages<'a> {
    watch: ModelWatch<'a>,
    strict: bool,
    journal: Option<Journal>,
    records: Vec<ImageRecord>,
    /// Duration of the earlier runs in seconds.
    earlier_s: f64,
    started: Instant,
    bar: ProgressBar,
}

impl EvaluatedImages<'_> {
    /// Returns the duration of all runs so far in seconds.
    fn wall_s(&self) -> f64 {
        self.earlier_s + self.started.elapsed().as_secs_f64()
    }

    fn add(&mut self, record: ImageRecord) -> anyhow::Result<()> {
        self.watch.look()?;
        check(&record, self.strict)?;
        let wall_s = self.wall_s();
        if let Some(journal) = &mut self.journal {
            journal.add(&record, wall_s)?;
        }
        self.records.push(record);
        self.bar.inc(1);
        Ok(())
    }
}

/// Fails if the image has a problem and `strict` makes problems errors.
fn check(record: &ImageRecord, strict: bool) -> anyhow::Result<()> {
    let mut problems = Problems::default();
    if strict {
        add_problems(record, &mut problems);
    }
    let checked = problems.strictly().map_err(anyhow::Error::msg);
    checked.context("--strict")
}

/// Processes the images of `pending`, which `images` reads, with `detectors`.
fn process(
    loaded: &LoadedModel,
    detectors: Vec<Detector>,
    data: &DataSet,
    pending: &[u64],
    images: &mut ImageReader<'_>,
    stop: &AtomicBool,
    collected: &mut EvaluatedImages<'_>,
) -> anyhow::Result<()> {
    let tuning = Arc::new(loaded.lossless_tuning(vec![loaded.config.input; images.cameras()]));
    let mut workers = loaded.workers(detectors, &tuning, Annotate::None)?;
    let task = Task {
        images: &data.ground_truth.truth.images,
        categories: &data.ground_truth.categories,
    };
    collected.started = Instant::now();
    let done = |record| collected.add(record);
    match run_images(task, pending, images, &tuning, &mut workers, stop, done) {
        Err(RunError::Sink(error)) => Err(error),
        ran => Ok(ran?),
    }
}
