//! A loaded model with its parameters, from which detectors are created.

use std::sync::{Arc, Mutex};
use std::thread;

use thiserror::Error;

use super::backends::ModelBackends;
use super::detect::classes::ClassSelection;
use super::detect::settings::SettingsError;
use super::detect::{DetectError, Detector, DetectorSettings, InputChoice, NetworkOpener};
use crate::config::Config;
use crate::input_problems::InputProblems;
use crate::model::class_ids::ClassIdError;
use crate::model::{ClassIds, Model, ModelError};
use crate::pipeline::{CameraSettings, RuntimeSettings, SharedSettings};
use shuffledet_core::{InputSize, Labels};
use shuffledet_infer::runtime::RuntimeError;
use shuffledet_infer::{
    Backoff, InferError, ProviderStatuses, Runtime, SessionOptions, WhileBuilding,
};

/// A loaded model, checked against the parameters.
pub struct LoadedModel {
    pub config: Config,
    pub model: Arc<Model>,
    pub labels: Arc<Labels>,
    /// The identifiers of the classes in messages.
    pub class_ids: ClassIds,
    pub runtime: Runtime,
    /// The state of the providers, over all detectors created here.
    pub provider_statuses: Arc<ProviderStatuses>,
    /// Also those of detectors created here.
    pub input_problems: InputProblems,
    choice: InputChoice,
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
        let description = &model.description;
        let selection = ClassSelection::new(&config.thresholds.classes, description)?;
        let settings = DetectorSettings::for_classes(&config.thresholds, &selection, description)?;
        selection.log_absent(&description.name);
        let class_ids = ClassIds::new(&description.labels, config.class_id)?;
        let runtime = Runtime::load()?;
        // frames are processed in parallel: OpenCV threads within one frame would only compete with
        // them
        opencv::core::set_num_threads(1)?;
        let labels = Arc::new(model.description.labels.clone());
        let (choice, not_resized) = input_choice(&config, &model);
        Ok(Self {
            config,
            model: Arc::new(model),
            labels,
            class_ids,
            runtime,
            provider_statuses: Arc::default(),
            input_problems: InputProblems::new(not_resized),
            choice,
            settings,
        })
    }

    /// Returns the rule by which detectors choose the resolution of their input.
    pub fn choice(&self) -> InputChoice {
        self.choice
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
    /// `input.jpeg_scale` and in `input.regions`.
    pub fn lossless_tuning(&self, cameras: usize) -> SharedSettings {
        let every_frame = CameraSettings {
            jpeg_scale: self.config.input.jpeg_scale,
            regions: self.config.input.regions,
            ..CameraSettings::EVERY_FRAME
        };
        let cameras = vec![every_frame; cameras];
        SharedSettings::new(RuntimeSettings {
            detector: self.settings.clone(),
            tracking: self.config.tracking.clone(),
            cameras,
        })
    }

    /// Returns the rules of a live node for `cameras` cameras with equal settings.
    pub fn tuning(&self, cameras: usize) -> SharedSettings {
        let cameras = vec![self.config.input; cameras];
        SharedSettings::new(RuntimeSettings {
            detector: self.settings.clone(),
            tracking: self.config.tracking.clone(),
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
            tracking: self.config.tracking.clone(),
            cameras,
        }
    }

    /// Creates one detector on the best provider, however long its session takes.
    pub fn detector(&self) -> Result<Detector, InferError> {
        let opener = self.opener(&self.config.session, WhileBuilding::Wait);
        Detector::with_opener(&opener, self.choice, self.settings.clone())
    }

    /// Creates `count` detectors with their own sessions, in parallel: optimising the graph takes
    /// most of a start. All of them use the same provider unless it fails.
    pub fn detectors(&self, count: usize) -> Result<Vec<Detector>, LoadError> {
        self.open_many(count, &self.config.session, WhileBuilding::Wait)
    }

    /// Returns the source of sessions for detectors that share their graphs.
    fn opener(
        &self,
        options: &SessionOptions,
        while_building: WhileBuilding,
    ) -> Arc<NetworkOpener> {
        let backends = ModelBackends::new(&self.runtime, &self.model, options);
        Arc::new(NetworkOpener {
            backends: Arc::new(backends),
            description: self.model.description.clone(),
            model: self.model.path.display().to_string(),
            options: options.clone(),
            while_building,
            backoff: Backoff::default(),
            provider_statuses: Arc::clone(&self.provider_statuses),
            refused: Arc::clone(&self.input_problems.refused),
            background: Mutex::default(),
        })
    }

    pub(super) fn open_many(
        &self,
        count: usize,
        options: &SessionOptions,
        while_building: WhileBuilding,
    ) -> Result<Vec<Detector>, LoadError> {
        let opener = &self.opener(options, while_building);
        let open = || Detector::with_opener(opener, self.choice, self.settings.clone());
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(open)).collect();
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

/// Returns how the parameters and the model choose the resolution of the input, and why the model
/// runs only at its own if they ask for another.
fn input_choice(config: &Config, model: &Model) -> (InputChoice, Option<String>) {
    let input = &model.description.input;
    let native = input.resolution();
    let mut choice = InputChoice {
        size: config.input_size,
        native,
        resize: input.resize,
        budget: config
            .input_budget
            .unwrap_or(model.description.input_budget),
    };
    let is_native = choice.size == InputSize::Native || choice.size == InputSize::Fixed(native);
    let refused = (!is_native).then(|| model.not_resized(choice.base()));
    let not_resized = refused.flatten().map(|error| error.to_string());
    if let Some(reason) = &not_resized {
        choice.size = InputSize::Native;
        let wanted = config.input_size;
        let line = format!("model.input_size {wanted}: the model runs at {native}: {reason}");
        if wanted == InputSize::Auto {
            tracing::info!("{line}");
        } else {
            tracing::warn!("{line}");
        }
    }
    (choice, not_resized)
}
