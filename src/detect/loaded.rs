//! A model with the parameters that it runs under: everything that is needed to make detectors.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::settings::UnknownClass;
use super::{DetectError, Detector, DetectorSettings};
use crate::config::{Config, Threads};
use crate::image::BgrView;
use crate::infer::backend::Profiled;
use crate::infer::runtime::RuntimeError;
use crate::infer::{
    Backend, Backoff, InferError, Opening, OrtBackend, Patience, Provider, Runtime, SessionOptions,
    Standing,
};
use crate::model::{Labels, Model, ModelError};
use crate::pipeline::{CameraTuning, Tuned, Tuning};

/// A model that is loaded and checked against the parameters.
pub struct Loaded {
    pub config: Config,
    pub model: Model,
    pub labels: Arc<Labels>,
    pub runtime: Runtime,
    /// What became of the providers, for all detectors made here.
    pub standing: Arc<Standing>,
    settings: DetectorSettings,
}

/// Why no detector can be made.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Class(#[from] UnknownClass),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
    #[error(transparent)]
    Session(#[from] InferError),
    #[error("trying the model: {0}")]
    Trial(#[from] DetectError),
    #[error("loading the model panicked; this is a mistake in shuffledet, please report it")]
    Panicked,
}

impl Loaded {
    /// Loads the model and ONNX Runtime that `config` asks for. Sessions are made with the detectors.
    pub fn new(config: Config) -> Result<Self, LoadError> {
        let model = Model::load(&config.model)?;
        let settings = DetectorSettings::new(&config.thresholds, &model.description)?;
        let runtime = Runtime::load()?;
        // whole frames are worked on in parallel: threads within an operation on pixels only get in their way
        opencv::core::set_num_threads(1)?;
        let labels = Arc::new(model.description.labels.clone());
        Ok(Self {
            config,
            model,
            labels,
            runtime,
            standing: Arc::default(),
            settings,
        })
    }

    /// What becomes a detection, as the parameters and the model say.
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
    }

    /// Leaves boxes as long as the model makes them, in detectors and tunings that are made from now on.
    pub fn leave_unclipped(&mut self) {
        self.settings.clip = false;
    }

    /// Settings under which every frame of `cameras` cameras is worked on.
    pub fn lossless_tuning(&self, cameras: usize) -> Tuning {
        let cameras = vec![CameraTuning::EVERY_FRAME; cameras];
        Tuning::new(Tuned {
            detector: self.settings.clone(),
            cameras,
        })
    }

    /// The rules of a live node for `cameras` cameras, none of which differs from the others.
    pub fn tuning(&self, cameras: usize) -> Tuning {
        let cameras = vec![self.config.input; cameras];
        Tuning::new(Tuned {
            detector: self.settings.clone(),
            cameras,
        })
    }

    /// The settings of the live node's cameras.
    pub fn live_tuning(&self) -> Tuned {
        let cameras = self
            .config
            .cameras
            .iter()
            .map(|camera| camera.tuning)
            .collect();
        Tuned {
            detector: self.settings.clone(),
            cameras,
        }
    }

    /// One detector, on the best provider, however long its session takes.
    pub fn detector(&self) -> Result<Detector, InferError> {
        let options = &self.config.session;
        self.open(&self.backend(options)?, options, Patience::Wait)
    }

    /// `count` detectors, each with a session of its own. They are made in parallel: optimising the graph
    /// takes most of a start. Every frame has the same provider unless it fails.
    pub fn detectors(&self, count: usize) -> Result<Vec<Detector>, LoadError> {
        self.open_many(count, &self.config.session, Patience::Wait)
    }

    /// The detectors of a live node, warm, and how they share the cores out. They serve at once, and change to a provider
    /// that builds slowly when it is ready.
    pub fn live_detectors(&self) -> Result<(Vec<Detector>, Threads), LoadError> {
        let opened = |threads: Threads| {
            let options = &SessionOptions {
                intra_op_threads: threads.intra_op.get(),
                ..self.config.session.clone()
            };
            let patience = Patience::ServeMeanwhile;
            let mut detectors = self.open_many(threads.workers.get(), options, patience)?;
            // the first run of a session costs many times the others
            for detector in &mut detectors {
                time_one(detector)?;
            }
            Ok::<_, LoadError>(detectors)
        };
        let threads = self.config.threads;
        let mut narrow = opened(threads)?;
        // where another provider serves or is in the making, the CPU's threads do not matter
        let options = &self.config.session;
        let on_cpu = narrow
            .iter()
            .all(|detector| detector.session().provider() == Provider::Cpu);
        let stays = on_cpu && !options.providers.iter().any(|p| p.builds_slowly());
        let Some(wider) = self.config.wider_threads.filter(|_| stays) else {
            return Ok((narrow, threads));
        };
        let mut wide = opened(wider)?;
        let times = compare(&mut narrow[0], &mut wide[0])?;
        let [one, more] = times.map(|time| time.as_secs_f64() * 1e3);
        let wins = more <= WORTH * one;
        let (chosen, detectors) = if wins {
            (wider, wide)
        } else {
            (threads, narrow)
        };
        tracing::info!(
            "runtime.mode auto: a frame takes {one:.2} ms with {} thread(s), {more:.2} ms with {}: {} worker(s) of {} \
             thread(s) each",
            threads.intra_op,
            wider.intra_op,
            chosen.workers,
            chosen.intra_op
        );
        Ok((detectors, chosen))
    }

    /// What makes the sessions. Whatever is wrong with the model's file is found here.
    fn backend(&self, options: &SessionOptions) -> Result<Arc<dyn Backend>, InferError> {
        let profiled = Profiled::Accelerated;
        let backend = OrtBackend::new(&self.runtime, &self.model, options, profiled)?;
        Ok(Arc::new(backend))
    }

    fn open(
        &self,
        backend: &Arc<dyn Backend>,
        options: &SessionOptions,
        patience: Patience,
    ) -> Result<Detector, InferError> {
        let opening = Opening {
            backend: Arc::clone(backend),
            model: &self.model.path.display().to_string(),
            description: &self.model.description,
            options,
            patience,
            backoff: Backoff::default(),
            standing: Arc::clone(&self.standing),
        };
        let (description, settings) = (&self.model.description, self.settings.clone());
        Ok(Detector::with_session(
            opening.open()?,
            description,
            settings,
        ))
    }

    fn open_many(
        &self,
        count: usize,
        options: &SessionOptions,
        patience: Patience,
    ) -> Result<Vec<Detector>, LoadError> {
        let backend = &self.backend(options)?;
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.open(backend, options, patience)))
                .collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        made.into_iter()
            .map(|detector| match detector {
                Ok(made) => Ok(made?),
                Err(_) => Err(LoadError::Panicked),
            })
            .collect()
    }
}

/// What share of a frame's time more threads may leave to be worth the cores that they take from other frames.
const WORTH: f64 = 0.75;

/// The median time of a frame with each.
fn compare(one: &mut Detector, other: &mut Detector) -> Result<[Duration; 2], DetectError> {
    const ROUNDS: usize = 9;
    let mut times = [(); 2].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        // in turn, so that what else the machine does hits both alike
        times[0].push(time_one(one)?);
        times[1].push(time_one(other)?);
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    }))
}

/// How long a grey picture takes.
fn time_one(detector: &mut Detector) -> Result<Duration, DetectError> {
    static GREY: [u8; 3 * 640 * 480] = [114; 3 * 640 * 480];
    let started = Instant::now();
    if let Some(image) = BgrView::new(640, 480, 3 * 640, &GREY) {
        detector.detect(&image)?;
    }
    Ok(started.elapsed())
}
