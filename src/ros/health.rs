//! `/diagnostics`, once a second, and in the log why a camera is silent, once for each reason.

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
use super::{Executor, ExecutorGone};
use shuffledet_detector::config::Config;
use shuffledet_detector::metrics::WindowView;
use shuffledet_detector::pipeline::Transport;
use shuffledet_msg::Stamp;
use shuffledet_node::arguments::Names;
use shuffledet_node::diagnostics::{
    self, CameraFacts, DetectorFacts, Status, camera_status, detector_status, resident_bytes,
};
use shuffledet_node::doctor::{Finding, Wanted, examine};
use shuffledet_node::lifecycle::{Lifecycle, State};
use shuffledet_node::parameters::ParameterSet;

const PERIOD: Duration = Duration::from_secs(1);

/// What the reports are made of.
pub struct Health {
    pub executor: Executor,
    pub names: Names,
    pub shared: Arc<Shared>,
    pub lifecycle: Arc<Lifecycle>,
    pub parameters: Arc<Mutex<ParameterSet>>,
    pub clock: RosClock,
    pub publisher: PublisherUntyped,
}

/// The thread that reports.
pub struct HealthThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl HealthThread {
    /// Tells it to end, after the report that it is at: a silent camera's may take half a second.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }

    /// Waits for its end.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!(
                "the health thread panicked; this is a mistake in shuffledet, please report it"
            );
        }
    }
}

impl Health {
    /// Reports from now on, until told to end or the executor is gone.
    pub fn start(self) -> io::Result<HealthThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("health".into())
            .spawn(move || self.report(&stopped))?;
        Ok(HealthThread { stop, thread })
    }

    fn report(self, stop: &AtomicBool) {
        let enclave = self.names.arguments.enclave.clone();
        let mut doctor = Doctor::new(self.executor.clone(), self.names.resolve("~"), enclave);
        let mut told: Vec<Vec<Finding>> = vec![Vec::new(); self.shared.cameras.len()];
        let mut message = Vec::new();
        loop {
            let began = Instant::now();
            let Ok(statuses) = self.statuses(&mut doctor, &mut told) else {
                return;
            };
            let stamp = Stamp::from_ns(self.clock.now_ns()).unwrap_or_default();
            let written = diagnostics::write(&mut message, stamp, &statuses);
            if let Err(error) = written {
                tracing::error!("/diagnostics: {error}");
            } else if let Err(error) = explained(|| self.publisher.publish_raw(&message)) {
                tracing::error!("/diagnostics: not published: {error}");
            }
            self.log_failures();
            while let Some(left) = PERIOD.checked_sub(began.elapsed()) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // until the next report is due, or the end
                thread::park_timeout(left);
            }
        }
    }

    /// What was only counted until now of frames that failed.
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
        told: &mut [Vec<Finding>],
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
        let fates = self.shared.standing.fates();
        let loaded = !fates.is_empty();
        let mut statuses = vec![detector_status(&DetectorFacts {
            node: &self.names.node,
            state: state.label(),
            unable: unable.as_deref(),
            model: loaded.then_some(&model),
            providers: &fates,
            threads: self.shared.threads(),
            parameters_changed: self.shared.parameters_changed(),
            resident_bytes: resident_bytes(),
        })];
        for (index, told) in told.iter_mut().enumerate() {
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
        told: &mut Vec<Finding>,
    ) -> Result<Status, ExecutorGone> {
        let camera = &config.cameras[index];
        let idle = match state {
            State::Active if camera.tuning.enabled => None,
            State::Active => Some("the camera is disabled"),
            _ => Some("the node is not active"),
        };
        let (view, topics, subscribed) = {
            let mut camera = self.shared.camera(index);
            camera.window.set_length(config.diagnostics.window);
            let view = camera
                .window
                .view(Instant::now(), config.diagnostics.warn_latency);
            (view, camera.topics.clone(), camera.subscribed.clone())
        };
        let examined = idle.is_none() && !self.is_awaited(index, config);
        let findings = if examined && is_silent(&view, config) {
            let wanted = topics.iter().map(|topic| Wanted {
                image_topic: camera.image_topic.clone(),
                topic: topic.name.clone(),
                message_type: match topic.transport {
                    Transport::Raw => "sensor_msgs/msg/Image",
                    Transport::Compressed => "sensor_msgs/msg/CompressedImage",
                },
                qos: topic.qos,
            });
            let wanted: Vec<Wanted> = wanted.collect();
            match doctor.look(&wanted) {
                Ok(published) => examine(&wanted, &published),
                Err(LookError::Gone(gone)) => return Err(gone),
                Err(error) => {
                    tracing::warn!(
                        "camera {}: no frames come, and why is not known: {error}",
                        camera.title()
                    );
                    Vec::new()
                }
            }
        } else {
            Vec::new()
        };
        if findings != *told {
            for finding in &findings {
                tracing::warn!("camera {}: {finding}", camera.title());
            }
            *told = findings;
        }
        let topic = subscribed.as_ref().or(topics.first());
        Ok(camera_status(
            &CameraFacts {
                node: &self.names.node,
                camera: camera.name.as_deref(),
                topic: topic.map_or("", |topic| &topic.name),
                idle,
                deadline: topic.and_then(|topic| topic.qos.deadline),
                window: &view,
                findings: told,
            },
            &config.diagnostics,
        ))
    }
}

impl Health {
    /// Whether nothing has come since the activation, and it is too soon to ask why.
    fn is_awaited(&self, index: usize, config: &Config) -> bool {
        let camera = self.shared.camera(index);
        let Some(active_for) = camera.expected_since.map(|since| since.elapsed()) else {
            return false;
        };
        let silent_for = camera.window.silent_for(Instant::now());
        active_for < config.diagnostics.grace && silent_for.is_none_or(|silent| silent > active_for)
    }
}

fn is_silent(view: &WindowView, config: &Config) -> bool {
    view.silent_for
        .is_none_or(|silent| silent > config.diagnostics.stale_after)
}
