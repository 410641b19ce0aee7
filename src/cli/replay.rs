//! `shuffledet replay`: from a recording to detections.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::cameras::Selected;
use super::outputs::{OutputArgs, Outputs};
use super::parameters::ParameterArgs;
use super::{Status, interrupt, progress};
use shuffledet_bag::Recording;
use shuffledet_core::{ModelIdentity, Summary};
use shuffledet_detector::Loaded;
use shuffledet_detector::metrics::Tally;
use shuffledet_detector::pipeline::{
    Annotate, Camera, Pace, RunError, Tuning, Worker, run as run_pipeline,
};
use shuffledet_report::terminal::SummaryTable;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --rate no frame is dropped, and every run gives the same detections.
Topics of depth images are left out, and named; with --topic their frames are tried, and fail.
Exit code: 0 when every frame was processed, 2 when some failed, or when there was no frame: then
no output is written (--limit 0 asks for none, and is 0). 1 on an error, 130 when interrupted.")]
pub struct ReplayArgs {
    /// A rosbag2 folder, or a lone MCAP or SQLite3 file
    #[arg(value_name = "BAG")]
    recording: PathBuf,

    /// An image topic to read; may be repeated [default: every topic of pictures, raw and compressed]
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
    let selected = Selected::new(&recording, &args.topic, &args.recording)?;
    let cameras = &selected.cameras;
    let mut source = selected.source(&recording, args.start, args.end)?;
    let pace = args.rate.map_or(Pace::Lossless, Pace::Recorded);
    let tuning = Arc::new(match pace {
        Pace::Lossless => loaded.lossless_tuning(cameras.len()),
        _ => loaded.tuning(cameras.len()),
    });
    let mut workers = make_workers(&loaded, &tuning, args.outputs.annotate())?;
    let stop = interrupt::listen().context("listening for signals")?;
    // an output without a frame looks like success, and may have replaced one that was
    let is_empty = args.limit != Some(0) && source.is_at_end()?;
    let outputs = (!is_empty).then(|| args.outputs.create(&args.recording, cameras, &loaded));
    let mut outputs = outputs.transpose()?;

    let bar = progress::bar(expected_frames(&recording, cameras, args), args.quiet);
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
            if let Some(outputs) = &mut outputs {
                outputs.publish(frame, outcome, camera, &loaded.labels)?;
            }
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
        warnings: [&selected.left_out, source.warnings()].concat(),
        failures: tally.failures.clone(),
        versions: versions(&loaded)?,
    };
    // what was done before an error is kept; the error that came first is told first
    let configuration = loaded.config.to_ros_yaml()?;
    let finish = |outputs: Outputs<'_>| outputs.finish(&summary, &tally, &configuration);
    let written = outputs.map_or_else(|| Ok(Vec::new()), finish);
    match ran {
        Err(RunError::Sink(error)) => return Err(error),
        ran => ran?,
    }
    print(args, &summary, &written?)?;
    if is_empty && !stop.load(Ordering::Relaxed) {
        let window = (args.start, args.end);
        let nothing = selected.nothing(&recording, &args.recording, window, source.warnings());
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
