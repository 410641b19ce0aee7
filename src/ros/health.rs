//! Publishes `/diagnostics` once per second and logs why a camera is silent, once for each reason.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use r2r::PublisherUntyped;

use super::doctor::{Doctor, LookError};
use super::error::explained;
use super::shared::Shared;
use super::source::RosClock;
use super::watchdog::Watchdog;
use super::{Executor, ExecutorGone};
use shuffledet_detector::config::Config;
use shuffledet_detector::metrics::WindowView;
use shuffledet_msg::{Level, Stamp};
use shuffledet_node::arguments::Names;
use shuffledet_node::diagnostics::{
    self, CameraFacts, DetectorFacts, RangingFacts, Status, Told, camera_status, detector_status,
    notices, resident_bytes,
};
use shuffledet_node::doctor::{ExpectedTopic, Finding, Surroundings, examine};
use shuffledet_node::lifecycle::{Lifecycle, State};
use shuffledet_node::parameters::ParameterSet;

const PERIOD: Duration = Duration::from_secs(1);

/// The logged findings and problems of one camera.
#[derive(Default)]
struct Log {
    findings: Vec<Finding>,
    problems: Told,
}

/// The sources of the reports.
pub struct Health {
    pub executor: Executor,
    pub names: Names,
    pub shared: Arc<Shared>,
    pub lifecycle: Arc<Lifecycle>,
    pub parameters: Arc<Mutex<ParameterSet>>,
    pub clock: RosClock,
    pub publisher: PublisherUntyped,
    pub watchdog: Watchdog,
}

/// The handle of the reporting thread.
pub struct HealthThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl HealthThread {
    /// Stops the thread after the current camera, which may take half a second if it is silent.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!(
                "the health thread panicked; this is an error in shuffledet, please report it"
            );
        }
    }
}

