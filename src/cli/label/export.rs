//! `shuffledet label export`: exports frames or pictures with detections for labelling.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::hard::{self, HardArgs};
use super::import::read_export;
use super::run::FrameRun;
use super::{ANNOTATIONS, IMAGES};
use crate::cli::cameras::CameraSelection;
use crate::cli::model_watch::ModelWatch;
use crate::cli::parameters::ParameterArgs;
use crate::cli::replay::make_workers;
use crate::cli::terminal;
use crate::cli::{Status, interrupt, output_paths, values};
use shuffledet_bag::Recording;
use shuffledet_core::Outcome;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::detect::Scales;
use shuffledet_detector::pipeline::{
    Annotate, FrameWorker, ImageTopics, MultiScaleWorker, SharedSettings,
};
use shuffledet_eval::annotations::Annotations;
use shuffledet_eval::pre_annotations::PreAnnotations;
use shuffledet_harness::labelling::hard::Chosen;
use shuffledet_harness::labelling::{
    EveryNth, Exported, FrameExport, FrameList, LabelledFrames, Listed, PictureFiles,
};
use shuffledet_report::format::counted;

#[derive(Debug, Args)]
#[command(after_help = "\
For a recording, the command writes images/ and annotations/instances_default.json to DIR; for
--images, only the annotations. CVAT imports them as COCO 1.0, and Label Studio imports them with
label-studio-converter (docs/evaluation.md). Correct the labels there, then run:
shuffledet label import CORRECTED.json --export DIR --output labels.json
shuffledet eval BAG --annotations labels.json")]
pub struct ExportArgs {
    /// A rosbag2 folder, or a single MCAP or SQLite3 file
    #[arg(value_name = "BAG", required_unless_present = "images")]
    recording: Option<PathBuf>,

    /// A folder of pictures in place of a recording; they stay where they are
    #[arg(long, value_name = "FOLDER", conflicts_with = "recording")]
    images: Option<PathBuf>,

    /// The folder to write
    #[arg(long, value_name = "DIR")]
    output: PathBuf,

    /// An image topic to read; may be repeated [default: every image topic]
    #[arg(
        long,
        value_name = "T",
        conflicts_with = "images",
        help_heading = "Selection"
    )]
    topic: Vec<String>,

    /// Export every Nth frame of each topic, or every Nth picture
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Selection")]
    every: u64,

    /// Maximum number of frames to export
    #[arg(long, value_name = "N", help_heading = "Selection")]
    limit: Option<u64>,

    /// Export only the frames of this list, such as one of `replay --view --marks`: a stamp in
    /// nanoseconds and a topic on each line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "every", "hard"], help_heading = "Selection")]
    frames: Option<PathBuf>,

    #[command(flatten)]
    hard: HardArgs,

    /// Classes and class sets to label, such as road [default: detector.classes]
    #[arg(
        long,
        value_name = "NAME,..",
        value_delimiter = ',',
        help_heading = "Selection"
    )]
    classes: Vec<String>,

    /// Confidence threshold for labels, in [0, 1] [default: detector.score_threshold]
    #[arg(long, value_name = "SCORE", help_heading = "Parameters")]
    score_threshold: Option<f32>,

    #[command(flatten)]
    multi_scale: MultiScaleArgs,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Overwrite an earlier export in this folder
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Multi-scale")]
struct MultiScaleArgs {
    /// Run the model at several multiples of its input size, each time also on the mirror image,
    /// and fuse the boxes: many times slower, and more often right [default scales: 1,1.54,2]
    #[arg(long, value_name = "SCALES", num_args = 0..=1, require_equals = true, default_missing_value = "1,1.54,2", conflicts_with = "score_threshold")]
    multi_scale: Option<Scales>,

    /// Mark labels with a lower fused score for review
    #[arg(long, value_name = "SCORE", default_value_t = 0.5, value_parser = values::score, requires = "multi_scale")]
    accept: f32,

    /// Leave out labels with a lower fused score
    #[arg(long, value_name = "SCORE", default_value_t = 0.25, value_parser = values::score, requires = "multi_scale")]
    review: f32,
}

pub fn run(args: &ExportArgs) -> anyhow::Result<Status> {
    let scales = &args.multi_scale;
    if scales.review > scales.accept {
        bail!(
            "--review {}: expected at most the score of --accept, {}",
            scales.review,
            scales.accept
        );
    }
    match (&args.images, &args.recording) {
        (Some(folder), _) => export_pictures(args, folder),
        (None, Some(recording)) => export_recording(args, recording),
        // clap ensures that one of them is given
        (None, None) => bail!("expected a recording or --images"),
    }
}

