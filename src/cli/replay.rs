//! `shuffledet replay`: detects objects in the images of a recording.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::cameras::CameraSelection;
use super::model_watch::ModelWatch;
use super::outputs::{OutputArgs, Outputs};
use super::parameters::ParameterArgs;
use super::viewing::{ViewArgs, ViewedRun};
use super::{Status, interrupt, progress};
use crate::cli::terminal::{self, shows_colour};
use shuffledet_bag::Recording;
use shuffledet_core::Summary;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::metrics::{Tally, TrackTally};
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{
    Annotate, AtEnd, Camera, Pace, Playback, PlayedSource, RunError, SharedSettings, Sight,
    Tracking, Worker, run as run_pipeline,
};
use shuffledet_report::terminal::SummaryTable;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --rate every frame is processed, and every run gives the same detections.
Topics of depth images are reported and left out. With --topic their frames are read and counted
as failed.
Exit code: 0 if every frame was processed; 2 if some failed, or if there was no frame (then no
output is written; with --limit 0 the exit code is 0); 1 on an error; 130 if interrupted.")]
pub struct ReplayArgs {
    /// A rosbag2 folder, or a single MCAP or SQLite3 file
    #[arg(value_name = "BAG")]
    pub recording: PathBuf,

    /// An image topic to read; may be repeated [default: every raw or compressed image topic]
    #[arg(long, value_name = "T", help_heading = "Selection")]
    pub topic: Vec<String>,

    /// Start time in seconds after the first message of the recording
    #[arg(long, value_name = "S", value_parser = super::values::seconds, default_value = "0", help_heading = "Selection")]
    pub start: Duration,

    /// End time in seconds after the first message of the recording
    #[arg(long, value_name = "S", value_parser = super::values::seconds, help_heading = "Selection")]
    pub end: Option<Duration>,

    /// Maximum number of frames to read
    #[arg(long, value_name = "N", help_heading = "Selection")]
    pub limit: Option<u64>,

    /// Play the frames at this multiple of real time and drop late frames, as the live node does
    #[arg(long, value_name = "R", value_parser = super::values::positive, help_heading = "Selection")]
    pub rate: Option<f64>,

    #[command(flatten)]
    pub parameters: ParameterArgs,

    #[command(flatten)]
    pub outputs: OutputArgs,

    #[command(flatten)]
    pub view: ViewArgs,

    /// What follows the last frame.
    #[arg(skip)]
    pub at_end: AtEnd,

