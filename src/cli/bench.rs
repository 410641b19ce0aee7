//! `shuffledet bench`: what a frame costs beyond the model itself, and what more workers bring.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::Status;
use super::parameters::ParameterArgs;
use super::replay::{make_workers, select_cameras};
use crate::bag::Recording;
use crate::detect::Loaded;
use crate::image::folder::images_in;
use crate::metrics::{Quantiles, StageHistograms, allocations, quantiles_of};
use crate::msg::{CompressedImageView, HeaderView};
use crate::pipeline::source::RecordingSource;
use crate::pipeline::{
    Annotate, Frame, Mark, Outcome, Pace, Source, Stage, Transport, Tuning, Worker,
    run as run_pipeline,
};
use crate::sink::ResultMessages;

#[derive(Debug, Args)]
#[command(after_help = "\
The messages are read into memory first. Sequential: on one thread, a frame from its message's bytes to those of its
detections, and after each the bare session.run on the same tensor; ratio is the quotient of the medians. Throughput:
the frames that whole workers in parallel publish a second.")]
pub struct BenchArgs {
    /// A recording, or a folder of JPEG and PNG images
    #[arg(value_name = "BAG|DIR")]
    input: PathBuf,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// The most messages to read
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// How often the messages are gone through, in each measurement
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The object that `--json` prints. Times are in milliseconds.
#[derive(Serialize)]
struct Measured {
    model: String,
    sequential: Sequential,
    throughput: Throughput,
    /// Median over frames, from the message's bytes to those of its detections; without what libraries in other languages
    /// allocate.
    allocations_per_frame: u64,
}

#[derive(Serialize)]
struct Sequential {
    /// From the message's bytes to those of its detections.
    frame_ms: Quantiles,
    /// The model alone, on the same tensors.
    session_run_ms: Quantiles,
    decode_ms: Quantiles,
    /// `frame_ms.p50 / session_run_ms.p50`
    ratio: f64,
}

#[derive(Serialize)]
struct Throughput {
    workers: usize,
    fps: f64,
    fps_one_worker: f64,
    /// `fps / fps_one_worker`
    scaling: f64,
}

/// A message in memory.
struct Message {
    transport: Transport,
    log_time_ns: u64,
    bytes: Vec<u8>,
}

/// Gives the same messages several times over.
struct Repeated<'a> {
    messages: &'a [Message],
    given: u64,
    total: u64,
}

impl Source for Repeated<'_> {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        if self.given == self.total {
            return Ok(false);
        }
        fill(
            frame,
            &self.messages[(self.given % self.messages.len() as u64) as usize],
        );
        self.given += 1;
        Ok(true)
    }
}

fn fill(frame: &mut Frame, message: &Message) {
    frame.transport = message.transport;
    frame.log_time_ns = message.log_time_ns;
    frame.message.extend_from_slice(&message.bytes);
    frame.read_header();
}

pub fn run(args: &BenchArgs) -> anyhow::Result<Status> {
    let loaded = args.parameters.load()?;
    let messages = read(args)?;
    let tuning = Arc::new(loaded.lossless_tuning(1));
    let mut workers = make_workers(&loaded, &tuning, Annotate::None)?;
    let mut histograms = StageHistograms::default();
    let (sequential, allocations_per_frame) = sequential(
        &mut workers[0],
        &loaded,
        &messages,
        args.rounds,
        &mut histograms,
    )?;
    let fps_one_worker = throughput(&mut workers[..1], &tuning, &loaded, &messages, args.rounds)?;
    let fps = throughput(&mut workers, &tuning, &loaded, &messages, args.rounds)?;
    let measured = Measured {
        model: loaded.model.description.name.clone(),
        sequential,
        throughput: Throughput {
            workers: workers.len(),
            fps,
            fps_one_worker,
            scaling: fps / fps_one_worker,
        },
        allocations_per_frame,
    };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
    } else {
        print(&mut out, &measured, &histograms.quantiles())?;
    }
    Ok(Status::Success)
}

fn read(args: &BenchArgs) -> anyhow::Result<Vec<Message>> {
    let path = &args.input;
    let pictures = if path.is_dir() {
        let mut images = images_in(path)?;
        // what a CompressedImage can carry
        images.retain(|image| {
            let extension = image.extension().unwrap_or_default();
            ["jpg", "jpeg", "png"]
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known))
        });
        images
    } else {
        Vec::new()
    };
    let messages = if pictures.is_empty() {
        read_recording(path, args.limit)?
    } else {
        pictures
            .iter()
            .take(args.limit as usize)
            .map(|path| from_picture(path))
            .collect::<anyhow::Result<_>>()?
    };
    if messages.is_empty() {
        bail!("{}: expected images, found none", path.display());
    }
    Ok(messages)
}

/// The picture as a camera would send it.
fn from_picture(path: &Path) -> anyhow::Result<Message> {
    let data = fs::read(path).with_context(|| path.display().to_string())?;
    let image = CompressedImageView {
        header: HeaderView::default(),
        format: "",
        data: &data,
    };
    let mut bytes = Vec::new();
    image.write(&mut bytes)?;
    Ok(Message {
        transport: Transport::Compressed,
        log_time_ns: 0,
        bytes,
    })
}