fn export_recording(args: &ExportArgs, path: &Path) -> anyhow::Result<Status> {
    let annotations = args.output.join(ANNOTATIONS);
    let images = args.output.join(IMAGES);
    // a path that cannot be resolved does not exist
    if let (Ok(output), Ok(input)) = (args.output.canonicalize(), path.canonicalize())
        && output.starts_with(&input)
    {
        bail!(
            "--output {}: is inside the input recording; choose another folder",
            args.output.display()
        );
    }
    output_paths::check_folder("--output", &args.output, args.force)?;
    let earlier = read_export(&annotations).ok();
    let listed = args.frames.as_deref().map(FrameList::read);
    let listed = listed.transpose().context("--frames")?;
    if listed.as_ref().is_some_and(FrameList::is_empty) {
        bail!("--frames: expected at least one frame in the list, found none");
    }
    let loaded = load(args)?;
    let recording = Recording::open(path)?;
    let selected = CameraSelection::new(&recording, &args.topic, path)?;
    let cameras = &selected.cameras;
    let frames = || -> anyhow::Result<_> {
        let source = selected.filled_source(&recording, path)?;
        let source = Listed::new(source, cameras, listed.clone());
        Ok(EveryNth::new(source, args.every, cameras.len()))
    };
    let tuning = Arc::new(loaded.lossless_tuning(loaded.config.recorded_settings(cameras)));
    let stop = interrupt::listen().context("listening for signals")?;
    let run = FrameRun {
        tuning: &tuning,
        limit: args.limit,
        stop: &stop,
        frames: None,
    };
    let Some(chosen) = hard::choose(&args.hard, frames, &loaded, || second(args), run)? else {
        return Ok(Status::Interrupted);
    };
    let mut source = Chosen::new(frames()?, chosen);
    fs::create_dir_all(&images).with_context(|| images.display().to_string())?;
    let mut export = FrameExport::new(
        images,
        LabelledFrames::new(cameras, &ImageTopics::list(&recording).cameras),
        pre_annotations(args, &loaded, path),
        loaded.config.input.limits,
    )?;
    let mut failed = false;
    let workers = frame_workers(&args.multi_scale, &loaded, &tuning)?;
    let mut watch = ModelWatch::new([&loaded]);
    let ran = run.all(&mut source, workers, &mut watch, |frame, outcome| {
        let (topic, stamp_ns) = (&cameras[frame.camera].topic, frame.stamp.to_ns());
        if let Some(damage) = frame.damage {
            tracing::warn!("{topic}: frame with stamp {stamp_ns} ns: {damage}");
        }
        if let Outcome::Failed(failure) = outcome {
            failed = true;
            let why = &failure.message;
            tracing::warn!("{topic}: frame with stamp {stamp_ns} ns failed: {why}");
        } else if export.add(frame)? == Exported::RepeatedStamp {
            tracing::warn!(
                "{topic}: left out a second frame with stamp {stamp_ns} ns, because labels refer to the stamp"
            );
        }
        Ok(())
    });
    watch.finish()?;
    // the frames exported before an error or a signal can be labelled
    let written = export.annotations().write(&annotations);
    let stopped = ran?;
    written.with_context(|| annotations.display().to_string())?;
    if let Some(earlier) = earlier {
        export.remove_others(&earlier)?;
    }
    let listed = source.source().source();
    for warning in listed.source().warnings() {
        tracing::warn!("{warning}");
    }
    if listed.missing() > 0 && !stopped {
        tracing::warn!(
            "--frames: {} of the list not found on the topics of {}",
            counted(listed.missing() as u64, "frame"),
            path.display()
        );
    }
    print(args, export.annotations(), "frame")?;
    Ok(status(stopped, failed))
}

