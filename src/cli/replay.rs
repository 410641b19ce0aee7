//! `shuffledet replay`: from a recording to detections.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::outputs::OutputArgs;
use super::parameters::ParameterArgs;
use super::{Status, interrupt, progress};
use shuffledet_bag::Recording;
use shuffledet_core::{ModelIdentity, Summary};
use shuffledet_detector::Loaded;
use shuffledet_detector::metrics::Tally;
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{
    Annotate, Camera, Pace, RunError, Tuning, Worker, run as run_pipeline,
};
use shuffledet_report::terminal::SummaryTable;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --rate no frame is dropped, and every run gives the same detections.
Exit code: 0 when every frame was processed, 2 when some failed, 1 on an error, 130 when interrupted.")]
pub struct ReplayArgs {
    /// A rosbag2 folder, or a lone .mcap or .db3 file
    #[arg(value_name = "BAG")]
    recording: PathBuf,

    /// An image topic to read; may be repeated [default: every image topic, raw and compressed]
    #[arg(long, value_name = "T", help_heading = "Selection")]
    topic: Vec<String>,

    /// Seconds after the recording's first message to begin at
    #[arg(long, value_name = "S", value_parser = super::values::seconds, default_value = "0", help_heading = "Selection")]
    start: Duration,

    /// Seconds after the recording's first message to end at
    #[arg(long, value_name = "S", value_parser = super::values::seconds, help_heading = "Selection")]
    end: Option<Duration>,

    /// The most frames to read
    #[arg(long, value_name = "N", help_heading = "Selection")]
    limit: Option<u64>,

    /// Pace the frames as recorded (1: real time) and drop what comes too late, as a live node does
    #[arg(long, value_name = "R", value_parser = super::values::positive, help_heading = "Selection")]
    rate: Option<f64>,

    #[command(flatten)]
    parameters: ParameterArgs,

    #[command(flatten)]
    outputs: OutputArgs,

