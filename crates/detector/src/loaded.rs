//! A model with the parameters that it runs under: everything that is needed to make detectors.

use std::sync::Arc;
use std::thread;

use thiserror::Error;

use super::detect::settings::UnknownClass;
use super::detect::{DetectError, Detector, DetectorSettings};
use crate::config::Config;
use crate::model::class_ids::ClassIdError;
use crate::model::{ClassIds, Model, ModelError, OutputDecoder};
use crate::pipeline::{CameraTuning, Tuned, Tuning};
use shuffledet_core::Labels;
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::runtime::RuntimeError;
use shuffledet_infer::{
    Backend, Backoff, InferError, Opening, OrtBackend, Patience, Runtime, SessionOptions, Standing,
};

/// A model that is loaded and checked against the parameters.
pub struct Loaded {
    pub config: Config,
    pub model: Model,
    pub labels: Arc<Labels>,
    /// What stands for a class in messages.
    pub class_ids: ClassIds,
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
    ClassId(#[from] ClassIdError),
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
        let class_ids = ClassIds::new(&model.description.labels, config.class_id)?;
        let runtime = Runtime::load()?;
        // whole frames are worked on in parallel: threads within an operation on pixels only get in their way
        opencv::core::set_num_threads(1)?;
        let labels = Arc::new(model.description.labels.clone());
        Ok(Self {
            config,
            model,
            labels,
            class_ids,
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

    /// Settings under which every frame of `cameras` cameras is worked on, as large as `input.jpeg_scale` says.
    pub fn lossless_tuning(&self, cameras: usize) -> Tuning {
        let every_frame = CameraTuning {
            jpeg_scale: self.config.input.jpeg_scale,
            ..CameraTuning::EVERY_FRAME
        };
        let cameras = vec![every_frame; cameras];
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

    /// What makes the sessions. Whatever is wrong with the model's file is found here.
    fn backend(&self, options: &SessionOptions) -> Result<Arc<dyn Backend>, InferError> {
        let profiled = Profiled::Accelerated;
        let backend = OrtBackend::new(&self.runtime, self.model.file(), options, profiled)?;
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
            input: &self.model.description.input,
            options,
            patience,
            backoff: Backoff::default(),
            standing: Arc::clone(&self.standing),
        };
        let (description, settings) = (&self.model.description, self.settings.clone());
        let opened = opening.open(|shapes| OutputDecoder::for_model(description, shapes))?;
        Ok(Detector::with_session(opened, description, settings))
    }

    pub(super) fn open_many(
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