fn export_pictures(args: &ExportArgs, folder: &Path) -> anyhow::Result<Status> {
    let annotations = args.output.join(ANNOTATIONS);
    output_paths::check_file(&annotations, args.force)?;
    let files = PictureFiles::open(folder, args.every).context("--images")?;
    let names = files.names().clone();
    let loaded = load(args)?;
    let tuning = Arc::new(loaded.lossless_tuning(vec![loaded.config.input]));
    let stop = interrupt::listen().context("listening for signals")?;
    let run = FrameRun {
        tuning: &tuning,
        limit: args.limit,
        stop: &stop,
        frames: Some(names.count() as u64),
    };
    let frames = || Ok(files.clone());
    let Some(chosen) = hard::choose(&args.hard, frames, &loaded, || second(args), run)? else {
        return Ok(Status::Interrupted);
    };
    let mut source = Chosen::new(files.clone(), chosen);
    let mut export = pre_annotations(args, &loaded, folder);
    let mut failed = false;
    let workers = frame_workers(&args.multi_scale, &loaded, &tuning)?;
    let mut watch = ModelWatch::new([&loaded]);
    let ran = run.all(&mut source, workers, &mut watch, |frame, outcome| {
        let name = names.name(frame);
        if let Some(damage) = frame.damage {
            tracing::warn!("{name}: {damage}");
        }
        if let Outcome::Failed(failure) = outcome {
            failed = true;
            tracing::warn!("{name}: failed: {}", failure.message);
        } else if let Some(size) = frame.size {
            let id = export.annotations().images.len() as u64 + 1;
            export.add(names.labelled(frame, id, size), &frame.detections);
        }
        Ok(())
    });
    watch.finish()?;
    let written = export.annotations().write(&annotations);
    let stopped = ran?;
    written.with_context(|| annotations.display().to_string())?;
    print(args, export.annotations(), "picture")?;
    Ok(status(stopped, failed))
}

/// Loads the model with the thresholds and classes of the options.
fn load(args: &ExportArgs) -> anyhow::Result<LoadedModel> {
    args.parameters.load_with(assignments(args))
}

/// Loads the second model of `--hard` in the same way, if there is one.
fn second(args: &ExportArgs) -> anyhow::Result<Option<LoadedModel>> {
    let load = |model: &String| args.parameters.load_other(model, assignments(args));
    let second = args.hard.second_model.as_ref().map(load);
    second.transpose().context("--second-model")
}

fn assignments(args: &ExportArgs) -> impl Iterator<Item = String> {
    let threshold = args.score_threshold;
    let threshold = threshold.map(|score| format!("detector.score_threshold={score}"));
    // a JSON text is one YAML value, whatever a name contains
    let classes = (!args.classes.is_empty()).then(|| json!(args.classes.join(",")));
    let classes = classes.map(|classes| format!("detector.classes={classes}"));
    [threshold, classes].into_iter().flatten()
}

/// Returns annotations without images, with the categories that the model looks for in `input`.
fn pre_annotations<'a>(
    args: &ExportArgs,
    loaded: &'a LoadedModel,
    input: &Path,
) -> PreAnnotations<'a> {
    let model = &loaded.model.description.name;
    let scales = args.multi_scale.multi_scale.as_ref();
    let scales = scales.map_or_else(String::new, |scales| {
        format!(" at the scales {scales}, each with its mirror image, fused,")
    });
    let input = input.display();
    let description = format!("detections of {model}{scales} in {input}, to be corrected");
    let made = PreAnnotations::new(&loaded.model.description.labels, description);
    let made = made.only(|class_id| loaded.settings().selects(class_id));
    if scales.is_empty() {
        made
    } else {
        made.review_below(args.multi_scale.accept)
    }
}

fn frame_workers(
    args: &MultiScaleArgs,
    loaded: &LoadedModel,
    tuning: &Arc<SharedSettings>,
) -> anyhow::Result<Vec<Box<dyn FrameWorker>>> {
    let Some(scales) = &args.multi_scale else {
        let workers = make_workers(loaded, tuning, Annotate::None)?;
        return Ok(workers
            .into_iter()
            .map(|worker| Box::new(worker) as Box<dyn FrameWorker>)
            .collect());
    };
    let count = loaded.config.threads.workers.get();
    let detectors = loaded
        .multi_scale_detectors(count, scales, args.review)
        .context("--multi-scale")?;
    let camera = &loaded.config.input;
    let worker =
        |detector| -> Box<dyn FrameWorker> { Box::new(MultiScaleWorker::new(detector, camera)) };
    Ok(detectors.into_iter().map(worker).collect())
}

fn print(args: &ExportArgs, annotations: &Annotations, noun: &str) -> io::Result<()> {
    let Annotations {
        images,
        annotations: labels,
        ..
    } = annotations;
    let review = match labels.iter().filter(|label| label.review).count() {
        0 => String::new(),
        some => format!(" ({some} for review)"),
    };
    writeln!(
        terminal::stdout(),
        "{} with {}{review} in {}",
        counted(images.len() as u64, noun),
        counted(labels.len() as u64, "label"),
        args.output.display()
    )
}

fn status(stopped: bool, failed: bool) -> Status {
    if stopped {
        Status::Interrupted
    } else if failed {
        Status::SomeFailed
    } else {
        Status::Success
    }
}
