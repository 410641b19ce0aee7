//! A model with the parameters that it runs under: everything that is needed to make detectors.

use std::sync::Arc;
use std::thread;

use thiserror::Error;

use super::settings::UnknownClass;
use super::{Detector, DetectorSettings};
use crate::config::Config;
use crate::infer::runtime::RuntimeError;
use crate::infer::{InferError, Runtime};
use crate::model::{Labels, Model, ModelError};
use crate::pipeline::{CameraTuning, Tuned, Tuning};

/// A model that is loaded and checked against the parameters.
pub struct Loaded {
    pub config: Config,
    pub model: Model,
    pub labels: Arc<Labels>,
    pub runtime: Runtime,
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
            settings,
        })
    }

    /// What becomes a detection, as the parameters and the model say.
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
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

    /// One detector.
    pub fn detector(&self) -> Result<Detector, InferError> {
        let options = &self.config.session;
        Detector::new(&self.runtime, &self.model, options, self.settings.clone())
    }

    /// `count` detectors, each with a session of its own. They are made in parallel: optimising the graph
    /// takes most of a start.
    pub fn detectors(&self, count: usize) -> Result<Vec<Detector>, LoadError> {
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.detector()))
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
