//! The state that the node's parts share while it runs: settings, and the results of frames and
//! model.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::camera_info::CameraInfoTopic;
use super::model_topics::ModelTopics;
use super::subscriptions::{self, ImageTopic};
use super::watchdog::NodeProgress;
use shuffledet_core::Outcome;
use shuffledet_detector::config::{CameraConfig, Config, Threads, WebConfig};
use shuffledet_detector::input_problems::InputProblems;
use shuffledet_detector::metrics::{Rhythm, Window};
use shuffledet_detector::pipeline::{
    CameraInfoFeed, Frame, RuntimeSettings, ServedModel, SharedSettings,
};
use shuffledet_detector::{LoadedModel, detect::DetectorSettings};
use shuffledet_infer::ProviderStatuses;
use shuffledet_node::arguments::Names;
use shuffledet_node::failures::FailureLog;
use shuffledet_node::model_change::{ModelChangeNote, Trial};
use shuffledet_track::camera::CalibratedCamera;
use shuffledet_view::Hub;

pub struct Shared {
    pub tuning: Arc<SharedSettings>,
    /// What the node's page shows; `None`: it has no page.
    pub page: Option<(Arc<Hub>, WebConfig)>,
    pub progress: Arc<NodeProgress>,
    /// State by camera.
    pub cameras: Vec<Mutex<CameraState>>,
    /// By camera: the topic of its CameraInfo; `None` if there is no need for it.
    pub camera_info_topics: Vec<Option<CameraInfoTopic>>,
    /// By camera: its calibration so far.
    camera_infos: Vec<Mutex<CameraInfoFeed>>,
    model: Mutex<NodeModel>,
    /// What became of the latest change of the model.
    model_change: Mutex<Option<ModelChangeNote>>,
    /// The first frames of a new model, while they are watched.
    trial: Mutex<Option<Trial>>,
    trial_changed: Condvar,
    threads: Mutex<Threads>,
    /// Why the node cannot run; `None` if it can.
    unable: Mutex<Option<String>>,
    /// Set while the node is configured.
    topics: Mutex<Option<Arc<Mutex<ModelTopics>>>>,
    parameters_changed: AtomicU64,
    /// Time in milliseconds after which a silent camera is stale.
    stale_after_ms: AtomicU64,
}

/// The model that is or was last loaded.
#[derive(Clone)]
pub struct NodeModel {
    pub served: Arc<ServedModel>,
    /// The state of each provider.
    pub provider_statuses: Arc<ProviderStatuses>,
    pub input_problems: InputProblems,
}

impl NodeModel {
    fn new(loaded: &LoadedModel) -> Self {
        Self {
            served: Arc::clone(&loaded.served),
            provider_statuses: Arc::clone(&loaded.provider_statuses),
            input_problems: loaded.input_problems.clone(),
        }
    }
}

/// One camera as diagnostics see it.
pub struct CameraState {
    pub window: Window,
    /// The topics on which its images may arrive.
    pub topics: Vec<ImageTopic>,
    /// The topic on which they do arrive.
    pub subscribed: Option<ImageTopic>,
    pub rhythm: Rhythm,
    /// Expected frames per second, if configured.
    pub expected_hz: Option<f64>,
    /// The time of the last activation, from which frames are expected.
    pub expected_since: Option<Instant>,
    /// Log lines about failed frames.
    pub failures: FailureLog,
}

impl CameraState {
    /// Returns the full name of the topic on which its images arrive or should arrive.
    pub fn topic(&self) -> &str {
        let topic = self.subscribed.as_ref().or(self.topics.first());
        topic.map_or("", |topic| &topic.name)
    }
}