    /// Print only the summary, as one JSON object, on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Print only warnings and errors
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

pub fn run(args: &ReplayArgs) -> anyhow::Result<Status> {
    let loaded = args.parameters.load()?;
    let recording = Recording::open(&args.recording)?;
    let selected = CameraSelection::new(&recording, &args.topic, &args.recording)?;
    let cameras = &selected.cameras;
    let open = |start| -> anyhow::Result<RecordingSource> {
        let source = selected.source(&recording, start, args.end)?;
        Ok(
            match loaded.config.tracking.enabled && loaded.config.ranging {
                true => {
                    source.calibrated(&recording, |camera| loaded.config.recorded_origin(camera))?
                }
                false => source,
            },
        )
    };
    let mut source = open(args.start)?;
    let pace = args.rate.map_or(Pace::Lossless, Pace::Recorded);
    let settings = loaded.config.recorded_settings(cameras);
    let tuning = Arc::new(match pace {
        Pace::Lossless => loaded.lossless_tuning(settings),
        _ => loaded.tuning(settings),
    });
    let mut workers = make_workers(&loaded, &tuning, args.outputs.annotate())?;
    let stop = interrupt::listen().context("listening for signals")?;
    // a port that is taken is told before an output is opened
    let playback = Arc::new(playback(args, &recording));
    let run = ViewedRun {
        title: args.recording.display().to_string(),
        loaded: &loaded,
        cameras,
        tuning: &tuning,
        playback: &playback,
        window: (args.start, length(args, &recording)),
        fixed: args
            .rate
            .map(|_| "With --rate frames come as they do to a live node; they cannot be paused."),
        no_seek: (!args.outputs.is_empty())
            .then_some("Outputs are written, so the recording is played once, from start to end."),
    };
    let mut view = args.view.open(&run)?;
    // an output without a frame would look like success and may overwrite a good one
    let is_empty = args.limit != Some(0) && source.is_at_end()?;
    let in_space = source.has_calibration();
    let outputs = || {
        let input = &args.recording;
        args.outputs.create(input, cameras, &loaded, &in_space)
    };
    let outputs = (!is_empty).then(outputs);
    let mut outputs = outputs.transpose()?;
    let start = (args.start, args.at_end);
    let mut source = PlayedSource::new(source, open, &playback, start, &stop);

    let bar = progress::bar(expected_frames(&recording, cameras, args), args.quiet);
    let mut tally = Tally::default();
    let mut tracking = Tracking::new(Arc::clone(&tuning), Arc::clone(&loaded.labels));
    let mut sight = Sight::new(Arc::clone(&tuning));
    let tracked = &loaded.config.tracking;
    let mut tracks = TrackTally::new(tracked, &loaded.labels, cameras.len());
    let mut watch = ModelWatch::new([&loaded]);
    let started = Instant::now();
    let ran = run_pipeline(
        &mut source,
        &tuning,
        &mut workers,
        pace,
        args.limit,
        &stop,
        |frame, outcome| {
            watch.look()?;
            let camera = &cameras[frame.camera];
            sight.update(frame, outcome);
            tracking.update(frame, outcome, &camera.topic);
            if let Some(outputs) = &mut outputs {
                outputs.publish(frame, outcome, camera, &loaded.labels)?;
            }
            if let Some(view) = &mut view {
                // the frame on which a pause stands
                let is_paused = playback.view().paused;
                view.frames.record(frame, outcome, is_paused);
            }
            tally.record(frame, outcome, &camera.topic, &loaded.labels);
            tracks.record(frame);
            bar.inc(1);
            Ok::<(), anyhow::Error>(())
        },
    );
    let wall = started.elapsed();
    drop(view);
    bar.finish_and_clear();
    if let Err(changed) = watch.finish() {
        outputs.map_or(Ok(()), Outputs::discard)?;
        return Err(changed);
    }

    let session = workers[0].detector().session();
    let summary = Summary {
        frames: tally.frames.clone(),
        fps: tally.frames.published as f64 / wall.as_secs_f64(),
        wall_s: wall.as_secs_f64(),
        stages_ms: tally.histograms.quantiles(),
        provider: session.provider().onnx_runtime_name().to_owned(),
        providers: loaded.provider_statuses.statuses(),
        workers: workers.len(),
        model: loaded.model.identity(),
        input_sizes: tally.input_sizes.clone(),
        input_problems: loaded.input_problems.texts(),
        detections: tally.detections(&loaded.labels),
        tracks: tracked.enabled.then(|| tracks.finish(&loaded.labels)),
        recording: args.recording.display().to_string(),
        topics: cameras.iter().map(|camera| camera.topic.clone()).collect(),
        warnings: [
            &selected.left_out,
            source.source().warnings(),
            &tally.damage_warnings(),
            &tally.sight_warnings(),
        ]
        .concat(),
        failures: tally.failures.clone(),
        versions: versions(&loaded)?,
    };
    // keep the finished work after an error; report the first error first
    let configuration = loaded.config.to_ros_yaml()?;
    let finish =
        |outputs: Outputs<'_>| outputs.finish(&summary, &tally, &loaded.labels, &configuration);
    let written = outputs.map_or_else(|| Ok(Vec::new()), finish);
    match ran {
        Err(RunError::Sink(error)) => return Err(error),
        ran => ran?,
    }
    print(args, &summary, &written?)?;
    if is_empty && !stop.load(Ordering::Relaxed) {
        let window = (args.start, args.end);
        let nothing = selected.nothing(
            &recording,
            &args.recording,
            window,
            source.source().warnings(),
        );
        return Err(nothing.into());
    }
    Ok(if stop.load(Ordering::Relaxed) {
        Status::Interrupted
    } else if tally.any_failed() {
        Status::SomeFailed
    } else {
        Status::Success
    })
}

/// Returns how the recording is played: in real time if somebody looks, else as fast as possible. A
/// run with `--rate` waits by itself.
fn playback(args: &ReplayArgs, recording: &Recording) -> Playback {
    let is_timed = args.view.view.is_some() && args.rate.is_none();
    let zero_ns = recording.start_end_ns().map(|(start, _)| start);
    Playback::new(is_timed.then_some(1.0), zero_ns)
}

/// Returns the second at which the replay ends, if the recording states it.
fn length(args: &ReplayArgs, recording: &Recording) -> Option<Duration> {
    let span = recording
        .start_end_ns()
        .map(|(start, end)| end.saturating_sub(start));
    let span = span.map(Duration::from_nanos);
    args.end.into_iter().chain(span).min()
}

/// Creates the workers: one per core, or as many as the parameters set.
pub(super) fn make_workers(
    loaded: &LoadedModel,
    tuning: &Arc<SharedSettings>,
    annotate: Annotate,
) -> anyhow::Result<Vec<Worker>> {
    let detectors = loaded.detectors(loaded.config.threads.workers.get())?;
    Ok(loaded.workers(detectors, tuning, annotate)?)
}

/// Returns the number of frames, if the recording states it.
fn expected_frames(recording: &Recording, cameras: &[Camera], args: &ReplayArgs) -> Option<u64> {
    let whole = args.start.is_zero() && args.end.is_none();
    let counts = recording
        .topics()
        .iter()
        .filter(|topic| cameras.iter().any(|c| c.topic == topic.name));
    let total: Option<u64> = counts.map(|topic| topic.message_count).sum();
    let total = total.filter(|_| whole);
    match (total, args.limit) {
        (Some(total), Some(limit)) => Some(total.min(limit)),
        (total, limit) => total.or(limit),
    }
}

/// The versions of shuffledet and of the libraries that it uses.
pub(super) fn versions(loaded: &LoadedModel) -> anyhow::Result<BTreeMap<String, String>> {
    Ok(BTreeMap::from([
        (
            "shuffledet".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        ),
        ("onnxruntime".to_owned(), loaded.runtime.version()),
        ("opencv".to_owned(), opencv::core::get_version_string()?),
    ]))
}

fn print(args: &ReplayArgs, summary: &Summary, written: &[PathBuf]) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(summary)?)?;
    } else if !args.quiet {
        let colour = shows_colour(&io::stdout());
        write!(out, "{}", SummaryTable { summary, colour })?;
        if !written.is_empty() {
            writeln!(out, "\nwritten")?;
        }
        for path in written {
            writeln!(out, "  {}", path.display())?;
        }
    }
    if args.json || args.quiet {
        warn(summary);
    }
    Ok(())
}

/// Logs the warnings that the table would contain.
fn warn(summary: &Summary) {
    const FAILURES_TOLD: usize = 5;
    for warning in &summary.warnings {
        tracing::warn!("{warning}");
    }
    for failure in summary.failures.iter().take(FAILURES_TOLD) {
        let (topic, stamp_ns, reason) = (&failure.topic, failure.stamp_ns, &failure.reason);
        tracing::warn!("{topic}: frame with stamp {stamp_ns} ns failed: {reason}");
    }
    let failed: u64 = summary.frames.failed.values().sum();
    let told = summary.failures.len().min(FAILURES_TOLD) as u64;
    if failed > told {
        tracing::warn!("{} more frames failed", failed - told);
    }
}