impl Health {
    /// Starts the reports, until the thread is stopped or the executor is gone.
    pub fn start(self) -> io::Result<HealthThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("health".into())
            .spawn(move || {
                let shared = Arc::clone(&self.shared);
                self.report(&stopped);
                shared.progress.health.rest();
            })?;
        Ok(HealthThread { stop, thread })
    }

    fn report(self, stop: &AtomicBool) {
        let enclave = self.names.arguments.enclave.clone();
        let mut doctor = Doctor::new(self.executor.clone(), self.names.resolve("~"), enclave);
        let mut told: Vec<Log> = self.shared.cameras.iter().map(|_| Log::default()).collect();
        let mut message = Vec::new();
        loop {
            let began = Instant::now();
            self.shared.progress.health.beat();
            let Ok(statuses) = self.statuses(&mut doctor, &mut told, stop) else {
                return;
            };
            let stamp = Stamp::from_ns(self.clock.now_ns()).unwrap_or_default();
            let written = diagnostics::write(&mut message, stamp, &statuses);
            if let Err(error) = written {
                tracing::error!("cannot write /diagnostics: {error}");
            } else if let Err(error) = explained(|| self.publisher.publish_raw(&message)) {
                tracing::error!("cannot publish /diagnostics: {error}");
            }
            self.log_failures();
            while let Some(left) = PERIOD.checked_sub(began.elapsed()) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // waits for the next report or the end
                thread::park_timeout(left);
            }
        }
    }

    /// Logs the failed frames that were only counted until now.
    fn log_failures(&self) {
        for index in 0..self.shared.cameras.len() {
            let (lines, topic) = {
                let mut camera = self.shared.camera(index);
                (
                    camera.failures.due(Instant::now()),
                    camera.topic().to_owned(),
                )
            };
            for line in lines {
                tracing::warn!("{topic}: {line}");
            }
        }
    }

    fn statuses(
        &self,
        doctor: &mut Doctor,
        told: &mut [Log],
        stop: &AtomicBool,
    ) -> Result<Vec<Status>, ExecutorGone> {
        let config = {
            let parameters = self
                .parameters
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            parameters.config().clone()
        };
        let state = self.lifecycle.state();
        let (unable, model) = (self.shared.unable(), self.shared.model());
        let statuses = model.provider_statuses.statuses();
        let model_change = self.shared.model_change();
        let loaded = !statuses.is_empty();
        let mut statuses = vec![detector_status(&DetectorFacts {
            node: &self.names.node,
            state: state.label(),
            unable: unable.as_deref(),
            stuck: &self.watchdog.stuck(),
            model: loaded.then_some(&model.served.identity),
            model_change: model_change.as_ref(),
            providers: &statuses,
            threads: self.shared.threads(),
            input_problems: &self.shared.input_problems(),
            parameters_changed: self.shared.parameters_changed(),
            resident_bytes: resident_bytes(),
        })];
        for (index, told) in told.iter_mut().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(ExecutorGone);
            }
            statuses.push(self.camera(index, &config, state, doctor, told)?);
        }
        Ok(statuses)
    }

    fn camera(
        &self,
        index: usize,
        config: &Config,
        state: State,
        doctor: &mut Doctor,
        told: &mut Log,
    ) -> Result<Status, ExecutorGone> {
        // the search for a silent camera's reason takes half a second
        self.shared.progress.health.beat();
        let camera = &config.cameras[index];
        let idle = match state {
            State::Active if camera.tuning.enabled => None,
            State::Active => Some("the camera is disabled"),
            _ => Some("the node is not active"),
        };
        let now = Instant::now();
        // the maximum pause of a camera that still sends
        let pause = |expected: Option<f64>| {
            let period = Duration::try_from_secs_f64(3.0 / expected.unwrap_or(f64::INFINITY));
            period.unwrap_or(Duration::MAX).max(Duration::from_secs(2))
        };
        let (view, topics, subscribed, learnt_hz, lost, arriving) = {
            let mut camera = self.shared.camera(index);
            camera.window.set_length(config.diagnostics.window);
            let learnt_hz = camera.rhythm.rate_hz();
            let pause = pause(camera.expected_hz.or(learnt_hz));
            (
                camera.window.view(now, config.diagnostics.warn_latency),
                camera.topics.clone(),
                camera.subscribed.clone(),
                learnt_hz,
                camera.rhythm.lost(),
                camera.window.arriving(now, pause),
            )
        };
        let diagnostics = config.diagnostics.of_rate(camera.expected_hz.or(learnt_hz));
        let examined = idle.is_none() && !self.is_awaited(index, config);
        let findings = if examined && is_silent(&view, diagnostics.stale_after) {
            let wanted = topics.iter().map(|topic| ExpectedTopic {
                image_topic: camera.image_topic.clone(),
                topic: topic.name.clone(),
                message_type: topic.transport.message().name,
                qos: topic.qos,
            });
            let wanted: Vec<ExpectedTopic> = wanted.collect();
            match doctor.look(&wanted) {
                Ok(published) => examine(&wanted, &published, &self.surroundings(index, config)),
                Err(LookError::Gone(gone)) => return Err(gone),
                Err(error) => {
                    tracing::warn!(
                        "camera {}: no frames arrive, for an unknown reason: {error}",
                        camera.title()
                    );
                    Vec::new()
                }
            }
        } else {
            Vec::new()
        };
        if findings != told.findings {
            for finding in &findings {
                tracing::warn!("camera {}: {finding}", camera.title());
            }
            told.findings = findings;
        }
        let topic = subscribed.as_ref().or(topics.first());
        let problem = self.shared.camera_info_problem(index);
        let file = camera.camera_info.file.as_ref();
        let file = file.map(|path| path.display().to_string());
        let info_topic = self.shared.camera_info_topics[index].as_ref();
        let origin = file.as_deref();
        let origin = origin.or(info_topic.map(|topic| topic.name.as_str()));
        let measures = config.ranging && config.tracking.enabled;
        let facts = CameraFacts {
            node: &self.names.node,
            camera: camera.name.as_deref(),
            topic: topic.map_or("", |topic| &topic.name),
            idle,
            deadline: topic.and_then(|topic| topic.qos.deadline),
            max_age: camera.tuning.max_age,
            use_sim_time: config.use_sim_time,
            expected_hz: camera.expected_hz,
            learnt_hz,
            lost,
            arriving,
            window: &view,
            ranging: origin.filter(|_| measures).map(|origin| RangingFacts {
                origin,
                is_calibrated: self.shared.calibration(index).is_some(),
                problem: problem.as_deref(),
                has_height: camera.tuning.mounting.height_m.is_some(),
            }),
            findings: &told.findings,
        };
        for (level, problem) in told.problems.news(notices(&facts, &diagnostics)) {
            let title = camera.title();
            if level == Level::Warn {
                tracing::warn!("camera {title}: {problem}");
            } else {
                tracing::error!("camera {title}: {problem}");
            }
        }
        Ok(camera_status(&facts, &diagnostics))
    }

    /// Returns the surroundings of the camera with this index.
    fn surroundings(&self, index: usize, config: &Config) -> Surroundings {
        let others = config.cameras.iter().enumerate();
        let others = others.filter(|&(other, _)| other != index);
        // raw and compressed topics belong to one camera
        let topics = others.flat_map(|(_, camera)| {
            let raw = self.names.resolve(&camera.image_topic);
            [format!("{raw}/compressed"), raw]
        });
        Surroundings {
            others: topics.collect(),
            discovery_server: std::env::var_os("ROS_DISCOVERY_SERVER")
                .is_some_and(|servers| !servers.is_empty()),
        }
    }
}

impl Health {
    /// Returns whether no frame has arrived since the activation and the grace period is not over.
    fn is_awaited(&self, index: usize, config: &Config) -> bool {
        let camera = self.shared.camera(index);
        let Some(active_for) = camera.expected_since.map(|since| since.elapsed()) else {
            return false;
        };
        let silent_for = camera.window.silent_for(Instant::now());
        active_for < config.diagnostics.grace && silent_for.is_none_or(|silent| silent > active_for)
    }
}

fn is_silent(view: &WindowView, stale_after: Duration) -> bool {
    view.silent_for.is_none_or(|silent| silent > stale_after)
}