impl Shared {
    /// Creates the state of a node that starts with `loaded`. An error names the wrong parameter.
    pub fn new(
        loaded: &LoadedModel,
        names: &Names,
        progress: NodeProgress,
    ) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let mut cameras = Vec::new();
        let (mut camera_info_topics, mut camera_infos) = (Vec::new(), Vec::new());
        for (index, camera) in config.cameras.iter().enumerate() {
            let topics = subscriptions::image_topics(index, camera, names, config).map_err(
                |(topic, problem)| anyhow!("qos_overrides.{topic}.subscription: {problem}"),
            )?;
            let overrides_error =
                |(topic, problem)| anyhow!("qos_overrides.{topic}.subscription: {problem}");
            let is_needed = config.ranging && camera.camera_info.file.is_none();
            let topic = is_needed.then(|| CameraInfoTopic::new(camera, names, config));
            camera_info_topics.push(topic.transpose().map_err(overrides_error)?);
            let images = names.resolve(&camera.image_topic);
            let feed = match config.ranging {
                true => camera.camera_info.feed(&images),
                false => Ok(CameraInfoFeed::default()),
            };
            let feed = feed.with_context(|| camera_info_key(camera))?;
            camera_infos.push(Mutex::new(feed));
            let deadline = topics.first().and_then(|topic| topic.qos.deadline);
            cameras.push(Mutex::new(CameraState {
                window: Window::new(config.diagnostics.window, deadline, Instant::now()),
                topics,
                subscribed: None,
                rhythm: Rhythm::default(),
                expected_hz: camera.expected_hz,
                expected_since: None,
                failures: FailureLog::default(),
            }));
        }
        Ok(Self {
            tuning: Arc::new(SharedSettings::new(loaded.live_tuning())),
            page: page(config, names),
            progress: Arc::new(progress),
            cameras,
            camera_info_topics,
            camera_infos,
            model: Mutex::new(NodeModel::new(loaded)),
            model_change: Mutex::default(),
            trial: Mutex::default(),
            trial_changed: Condvar::new(),
            threads: Mutex::new(config.threads),
            unable: Mutex::default(),
            topics: Mutex::default(),
            parameters_changed: AtomicU64::new(0),
            stale_after_ms: AtomicU64::new(ms(config.diagnostics.stale_after)),
        })
    }

    /// Publishes the model on `topics` now, and its classes whenever their threshold changes. `None`
    /// stops this.
    pub fn set_topics(&self, topics: Option<Arc<Mutex<ModelTopics>>>) {
        *lock(&self.topics) = topics;
        self.announce_model();
    }

    /// Publishes the model whose settings are in effect, unless that is already published. Frames of
    /// another model that are still under way announce theirs.
    pub fn announce_model(&self) {
        let (model, settings) = (self.model(), self.tuning.get());
        if let Some(topics) = &*lock(&self.topics) {
            lock(topics).announce(&model.served, &settings);
        }
    }

    /// Puts new settings of the model `model` into effect from the next frame on.
    pub fn tune(&self, model: u64, config: &Config, detector: &DetectorSettings) {
        let cameras = config.cameras.iter().map(|camera| camera.tuning).collect();
        for (state, camera) in self.cameras.iter().zip(&config.cameras) {
            lock(state).expected_hz = camera.expected_hz;
        }
        self.progress
            .set_stuck_after(config.diagnostics.stuck_after);
        let stale_after_ms = ms(config.diagnostics.stale_after);
        self.stale_after_ms.store(stale_after_ms, Ordering::Relaxed);
        self.tuning.set(RuntimeSettings {
            model,
            detector: detector.clone(),
            tracking: config.tracking.clone(),
            cameras,
        });
        if let Some(topics) = &*lock(&self.topics) {
            lock(topics).follow(&self.tuning.get());
        }
        self.parameters_changed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of changes of the settings since the start.
    pub fn parameters_changed(&self) -> u64 {
        self.parameters_changed.load(Ordering::Relaxed)
    }

    pub fn camera(&self, index: usize) -> MutexGuard<'_, CameraState> {
        lock(&self.cameras[index])
    }

    /// Takes a CameraInfo of a camera.
    pub fn take_camera_info(&self, camera: usize, topic: &str, message: &[u8]) {
        let mut feed = lock(&self.camera_infos[camera]);
        if feed.take(message) {
            match feed.problem() {
                None => tracing::info!("{topic}: the camera is calibrated"),
                // drivers of cameras without a calibration publish an empty one
                Some(problem) => tracing::info!("{topic}: no distances: {problem}"),
            }
        }
    }

    /// Returns the calibration of a camera, if it is known.
    pub fn calibration(&self, camera: usize) -> Option<Arc<CalibratedCamera>> {
        lock(&self.camera_infos[camera]).camera()
    }

    /// Returns why the last CameraInfo of a camera cannot be used.
    pub fn camera_info_problem(&self, camera: usize) -> Option<String> {
        lock(&self.camera_infos[camera])
            .problem()
            .map(str::to_owned)
    }

    /// Returns how long a camera's topic may be silent before the other topic is tried: until the
    /// camera is stale, but longer than the gaps of a slow camera.
    pub fn silence(&self, index: usize) -> Duration {
        const LEAST: Duration = Duration::from_millis(500);
        let stale_after = Duration::from_millis(self.stale_after_ms.load(Ordering::Relaxed));
        let period = self.camera(index).rhythm.rate_hz().map(|hz| 1.0 / hz);
        let periods = Duration::from_secs_f64(3.0 * period.unwrap_or(0.0));
        stale_after.max(LEAST).max(periods)
    }

    /// Returns the model that is or was last loaded.
    pub fn model(&self) -> NodeModel {
        lock(&self.model).clone()
    }

    pub fn set_model(&self, loaded: &LoadedModel) {
        self.restore_model(NodeModel::new(loaded));
    }

    pub fn restore_model(&self, model: NodeModel) {
        *lock(&self.model) = model;
    }

    /// Returns what became of the latest change of the model.
    pub fn model_change(&self) -> Option<ModelChangeNote> {
        lock(&self.model_change).clone()
    }

    pub fn note_model_change(&self, note: ModelChangeNote) {
        *lock(&self.model_change) = Some(note);
    }

    /// Watches the first frames of the model `model` from now on.
    pub fn begin_trial(&self, model: u64) {
        *lock(&self.trial) = Some(Trial::new(model));
    }

    /// Takes the outcome of a frame for the trial, if there is one.
    pub fn note_for_trial(&self, frame: &Frame, outcome: &Outcome) {
        if let Some(trial) = &mut *lock(&self.trial) {
            trial.note(frame, outcome);
            self.trial_changed.notify_all();
        }
    }

    /// Returns whether the model of the trial stays: as soon as its frames tell, and otherwise after
    /// [`Trial::LONGEST`], or when `goes_on` is false.
    pub fn end_trial(&self, goes_on: impl Fn() -> bool) -> Result<(), String> {
        const LOOK: Duration = Duration::from_millis(50);
        let began = Instant::now();
        let mut trial = lock(&self.trial);
        loop {
            let verdict = trial.as_ref().and_then(Trial::verdict);
            let is_over = verdict.is_some() || began.elapsed() >= Trial::LONGEST || !goes_on();
            if is_over {
                *trial = None;
                return verdict.unwrap_or(Ok(()));
            }
            let waited = self.trial_changed.wait_timeout(trial, LOOK);
            trial = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns whether the first frames of a model are watched.
    pub fn is_in_trial(&self) -> bool {
        lock(&self.trial).is_some()
    }

    /// Returns why the model does not run at input sizes that the parameters ask for.
    pub fn input_problems(&self) -> Vec<String> {
        lock(&self.model).input_problems.texts()
    }

    /// Returns the distribution of the cores.
    pub fn threads(&self) -> Threads {
        *lock(&self.threads)
    }

    pub fn set_threads(&self, threads: Threads) {
        *lock(&self.threads) = threads;
    }

    pub fn unable(&self) -> Option<String> {
        lock(&self.unable).clone()
    }

    pub fn set_unable(&self, why: Option<String>) {
        *lock(&self.unable) = why;
    }
}

/// Returns the hub of the node's page, if it has one.
fn page(config: &Config, names: &Names) -> Option<(Arc<Hub>, WebConfig)> {
    config.web.port?;
    let cameras = config.cameras.iter();
    let titles = cameras.map(|camera| names.resolve(&camera.image_topic));
    let hub = Hub::new(titles.collect(), config.web.max_rate_hz);
    Some((hub, config.web.clone()))
}

/// Returns the name of the parameter that gives a camera's calibration file.
fn camera_info_key(camera: &CameraConfig) -> String {
    match &camera.name {
        Some(name) => format!("camera_info_url of camera {name}"),
        None => "ranging.camera_info_url".to_owned(),
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Locks a mutex, whose data is valid after each change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
