//! The node's lifecycle callbacks: load the model, process frames, stop, release.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Executor;
use super::camera_info::CameraInfos;
use super::intake::Intake;
use super::join::join_within;
use super::models::{ANNOTATE, Models, maker};
use super::results::Results;
use super::shared::Shared;
use super::source::{LiveSource, RosClock};
use crate::view::ViewedFrames;
use shuffledet_core::Outcome;
use shuffledet_detector::pipeline::{Crew, Frame, Worker, run_live};
use shuffledet_image::Damage;
use shuffledet_node::arguments::Names;
use shuffledet_node::failures::FrameProblem;
use shuffledet_node::lifecycle::{CallbackResult, Managed};

/// The managed node.
pub struct Engine {
    models: Arc<Models>,
    shared: Arc<Shared>,
    executor: Executor,
    names: Names,
    clock: RosClock,
    state: State,
}

enum State {
    Unconfigured,
    Inactive(Box<Ready>),
    Active(RunningPipeline),
}

/// The result of `configure`.
struct Ready {
    crew: Arc<Crew<Worker>>,
    results: Results,
}

struct RunningPipeline {
    stop: Arc<AtomicBool>,
    intake: Intake,
    camera_infos: CameraInfos,
    pipeline: JoinHandle<Box<Ready>>,
}

impl Engine {
    /// Creates the engine, which configures the current model of `models`.
    pub fn new(
        models: Arc<Models>,
        shared: Arc<Shared>,
        executor: Executor,
        names: Names,
        clock: RosClock,
    ) -> Self {
        Self {
            models,
            shared,
            executor,
            names,
            clock,
            state: State::Unconfigured,
        }
    }

    /// Creates and warms up the sessions, and creates the publishers.
    fn prepare(&mut self) -> anyhow::Result<Box<Ready>> {
        let mut models = self.models.lock();
        models.epoch += 1;
        let loaded = models.take_loaded(&self.shared)?;
        self.shared.set_model(&loaded);
        let (detectors, threads) = loaded.live_detectors()?;
        self.shared.set_threads(threads);
        let tuning = Arc::clone(&self.shared.tuning);
        let workers = loaded.workers(detectors, &tuning, ANNOTATE)?;
        let (executor, names) = (&self.executor, &self.names);
        let (results, topics) = Results::create(executor, names, &models.config, &loaded, tuning)?;
        self.shared.set_topics(Some(topics));
        let (model, live) = (loaded.served.number, &self.shared.progress.live);
        let make = Arc::new(maker(loaded, threads, &self.shared));
        let crew = Arc::new(Crew::new(model, workers, make, Arc::clone(live)));
        models.crew = Some(Arc::clone(&crew));
        Ok(Box::new(Ready { crew, results }))
    }

    /// Subscribes to the cameras and starts to process frames.
    fn start(&mut self, ready: Box<Ready>) -> std::io::Result<RunningPipeline> {
        let stop = Arc::new(AtomicBool::new(false));
        let intake = Intake::start(&self.executor, &self.shared, &self.clock)?;
        let camera_infos = CameraInfos::subscribe(&self.executor, &self.shared);
        let source = LiveSource::new(intake.arrivals(), Arc::clone(&self.shared));
        let (shared, stopped) = (Arc::clone(&self.shared), Arc::clone(&stop));
        let viewed = self
            .shared
            .page
            .clone()
            .map(|(hub, web)| ViewedFrames::start(hub, &web, Arc::clone(&self.shared.tuning)));
        let viewed = viewed.transpose()?;
        let pipeline = thread::Builder::new()
            .name("pipeline".into())
            .spawn(move || take_frames(ready, source, viewed, &shared, &stopped))?;
        Ok(RunningPipeline {
            stop,
            intake,
            camera_infos,
            pipeline,
        })
    }

    /// Finishes the current frames. Fails if the pipeline panicked or does not end.
    fn stop(&self, running: RunningPipeline) -> Result<Box<Ready>, &'static str> {
        running.stop.store(true, Ordering::Relaxed);
        drop((running.intake, running.camera_infos));
        // a worker that hangs is given up in the first two thirds
        let limit = self.shared.progress.longest() * 3 / 2 + Duration::from_millis(500);
        let publisher = &self.shared.progress.live.publisher;
        match join_within(running.pipeline, limit, || publisher.is_given_up()) {
            Some(Ok(ready)) => Ok(ready),
            Some(Err(_)) => Err("the pipeline panicked"),
            None => Err("the pipeline does not end; it is left alone"),
        }
    }

    /// Returns to the unconfigured state from any state.
    fn release(&mut self) {
        let ready = match std::mem::replace(&mut self.state, State::Unconfigured) {
            State::Unconfigured => None,
            State::Inactive(ready) => Some(ready),
            State::Active(running) => self.stop(running).ok(),
        };
        {
            let mut models = self.models.lock();
            models.epoch += 1;
            models.crew = None;
        }
        self.shared.set_topics(None);
        if let Some(ready) = ready {
            ready.results.destroy(&self.executor);
        }
        for index in 0..self.shared.cameras.len() {
            self.shared.camera(index).subscribed = None;
        }
    }

    /// Notes the time from which frames of the cameras are expected.
    fn expect_frames(&self, since: Instant) {
        for index in 0..self.shared.cameras.len() {
            self.shared.camera(index).expected_since = Some(since);
        }
    }
}