fn read_recording(path: &Path, limit: u64) -> anyhow::Result<Vec<Message>> {
    let recording = Recording::open(path)?;
    let cameras = select_cameras(&recording, &[], path)?;
    let mut source = RecordingSource::new(&recording, cameras, Duration::ZERO, None)?;
    let mut messages = Vec::new();
    let mut frame = Frame::new();
    while (messages.len() as u64) < limit && source.next_into(&mut frame)? {
        let bytes = std::mem::take(&mut frame.message);
        let (transport, log_time_ns) = (frame.transport, frame.log_time_ns);
        messages.push(Message {
            transport,
            log_time_ns,
            bytes,
        });
    }
    Ok(messages)
}

fn sequential(
    worker: &mut Worker,
    loaded: &Loaded,
    messages: &[Message],
    rounds: u64,
    histograms: &mut StageHistograms,
) -> anyhow::Result<(Sequential, u64)> {
    let mut runs = Histogram::<u64>::new(3)?;
    let mut allocated = Histogram::<u64>::new(3)?;
    let mut results = ResultMessages::default();
    let mut frame = Frame::new();
    // the first round warms up: buffers grow, the session's arena settles
    for round in 0..=rounds {
        for message in messages {
            frame.reset();
            fill(&mut frame, message);
            let before = allocations::so_far();
            frame.trace.mark(Mark::Received);
            let outcome = worker.process(&mut frame);
            if let Outcome::Failed(failure) = outcome {
                bail!("a frame failed: {}", failure.message);
            }
            frame.trace.mark(Mark::Ordered);
            results.detections(&frame, &loaded.labels)?;
            frame.trace.mark(Mark::Published);
            let allocations = allocations::so_far() - before;
            let started = Instant::now();
            worker.run_model_again()?;
            let ran = started.elapsed();
            if round > 0 {
                histograms.record(&frame.trace);
                runs.record(u64::try_from(ran.as_nanos())?)?;
                allocated.record(allocations)?;
            }
        }
    }
    let stages = histograms.quantiles();
    let of = |wanted| {
        let found = stages.iter().find(|(stage, _)| *stage == wanted);
        found
            .map(|(_, quantiles)| *quantiles)
            .context("no frame was measured")
    };
    let (frame_ms, decode_ms) = (of(Stage::Total)?, of(Stage::Decode)?);
    let session_run_ms = quantiles_of(&runs);
    let ratio = frame_ms.p50 / session_run_ms.p50;
    let sequential = Sequential {
        frame_ms,
        session_run_ms,
        decode_ms,
        ratio,
    };
    Ok((sequential, allocated.value_at_quantile(0.5)))
}

/// Frames a second.
fn throughput(
    workers: &mut [Worker],
    tuning: &Arc<Tuning>,
    loaded: &Loaded,
    messages: &[Message],
    rounds: u64,
) -> anyhow::Result<f64> {
    let total = messages.len() as u64 * rounds;
    let mut source = Repeated {
        messages,
        given: 0,
        total,
    };
    let mut results = ResultMessages::default();
    let started = Instant::now();
    run_pipeline(
        &mut source,
        tuning,
        workers,
        Pace::Lossless,
        None,
        &AtomicBool::new(false),
        |frame, _| {
            results.detections(frame, &loaded.labels)?;
            frame.trace.mark(Mark::Published);
            Ok::<(), anyhow::Error>(())
        },
    )?;
    Ok(total as f64 / started.elapsed().as_secs_f64())
}

fn print(
    out: &mut impl Write,
    measured: &Measured,
    stages: &[(Stage, Quantiles)],
) -> io::Result<()> {
    let Measured {
        model,
        sequential,
        throughput,
        allocations_per_frame,
    } = measured;
    writeln!(out, "{model}, one thread, ms      p50        p99")?;
    for (stage, quantiles) in stages {
        if !matches!(stage, Stage::Queue | Stage::Latency) {
            let (p50, p99) = (quantiles.p50, quantiles.p99);
            writeln!(out, "  {:<24} {p50:>8.3}   {p99:>8.3}", stage.name())?;
        }
    }
    let run = &sequential.session_run_ms;
    writeln!(
        out,
        "  {:<24} {:>8.3}   {:>8.3}",
        "bare session.run", run.p50, run.p99
    )?;
    writeln!(out, "frame over session.run     {:>8.3}", sequential.ratio)?;
    writeln!(out, "allocations a frame        {allocations_per_frame:>4}")?;
    let Throughput {
        workers,
        fps,
        fps_one_worker,
        scaling,
    } = throughput;
    writeln!(
        out,
        "frames a second            {fps_one_worker:>8.1} with 1 worker"
    )?;
    writeln!(
        out,
        "                           {fps:>8.1} with {workers} ({scaling:.2} times)"
    )
}
