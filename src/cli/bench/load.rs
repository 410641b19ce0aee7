//! Measures live frames at rising rates, from one camera and from several.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::messages::Message;
use crate::cli::replay::make_workers;
use shuffledet_core::quantiles_of;
use shuffledet_core::{Mark, Outcome};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::pipeline::{
    Annotate, Frame, Pace, SharedSettings, Source, Worker, run as run_pipeline,
};
use shuffledet_detector::sink::ResultMessages;

/// Numbers of cameras, which send frames in turn.
const CAMERAS: [usize; 4] = [1, 2, 4, 8];
/// Loads as shares of the throughput.
const LOADS: [f64; 9] = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0];

/// The result for one number of cameras at one rate.
#[derive(Serialize)]
pub struct Load {
    pub cameras: usize,
    /// Share of `throughput.fps`.
    pub load: f64,
    /// Frames per second of all cameras together.
    pub offered_fps: f64,
    pub published_fps: f64,
    /// Time from the due time of a frame to the bytes of its detections, for the camera with the
    /// highest value.
    pub age_p50_ms: f64,
    pub age_p99_ms: f64,
}

/// Sends the messages at a fixed rate, as cameras do, even if the pipeline cannot keep up.
struct PacedMessages<'a> {
    messages: std::iter::Cycle<std::slice::Iter<'a, Message>>,
    cameras: usize,
    interval: Duration,
    started: Instant,
    given: u32,
    total: u32,
}

impl Source for PacedMessages<'_> {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        let Some(message) = self.messages.next().filter(|_| self.given < self.total) else {
            return Ok(false);
        };
        let due = self.started + self.interval * self.given;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        message.fill(frame);
        frame.camera = self.given as usize % self.cameras;
        // counted from the due time: a late reader makes the frame older
        frame.age_on_receipt = due.elapsed();
        self.given += 1;
        Ok(true)
    }
}

/// Measures every number of cameras at every load for `seconds` each. `capacity` is the throughput
/// in frames per second without drops.
pub fn measure(
    loaded: &LoadedModel,
    messages: &[Message],
    capacity: f64,
    seconds: f64,
) -> anyhow::Result<Vec<Load>> {
    let mut loads = Vec::new();
    for cameras in CAMERAS {
        let tuning = Arc::new(loaded.tuning(vec![loaded.config.input; cameras]));
        let mut workers = make_workers(loaded, &tuning, Annotate::None)?;
        for load in LOADS {
            let interval = Duration::from_secs_f64(1.0 / (load * capacity));
            let mut source = PacedMessages {
                messages: messages.iter().cycle(),
                cameras,
                interval,
                started: Instant::now(),
                given: 0,
                total: (seconds * load * capacity).max(1.0) as u32,
            };
            let ages = run(&mut source, &tuning, &mut workers, loaded)?;
            let wall_s = source.started.elapsed().as_secs_f64();
            let published: u64 = ages.iter().map(Histogram::len).sum();
            let worst = |quantile: fn(&Histogram<u64>) -> f64| {
                ages.iter().map(quantile).fold(0.0, f64::max)
            };
            loads.push(Load {
                cameras,
                load,
                offered_fps: f64::from(source.given) / wall_s,
                published_fps: published as f64 / wall_s,
                age_p50_ms: worst(|ages| quantiles_of(ages).p50),
                age_p99_ms: worst(|ages| quantiles_of(ages).p99),
            });
        }
    }
    Ok(loads)
}

/// Returns the ages of the published frames by camera, in nanoseconds.
fn run(
    source: &mut PacedMessages<'_>,
    tuning: &Arc<SharedSettings>,
    workers: &mut [Worker],
    loaded: &LoadedModel,
) -> anyhow::Result<Vec<Histogram<u64>>> {
    let mut ages = vec![Histogram::<u64>::new(3)?; source.cameras];
    let mut results = ResultMessages::default();
    let stop = AtomicBool::new(false);
    run_pipeline(
        source,
        tuning,
        workers,
        Pace::Live,
        None,
        &stop,
        |frame, outcome| {
            if *outcome == Outcome::Published {
                results.detections(frame, &loaded.labels)?;
                frame.trace.mark(Mark::Published);
                ages[frame.camera].record(u64::try_from(frame.age().as_nanos())?)?;
            }
            Ok::<(), anyhow::Error>(())
        },
    )?;
    Ok(ages)
}