/// Runs the pipeline in its thread until it is stopped.
fn take_frames(
    mut ready: Box<Ready>,
    mut source: LiveSource,
    mut viewed: Option<ViewedFrames>,
    shared: &Shared,
    stop: &AtomicBool,
) -> Box<Ready> {
    let Ready { crew, results } = &mut *ready;
    let arrivals = source.arrivals();
    let ran = run_live(
        &mut source,
        &shared.tuning,
        crew,
        stop,
        |frame, outcome| {
            // the run ends with its reader, which waits for an image
            let published = results.publish(frame, outcome);
            published.inspect_err(|_| arrivals.close())
        },
        |frame, outcome| {
            record(shared, frame, outcome);
            if let Some(viewed) = &mut viewed {
                viewed.record(frame, outcome, false);
            }
        },
    );
    if let Err(error) = ran {
        let why =
            format!("cannot process further frames: {error}; deactivate and activate the node");
        tracing::error!("{why}");
        shared.set_unable(Some(why));
    }
    ready
}

/// Counts the frame and logs its outcome: failures and damage at the rate of
/// [`FailureLog`](shuffledet_node::failures::FailureLog), everything at debug level.
fn record(shared: &Shared, frame: &Frame, outcome: &Outcome) {
    shared.note_for_trial(frame, outcome);
    let (sec, nanosec) = (frame.stamp.sec, frame.stamp.nanosec);
    let (line, topic) = {
        let mut camera = shared.camera(frame.camera);
        camera.window.record(frame, outcome);
        let line = match (outcome, frame.damage) {
            (Outcome::Failed(failure), _) => {
                let problem = (FrameProblem::Failed, failure.reason);
                let failures = &mut camera.failures;
                failures.note(Instant::now(), problem, frame.stamp, &failure.message)
            }
            (Outcome::Published, Some(damage)) => {
                let problem = (FrameProblem::Damaged, Damage::REASON);
                let failures = &mut camera.failures;
                failures.note(Instant::now(), problem, frame.stamp, &damage.to_string())
            }
            _ => None,
        };
        let debugged = tracing::enabled!(tracing::Level::DEBUG) || line.is_some();
        (line, debugged.then(|| camera.topic().to_owned()))
    };
    let topic = topic.unwrap_or_default();
    if let Some(line) = line {
        tracing::warn!("{topic}: {line}");
    }
    match outcome {
        Outcome::Published => tracing::debug!(
            "{topic}: stamp {sec}.{nanosec:09}: {} detections",
            frame.detections.len()
        ),
        Outcome::Dropped(reason) => {
            tracing::debug!(
                "{topic}: stamp {sec}.{nanosec:09}: dropped: {}",
                reason.name()
            );
        }
        Outcome::Failed(failure) => tracing::debug!(
            "{topic}: stamp {sec}.{nanosec:09}: failed: {}: {}",
            failure.reason,
            failure.message
        ),
    }
}

impl Managed for Engine {
    fn configure(&mut self) -> CallbackResult {
        match self.prepare() {
            Ok(ready) => {
                self.state = State::Inactive(ready);
                self.shared.set_unable(None);
                CallbackResult::Success
            }
            Err(error) => {
                let why = format!("{error:#}");
                self.shared.set_unable(Some(why.clone()));
                CallbackResult::Error(why)
            }
        }
    }

    fn activate(&mut self) -> CallbackResult {
        let State::Inactive(ready) = std::mem::replace(&mut self.state, State::Unconfigured) else {
            return CallbackResult::Error("the node is not configured".to_owned());
        };
        match self.start(ready) {
            Ok(running) => {
                self.expect_frames(Instant::now());
                self.state = State::Active(running);
                CallbackResult::Success
            }
            Err(error) => CallbackResult::Error(error.to_string()),
        }
    }

    fn deactivate(&mut self) -> CallbackResult {
        let State::Active(running) = std::mem::replace(&mut self.state, State::Unconfigured) else {
            return CallbackResult::Error("the node is not active".to_owned());
        };
        match self.stop(running) {
            Ok(ready) => {
                self.state = State::Inactive(ready);
                CallbackResult::Success
            }
            Err(why) => CallbackResult::Error(why.to_owned()),
        }
    }

    fn cleanup(&mut self) -> CallbackResult {
        self.release();
        CallbackResult::Success
    }

    fn shutdown(&mut self) -> CallbackResult {
        self.release();
        CallbackResult::Success
    }

    fn on_error(&mut self) -> CallbackResult {
        self.release();
        CallbackResult::Success
    }
}
