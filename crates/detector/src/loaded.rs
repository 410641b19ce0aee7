//! A loaded model with its parameters, from which detectors are created.

use std::sync::Arc;
use std::thread;

use thiserror::Error;

use super::detect::classes::ClassSelection;
use super::detect::settings::SettingsError;
use super::detect::{DetectError, Detector, DetectorSettings};
use crate::config::Config;
use crate::model::class_ids::ClassIdError;
use crate::model::{ClassIds, Model, ModelError, OutputDecoder};
use crate::pipeline::{CameraSettings, RuntimeSettings, SharedSettings};
use shuffledet_core::Labels;
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::runtime::RuntimeError;
use shuffledet_infer::{
    Backend, Backoff, InferError, Opening, OrtBackend, ProviderStatuses, Runtime, SessionOptions,
    WhileBuilding,
};

/// A loaded model, checked against the parameters.
pub struct LoadedModel {
    pub config: Config,
    pub model: Model,
    pub labels: Arc<Labels>,
    /// The identifiers of the classes in messages.
    pub class_ids: ClassIds,
    pub runtime: Runtime,
    /// The state of the providers, over all detectors created here.
    pub provider_statuses: Arc<ProviderStatuses>,
    settings: DetectorSettings,
}

/// Why no detector can be created.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    ClassId(#[from] ClassIdError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
    #[error(transparent)]
    Session(#[from] InferError),
    #[error("the test run of the model failed: {0}")]
    Trial(#[from] DetectError),
    #[error("loading the model panicked; this is a bug in shuffledet, please report it")]
    Panicked,
}

impl LoadedModel {
    /// Loads the model and ONNX Runtime for `config`. Sessions are created with the detectors.
    pub fn new(config: Config) -> Result<Self, LoadError> {
        let model = Model::load(&config.model)?;
        let settings = DetectorSettings::new(&config.thresholds, &model.description)?;
        let description = &model.description;
        ClassSelection::new(&config.thresholds.classes, description)?.log_absent(&description.name);
        let class_ids = ClassIds::new(&model.description.labels, config.class_id)?;
        let runtime = Runtime::load()?;
        // frames are processed in parallel: OpenCV threads within one frame would only compete with
        // them
        opencv::core::set_num_threads(1)?;
        let labels = Arc::new(model.description.labels.clone());
        Ok(Self {
            config,
            model,
            labels,
            class_ids,
            runtime,
            provider_statuses: Arc::default(),
            settings,
        })
    }

    /// Returns the detection settings from the parameters and the model.
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
    }

    /// Disables clipping of boxes to the image in detectors and tunings created from now on.
    pub fn leave_unclipped(&mut self) {
        self.settings.clip = false;
    }

    /// Returns settings that process every frame of `cameras` cameras, at the scale of
    /// `input.jpeg_scale`.
    pub fn lossless_tuning(&self, cameras: usize) -> SharedSettings {
        let every_frame = CameraSettings {
            jpeg_scale: self.config.input.jpeg_scale,
            ..CameraSettings::EVERY_FRAME
        };
        let cameras = vec![every_frame; cameras];
        SharedSettings::new(RuntimeSettings {
            detector: self.settings.clone(),
            cameras,
        })
    }

    /// Returns the rules of a live node for `cameras` cameras with equal settings.
    pub fn tuning(&self, cameras: usize) -> SharedSettings {
        let cameras = vec![self.config.input; cameras];
        SharedSettings::new(RuntimeSettings {
            detector: self.settings.clone(),
            cameras,
        })
    }

    /// Returns the settings of the live node's cameras.
    pub fn live_tuning(&self) -> RuntimeSettings {
        let cameras = self
            .config
            .cameras
            .iter()
            .map(|camera| camera.tuning)
            .collect();
        RuntimeSettings {
            detector: self.settings.clone(),
            cameras,
        }
    }

    /// Creates one detector on the best provider, however long its session takes.
    pub fn detector(&self) -> Result<Detector, InferError> {
        let options = &self.config.session;
        self.open(&self.backend(options)?, options, WhileBuilding::Wait)
    }

    /// Creates `count` detectors with their own sessions, in parallel: optimising the graph takes
    /// most of a start. All of them use the same provider unless it fails.
    pub fn detectors(&self, count: usize) -> Result<Vec<Detector>, LoadError> {
        self.open_many(count, &self.config.session, WhileBuilding::Wait)
    }

    /// Returns the factory of sessions. Reports any problem of the model's file.
    fn backend(&self, options: &SessionOptions) -> Result<Arc<dyn Backend>, InferError> {
        let profiled = Profiled::Accelerated;
        let backend = OrtBackend::new(&self.runtime, self.model.file(), options, profiled)?;
        Ok(Arc::new(backend))
    }

    fn open(
        &self,
        backend: &Arc<dyn Backend>,
        options: &SessionOptions,
        while_building: WhileBuilding,
    ) -> Result<Detector, InferError> {
        let opening = Opening {
            backend: Arc::clone(backend),
            model: &self.model.path.display().to_string(),
            input: &self.model.description.input,
            options,
            while_building,
            backoff: Backoff::default(),
            provider_statuses: Arc::clone(&self.provider_statuses),
        };
        let (description, settings) = (&self.model.description, self.settings.clone());
        let opened = opening.open(|shapes| OutputDecoder::for_model(description, shapes))?;
        Ok(Detector::with_session(opened, description, settings))
    }

    pub(super) fn open_many(
        &self,
        count: usize,
        options: &SessionOptions,
        while_building: WhileBuilding,
    ) -> Result<Vec<Detector>, LoadError> {
        let backend = &self.backend(options)?;
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.open(backend, options, while_building)))
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
