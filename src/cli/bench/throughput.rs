//! Measures the frames per second of parallel workers without drops.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde::Serialize;

use super::messages::Message;
use shuffledet_core::Mark;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::pipeline::{
    Frame, Pace, SharedSettings, Source, Worker, run as run_pipeline,
};
use shuffledet_detector::sink::ResultMessages;

#[derive(Serialize)]
pub struct Throughput {
    pub workers: usize,
    pub fps: f64,
    pub fps_one_worker: f64,
    /// `fps / fps_one_worker`
    pub scaling: f64,
}

/// Yields the same messages several times.
struct RepeatedMessages<'a> {
    messages: std::iter::Take<std::iter::Cycle<std::slice::Iter<'a, Message>>>,
}

impl Source for RepeatedMessages<'_> {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        let next = self.messages.next();
        if let Some(message) = next {
            message.fill(frame);
        }
        Ok(next.is_some())
    }
}

/// Processes `messages` `rounds` times with one of `workers`, then with all.
pub fn measure(
    workers: &mut [Worker],
    tuning: &Arc<SharedSettings>,
    loaded: &LoadedModel,
    messages: &[Message],
    rounds: u64,
) -> anyhow::Result<Throughput> {
    let rate = |workers: &mut [Worker]| frames_a_second(workers, tuning, loaded, messages, rounds);
    let fps_one_worker = rate(&mut workers[..1])?;
    let fps = rate(workers)?;
    Ok(Throughput {
        workers: workers.len(),
        fps,
        fps_one_worker,
        scaling: fps / fps_one_worker,
    })
}

fn frames_a_second(
    workers: &mut [Worker],
    tuning: &Arc<SharedSettings>,
    loaded: &LoadedModel,
    messages: &[Message],
    rounds: u64,
) -> anyhow::Result<f64> {
    let total = messages.len() * rounds as usize;
    let mut source = RepeatedMessages {
        messages: messages.iter().cycle().take(total),
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
