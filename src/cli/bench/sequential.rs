//! Measures the time of a frame on one thread, and the model's part of it.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::messages::Message;
use shuffledet_core::{Mark, Outcome, Resolution, Stage};
use shuffledet_core::{Quantiles, StageHistograms, quantiles_of};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::metrics::allocations;
use shuffledet_detector::pipeline::{Frame, Worker};
use shuffledet_detector::sink::ResultMessages;

/// The results; times are in milliseconds.
#[derive(Serialize)]
pub struct Sequential {
    /// From the bytes of the message to the bytes of its detections.
    pub frame_ms: Quantiles,
    /// The model alone, on the same tensors.
    pub session_run_ms: Quantiles,
    pub decode_ms: Quantiles,
    /// `frame_ms.p50 / session_run_ms.p50`
    pub ratio: f64,
    /// `frame_ms.p50 / (decode_ms.p50 + session_run_ms.p50)`
    pub ratio_beside_decoding: f64,
}

/// The measurements on one thread.
pub struct OneThread {
    pub sequential: Sequential,
    pub stages: Vec<(Stage, Quantiles)>,
    /// The runs of the model per pass over the messages, by the size of the network's input.
    pub input_sizes: BTreeMap<Resolution, u64>,
    /// Median number of allocations per frame.
    pub allocations_per_frame: u64,
}

/// Processes `messages` with `worker`, `rounds` times.
pub fn measure(
    worker: &mut Worker,
    loaded: &LoadedModel,
    messages: &[Message],
    rounds: u64,
) -> anyhow::Result<OneThread> {
    let mut histograms = StageHistograms::default();
    let mut runs = Histogram::<u64>::new(3)?;
    let mut allocated = Histogram::<u64>::new(3)?;
    let mut input_sizes = BTreeMap::new();
    let mut results = ResultMessages::default();
    let mut frame = Frame::new();
    // the first round warms up: buffers grow, the session's arena settles
    for round in 0..=rounds {
        for message in messages {
            frame.reset();
            message.fill(&mut frame);
            let before = allocations::so_far();
            frame.trace.mark(Mark::Received);
            let outcome = worker.process(&mut frame);
            if let Outcome::Failed(failure) = outcome {
                bail!(
                    "cannot process a frame: {}: {}",
                    failure.reason,
                    failure.message
                );
            }
            frame.trace.mark(Mark::Ordered);
            results.detections(&frame, &loaded.labels)?;
            frame.trace.mark(Mark::Published);
            let allocations = allocations::so_far() - before;
            let started = Instant::now();
            worker.run_model_again()?;
            let ran = started.elapsed();
            if round == 0 {
                for input in &frame.inputs {
                    *input_sizes.entry(input.used).or_default() += 1;
                }
            }
            if round > 0 {
                histograms.record(&frame.trace);
                runs.record(u64::try_from(ran.as_nanos())?)?;
                allocated.record(allocations)?;
            }
        }
    }
    let stages = histograms.quantiles();
    let stage = |wanted| {
        let found = stages.iter().find(|(stage, _)| *stage == wanted);
        found
            .map(|(_, quantiles)| *quantiles)
            .context("the input has no frame to measure")
    };
    let (frame_ms, decode_ms) = (stage(Stage::Total)?, stage(Stage::Decode)?);
    let session_run_ms = quantiles_of(&runs);
    let sequential = Sequential {
        frame_ms,
        session_run_ms,
        decode_ms,
        ratio: frame_ms.p50 / session_run_ms.p50,
        ratio_beside_decoding: frame_ms.p50 / (decode_ms.p50 + session_run_ms.p50),
    };
    Ok(OneThread {
        sequential,
        stages,
        input_sizes,
        allocations_per_frame: allocated.value_at_quantile(0.5),
    })
}
