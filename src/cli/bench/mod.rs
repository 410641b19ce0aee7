//! `shuffledet bench`: measures the time of a frame, the throughput, and the age of live frames
//! under load.

mod load;
mod messages;
mod sequential;
mod throughput;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::Status;
use super::model_watch::ModelWatch;
use super::parameters::ParameterArgs;
use super::replay::make_workers;
use crate::cli::terminal;
use load::Load;
use sequential::Sequential;
use shuffledet_core::{Quantiles, Resolution, Stage};
use shuffledet_detector::pipeline::Annotate;
use throughput::Throughput;

#[derive(Debug, Args)]
#[command(after_help = "\
The messages are read into memory first. Three measurements follow.
Sequential: one thread processes each frame, from the bytes of its message to the bytes of its
detections, and then repeats session.run on the same tensor. The ratio is that of the medians.
Throughput: the frames per second that all workers publish in parallel.
--load: the publication rate and the age of live frames from 1, 2, 4 and 8 cameras, at 10 to 200
percent of the throughput. This takes 36 times S seconds.")]
pub struct BenchArgs {
    /// A recording, or a folder of images
    #[arg(value_name = "BAG|DIR")]
    input: PathBuf,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Maximum number of messages to read
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// Number of passes over the messages in each measurement
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,

    /// Also measure live frames of several cameras at several rates, for S seconds each [default:
    /// 2]
    #[arg(long, value_name = "S", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = super::values::positive)]
    load: Option<f64>,

    /// Print the results as one JSON object
    #[arg(long)]
    json: bool,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct Measurements {
    model: String,
    /// The runs of the model per pass over the messages, by the size of the network's input.
    input_sizes: BTreeMap<Resolution, u64>,
    sequential: Sequential,
    throughput: Throughput,
    /// Median number of allocations per frame, from the bytes of the message to the bytes of the
    /// detections. Libraries in other languages are not counted.
    allocations_per_frame: u64,
    /// With `--load`.
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<Vec<Load>>,
}

pub fn run(args: &BenchArgs) -> anyhow::Result<Status> {
    let loaded = args.parameters.load()?;
    let messages = messages::read(&args.input, args.limit)?;
    let tuning = Arc::new(loaded.lossless_tuning(vec![loaded.config.input]));
    let mut workers = make_workers(&loaded, &tuning, Annotate::None)?;
    let one_thread = sequential::measure(&mut workers[0], &loaded, &messages, args.rounds)?;
    let throughput = throughput::measure(&mut workers, &tuning, &loaded, &messages, args.rounds)?;
    drop(workers);
    let capacity = throughput.fps;
    let load = args
        .load
        .map(|seconds| load::measure(&loaded, &messages, capacity, seconds));
    let measured = Measurements {
        model: loaded.model.description.name.clone(),
        input_sizes: one_thread.input_sizes.clone(),
        sequential: one_thread.sequential,
        throughput,
        allocations_per_frame: one_thread.allocations_per_frame,
        load: load.transpose()?,
    };
    ModelWatch::new([&loaded]).finish()?;
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
    } else {
        print(&mut out, &measured, &one_thread.stages)?;
    }
    Ok(Status::Success)
}

fn print(
    out: &mut impl Write,
    measured: &Measurements,
    stages: &[(Stage, Quantiles)],
) -> io::Result<()> {
    let Measurements {
        model,
        input_sizes,
        sequential,
        throughput,
        allocations_per_frame,
        load,
    } = measured;
    writeln!(out, "{model}, one thread, ms      p50        p99")?;
    for (stage, quantiles) in stages {
        if !matches!(stage, Stage::Queue | Stage::Latency) {
            let (p50, p99) = (quantiles.p50, quantiles.p99);
            writeln!(out, "  {:<24} {p50:>8.3}   {p99:>8.3}", stage.name())?;
        }
    }
    for (size, runs) in input_sizes {
        writeln!(out, "  input {size:<18} {runs:>8}")?;
    }
    let run = &sequential.session_run_ms;
    writeln!(
        out,
        "  {:<24} {:>8.3}   {:>8.3}",
        "bare session.run", run.p50, run.p99
    )?;
    let (ratio, beside) = (sequential.ratio, sequential.ratio_beside_decoding);
    writeln!(out, "frame over session.run     {ratio:>8.3}")?;
    writeln!(out, "over decode + session.run  {beside:>8.3}")?;
    writeln!(out, "allocations per frame      {allocations_per_frame:>4}")?;
    let Throughput {
        workers,
        fps,
        fps_one_worker,
        scaling,
    } = throughput;
    writeln!(
        out,
        "frames per second          {fps_one_worker:>8.1} with 1 worker"
    )?;
    writeln!(
        out,
        "                           {fps:>8.1} with {workers} ({scaling:.2} times)"
    )?;
    let Some(load) = load else { return Ok(()) };
    writeln!(
        out,
        "\ncameras   load   offered, fps   published, fps   age p50, ms   age p99, ms"
    )?;
    for row in load {
        writeln!(
            out,
            "{:>7} {:>5.0}% {:>14.1} {:>16.1} {:>13.2} {:>13.2}",
            row.cameras,
            100.0 * row.load,
            row.offered_fps,
            row.published_fps,
            row.age_p50_ms,
            row.age_p99_ms
        )?;
    }
    Ok(())
}
