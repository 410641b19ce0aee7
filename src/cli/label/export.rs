//! `shuffledet label export`: exports frames with detections for labelling.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::Args;

use super::import::read_export;
use super::{ANNOTATIONS, IMAGES};
use crate::cli::cameras::CameraSelection;
use crate::cli::parameters::ParameterArgs;
use crate::cli::replay::make_workers;
use crate::cli::{Status, existing, interrupt, progress};
use shuffledet_bag::Recording;
use shuffledet_core::Outcome;
use shuffledet_detector::pipeline::{Annotate, ImageTopics, Pace, RunError, run as run_pipeline};
use shuffledet_eval::annotations::Annotations;
use shuffledet_eval::pre_annotations::PreAnnotations;
use shuffledet_harness::labelling::{EveryNth, Exported, FrameExport, LabelledFrames};
use shuffledet_report::format::counted;

#[derive(Debug, Args)]
#[command(after_help = "\
The command writes images/ and annotations/instances_default.json to DIR. CVAT imports them as
COCO 1.0, and Label Studio imports them with label-studio-converter (docs/evaluation.md). Correct
the labels there, then run:
shuffledet label import CORRECTED.json --export DIR --output labels.json
shuffledet eval BAG --annotations labels.json")]
pub struct ExportArgs {
    /// A rosbag2 folder, or a single MCAP or SQLite3 file
    #[arg(value_name = "BAG")]
    recording: PathBuf,

    /// The folder to write
    #[arg(long, value_name = "DIR")]
    output: PathBuf,

    /// An image topic to read; may be repeated [default: every image topic]
    #[arg(long, value_name = "T", help_heading = "Selection")]
    topic: Vec<String>,

    /// Export every Nth frame of each topic
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Selection")]
    every: u64,

    /// Maximum number of frames to export
    #[arg(long, value_name = "N", help_heading = "Selection")]
    limit: Option<u64>,

    /// Confidence threshold for labels, in [0, 1] [default: detector.score_threshold]
    #[arg(long, value_name = "SCORE", help_heading = "Parameters")]
    score_threshold: Option<f32>,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Overwrite an earlier export in this folder
    #[arg(long)]
    force: bool,
}

pub fn run(args: &ExportArgs) -> anyhow::Result<Status> {
    let annotations = args.output.join(ANNOTATIONS);
    let images = args.output.join(IMAGES);
    // a path that cannot be resolved does not exist
    if let (Ok(output), Ok(input)) = (args.output.canonicalize(), args.recording.canonicalize())
        && output.starts_with(&input)
    {
        bail!(
            "--output {}: is inside the input recording; choose another folder",
            args.output.display()
        );
    }
    existing::check_folder("--output", &args.output, args.force)?;
    let earlier = read_export(&annotations).ok();
    let threshold = args.score_threshold;
    let threshold = threshold.map(|score| format!("detector.score_threshold={score}"));
    let loaded = args.parameters.load_with(threshold)?;
    let recording = Recording::open(&args.recording)?;
    let selected = CameraSelection::new(&recording, &args.topic, &args.recording)?;
    let cameras = &selected.cameras;
    let source = selected.filled_source(&recording, &args.recording)?;
    let mut source = EveryNth::new(source, args.every, cameras.len());
    let tuning = Arc::new(loaded.lossless_tuning(cameras.len()));
    let mut workers = make_workers(&loaded, &tuning, Annotate::None)?;
    let stop = interrupt::listen().context("listening for signals")?;
    fs::create_dir_all(&images).with_context(|| images.display().to_string())?;

    let description = format!(
        "detections of {} in {}, to be corrected",
        loaded.model.description.name,
        args.recording.display()
    );
    let mut export = FrameExport::new(
        images,
        LabelledFrames::new(cameras, &ImageTopics::list(&recording).cameras),
        PreAnnotations::new(&loaded.labels, description),
    )?;
    let mut failed = false;
    let bar = progress::bar(None, false);
    let ran = run_pipeline(
        &mut source,
        &tuning,
        &mut workers,
        Pace::Lossless,
        args.limit,
        &stop,
        |frame, outcome| {
            bar.inc(1);
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
            anyhow::Ok(())
        },
    );
    bar.finish_and_clear();
    // the frames exported before an error or a signal can be labelled
    let written = export.annotations().write(&annotations);
    match ran {
        Err(RunError::Sink(error)) => return Err(error),
        ran => ran?,
    }
    written.with_context(|| annotations.display().to_string())?;
    if let Some(earlier) = earlier {
        export.remove_others(&earlier)?;
    }
    for warning in source.source().warnings() {
        tracing::warn!("{warning}");
    }
    let Annotations {
        images,
        annotations: boxes,
        ..
    } = export.annotations();
    println!(
        "{} with {} in {}",
        counted(images.len() as u64, "frame"),
        counted(boxes.len() as u64, "label"),
        args.output.display()
    );
    Ok(if stop.load(Ordering::Relaxed) {
        Status::Interrupted
    } else if failed {
        Status::SomeFailed
    } else {
        Status::Success
    })
}