    /// Print the summary as one JSON object, and nothing else, on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Print nothing but warnings and errors
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

pub fn run(args: &ReplayArgs) -> anyhow::Result<Status> {
    let loaded = args.parameters.load()?;
    let recording = Recording::open(&args.recording)?;
    let cameras = select_cameras(&recording, &args.topic, &args.recording)?;
    let mut source = RecordingSource::new(&recording, cameras.clone(), args.start, args.end)?;
    let pace = args.rate.map_or(Pace::Lossless, Pace::Recorded);
    let tuning = Arc::new(match pace {
        Pace::Lossless => loaded.lossless_tuning(cameras.len()),
        _ => loaded.tuning(cameras.len()),
    });
    let mut workers = make_workers(&loaded, &tuning, args.outputs.annotate())?;
    let stop = interrupt::listen().context("listening for signals")?;
    let mut outputs = args.outputs.create(&args.recording, &cameras, &loaded)?;

    let bar = progress::bar(expected_frames(&recording, &cameras, args), args.quiet);
    let mut tally = Tally::default();
    let started = Instant::now();
    let ran = run_pipeline(
        &mut source,
        &tuning,
        &mut workers,
        pace,
        args.limit,
        &stop,
        |frame, outcome| {
            let camera = &cameras[frame.camera];
            outputs.publish(frame, outcome, camera, &loaded.labels)?;
            tally.record(frame, outcome, &camera.topic, &loaded.labels);
            bar.inc(1);
            Ok::<(), anyhow::Error>(())
        },
    );
    let wall = started.elapsed();
    bar.finish_and_clear();

    let session = workers[0].detector().session();
    let summary = Summary {
        frames: tally.frames.clone(),
        fps: tally.frames.published as f64 / wall.as_secs_f64(),
        wall_s: wall.as_secs_f64(),
        stages_ms: tally.histograms.quantiles(),
        provider: session.provider().onnx_runtime_name().to_owned(),
        providers: loaded.standing.fates(),
        workers: workers.len(),
        model: ModelIdentity {
            name: loaded.model.description.name.clone(),
            sha256: loaded.model.sha256.clone(),
        },
        detections: tally.detections(&loaded.labels),
        recording: args.recording.display().to_string(),
        topics: cameras.iter().map(|camera| camera.topic.clone()).collect(),
        warnings: source.warnings().to_vec(),
        failures: tally.failures.clone(),
        versions: versions(&loaded)?,
    };
    // what was done before an error is kept; the error that came first is told first
    let written = outputs.finish(&summary, &tally, &loaded.config.to_ros_yaml()?);
    match ran {
        Err(RunError::Sink(error)) => return Err(error),
        ran => ran?,
    }
    print(args, &summary, &written?)?;
    Ok(if stop.load(Ordering::Relaxed) {
        Status::Interrupted
    } else if tally.any_failed() {
        Status::SomeFailed
    } else {
        Status::Success
    })
}

/// The recording's image topics, or those of them that were asked for.
pub(super) fn select_cameras(
    recording: &Recording,
    wanted: &[String],
    path: &Path,
) -> anyhow::Result<Vec<Camera>> {
    let all: Vec<Camera> = recording.topics().iter().filter_map(Camera::of).collect();
    let topics = recording
        .topics()
        .iter()
        .map(|t| format!("\n  {} ({})", t.name, t.type_name));
    if all.is_empty() {
        let topics: String = topics.collect();
        bail!(
            "{}: no image topics; expected sensor_msgs/msg/Image or CompressedImage, found:{}",
            path.display(),
            if topics.is_empty() {
                " no topics at all"
            } else {
                &topics
            }
        );
    }
    let cameras = if wanted.is_empty() {
        all
    } else {
        let mut cameras: Vec<Camera> = Vec::new();
        for topic in wanted {
            let Some(camera) = all.iter().find(|camera| camera.topic == *topic) else {
                let images: Vec<_> = all.iter().map(|camera| camera.topic.as_str()).collect();
                let images = images.join(", ");
                bail!(
                    "--topic {topic}: {} has no such image topic; it has: {images}",
                    path.display()
                );
            };
            if !cameras.contains(camera) {
                cameras.push(camera.clone());
            }
        }
        cameras
    };
    for topic in recording.topics() {
        let chosen = cameras.iter().any(|camera| camera.topic == topic.name);
        if chosen && topic.serialization_format != "cdr" {
            let (name, found) = (&topic.name, &topic.serialization_format);
            bail!(
                "{}: {name} is serialized as {found:?}; expected cdr",
                path.display()
            );
        }
    }
    Ok(cameras)
}

/// One worker a core, or as many as the parameters say.
pub(super) fn make_workers(
    loaded: &Loaded,
    tuning: &Arc<Tuning>,
    annotate: Annotate,
) -> anyhow::Result<Vec<Worker>> {
    let detectors = loaded.detectors(loaded.config.threads.workers.get())?;
    let make = |detector| Worker::new(detector, loaded.labels.clone(), tuning.clone(), annotate);
    Ok(detectors.into_iter().map(make).collect::<Result<_, _>>()?)
}

/// How many frames there will be, where the recording says.
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

/// Of shuffledet and what it runs on.
pub(super) fn versions(loaded: &Loaded) -> anyhow::Result<BTreeMap<String, String>> {
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
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(summary)?)?;
    } else if !args.quiet {
        let colour = io::stdout().is_terminal();
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

/// What a table would have told, as log lines.
fn warn(summary: &Summary) {
    const FAILURES_TOLD: usize = 5;
    for warning in &summary.warnings {
        tracing::warn!("{warning}");
    }
    for failure in summary.failures.iter().take(FAILURES_TOLD) {
        let (topic, stamp_ns, reason) = (&failure.topic, failure.stamp_ns, &failure.reason);
        tracing::warn!("{topic}: the frame of {stamp_ns} ns failed: {reason}");
    }
    let failed: u64 = summary.frames.failed.values().sum();
    let told = summary.failures.len().min(FAILURES_TOLD) as u64;
    if failed > told {
        tracing::warn!("{} more frames failed", failed - told);
    }
}
