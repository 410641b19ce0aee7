//! A loaded model with its parameters, from which detectors are created.

use std::sync::{Arc, Mutex};
use std::{io, thread};

use thiserror::Error;

use super::backends::ModelBackends;
use super::detect::classes::ClassSelection;
use super::detect::settings::SettingsError;
use super::detect::{
    DetectError, Detector, DetectorSettings, InputChoice, MultiScaleDetector, NetworkOpener, Scales,
};
use crate::classify::second_stage::SecondStagePlan;
use crate::classify::{Classifier, SecondStage, SecondStageError};
use crate::config::Config;
use crate::input_problems::InputProblems;
use crate::model::class_ids::ClassIdError;
use crate::model::{ClassIds, FileChanged, Model, ModelDescription, ModelError};
use crate::pipeline::{
    Annotate, CameraSettings, RuntimeSettings, ServedModel, SharedSettings, TrackingSettings,
    Worker,
};
use shuffledet_core::process_limits::{ProcessLimit, check_threads};
use shuffledet_core::{InputSize, Labels, Resolution};
use shuffledet_image::DecodeError;
use shuffledet_infer::runtime::RuntimeError;
use shuffledet_infer::{
    Backoff, InferError, ProviderStatuses, Runtime, SessionOptions, WhileBuilding,
};

/// A loaded model, checked against the parameters.
pub struct LoadedModel {
    pub config: Config,
    pub model: Arc<Model>,
    /// The names of the classes in results: those of the model, then the answers of a second stage.
    pub labels: Arc<Labels>,
    /// What frames say of the model.
    pub served: Arc<ServedModel>,
    pub runtime: Runtime,
    /// The state of the providers, over all detectors created here.
    pub provider_statuses: Arc<ProviderStatuses>,
    /// Also those of detectors created here.
    pub input_problems: InputProblems,
    choice: InputChoice,
    settings: DetectorSettings,
    second_stage: Option<LoadedSecondStage>,
}

/// The classifier that looks at boxes.
struct LoadedSecondStage {
    model: Model,
    plan: Arc<SecondStagePlan>,
}

/// Why no detector can be created.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("classifier.model: {0}")]
    ClassifierModel(ModelError),
    #[error(transparent)]
    SecondStage(#[from] SecondStageError),
    #[error("decoding: {0}")]
    Decoder(#[from] DecodeError),
    #[error(transparent)]
    ClassId(#[from] ClassIdError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
    #[error(transparent)]
    Session(#[from] InferError),
    #[error(
        "{model} cannot run at {resolution}, which is {scale} times its input size: {source}; name other scales, or detect at one"
    )]
    Scale {
        model: String,
        scale: f64,
        resolution: Resolution,
        source: Box<InferError>,
    },
    #[error(transparent)]
    Limit(#[from] ProcessLimit),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
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
        config.tracking.check(description)?;
        selection.log_absent(&description.name);
        let second_stage = second_stage(&config, description, &settings)?;
        let labels = Arc::new(match &second_stage {
            Some(loaded) => loaded.plan.labels.clone(),
            None => description.labels.clone(),
        });
        let served = ServedModel {
            number: 0,
            identity: model.identity(),
            class_ids: ClassIds::new(&labels, config.class_id)?,
            labels: Arc::clone(&labels),
            least_threshold: settings.least_threshold(),
        };
        let runtime = Runtime::load()?;
        // frames are processed in parallel: OpenCV threads within one frame would only compete with
        // them
        opencv::core::set_num_threads(1)?;
        let (choice, not_resized) = input_choice(&config, &model);
        Ok(Self {
            config,
            model: Arc::new(model),
            labels,
            served: Arc::new(served),
            runtime,
            provider_statuses: Arc::default(),
            input_problems: InputProblems::new(not_resized),
            choice,
            settings,
            second_stage,
        })
    }

    /// Gives the model the number `number` among those of a process; the first has 0.
    pub fn numbered(mut self, number: u64) -> Self {
        let served = ServedModel::clone(&self.served);
        self.served = Arc::new(ServedModel { number, ..served });
        self
    }

    /// Checks that the files of the model, and of that of the second stage, still have the content
    /// that was read.
    ///
    /// # Errors
    /// A file has another content, or is gone.
    pub fn check_files(&self) -> Result<(), FileChanged> {
        self.model.check_files()?;
        let second = self.second_stage.iter();
        second
            .map(|loaded| &loaded.model)
            .try_for_each(Model::check_files)
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

    /// Returns settings that process every frame of `cameras`, in their regions, at their JPEG scale
    /// and judged as they are.
    pub fn lossless_tuning(&self, cameras: Vec<CameraSettings>) -> SharedSettings {
        let every_frame = |camera: CameraSettings| CameraSettings {
            jpeg_scale: camera.jpeg_scale,
            limits: camera.limits,
            regions: camera.regions,
            sight: camera.sight,
            mounting: camera.mounting,
            ..CameraSettings::EVERY_FRAME
        };
        self.tuning(cameras.into_iter().map(every_frame).collect())
    }

    /// Returns the settings of tracking for a recording, whose frames are not published at the time
    /// of their stamps.
    fn replayed_tracking(&self) -> TrackingSettings {
        TrackingSettings {
            predict_to_publish: false,
            ..self.config.tracking.clone()
        }
    }

    /// Returns the rules of a live node for `cameras`.
    pub fn tuning(&self, cameras: Vec<CameraSettings>) -> SharedSettings {
        SharedSettings::new(RuntimeSettings {
            model: self.served.number,
            detector: self.settings.clone(),
            tracking: self.replayed_tracking(),
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
            model: self.served.number,
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

    /// Creates `count` detectors that find boxes from half of the lowest score threshold on.
    ///
    /// # Errors
    /// A session cannot be created.
    pub fn low_score_detectors(&self, count: usize) -> Result<Vec<Detector>, LoadError> {
        let settings = self
            .settings
            .with_score(self.settings.least_threshold() / 2.0);
        let opener = self.opener(&self.config.session, WhileBuilding::Wait);
        open_all(count, &opener, self.choice, &settings)
    }

    /// Creates `count` detectors that run the model at each of `scales` times its input sizes and
    /// take fused boxes from the score `least` on.
    ///
    /// # Errors
    /// The model cannot run at one of the sizes, or a session cannot be created.
    pub fn multi_scale_detectors(
        &self,
        count: usize,
        scales: &Scales,
        least: f32,
    ) -> Result<Vec<MultiScaleDetector>, LoadError> {
        let mut detectors: Vec<Vec<Detector>> = Vec::new();
        detectors.resize_with(count, Vec::new);
        for &scale in scales.as_slice() {
            let choice = self.choice.scaled(scale);
            let resolution = choice.base();
            if resolution != self.model.description.input.resolution()
                && let Some(source) = self.model.not_resized(resolution)
            {
                let model = self.model.description.name.clone();
                return Err(LoadError::Scale {
                    model,
                    scale,
                    resolution,
                    source: Box::new(source),
                });
            }
            let opener = self.opener(&self.config.session, WhileBuilding::Wait);
            let opened = open_all(count, &opener, choice, &self.settings.for_views())?;
            for (detectors, opened) in detectors.iter_mut().zip(opened) {
                detectors.push(opened);
            }
        }
        let settings = self.settings.with_score(least);
        let joined = |detectors| MultiScaleDetector::new(detectors, settings.clone());
        Ok(detectors.into_iter().map(joined).collect())
    }

    /// Creates a worker for each of `detectors`, with a second stage if the parameters have one.
    ///
    /// # Errors
    /// libjpeg-turbo fails, or no session of the classifier can be created.
    pub fn workers(
        &self,
        detectors: Vec<Detector>,
        tuning: &Arc<SharedSettings>,
        annotate: Annotate,
    ) -> Result<Vec<Worker>, LoadError> {
        let worker = |detector| self.worker(detector, tuning, annotate);
        detectors.into_iter().map(worker).collect()
    }

    pub(super) fn worker(
        &self,
        detector: Detector,
        tuning: &Arc<SharedSettings>,
        annotate: Annotate,
    ) -> Result<Worker, LoadError> {
        let labels = Arc::clone(&self.labels);
        let worker = Worker::new(detector, labels, Arc::clone(tuning), annotate)?;
        let worker = worker.with_model(Arc::clone(&self.served));
        Ok(worker.with_second_stage(self.second_stage()?))
    }

    /// Opens the second stage; `None` if the parameters have none.
    ///
    /// # Errors
    /// No session of the classifier can be created, or its output is not that of its description.
    pub fn second_stage(&self) -> Result<Option<SecondStage>, InferError> {
        let Some(loaded) = &self.second_stage else {
            return Ok(None);
        };
        let classifier = Classifier::open(&self.runtime, &loaded.model, &self.config.session)?;
        Ok(Some(SecondStage::new(classifier, Arc::clone(&loaded.plan))))
    }

    /// Returns the source of sessions for detectors that share their graphs.
    pub(super) fn opener(
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
        let opener = self.opener(options, while_building);
        open_all(count, &opener, self.choice, &self.settings)
    }
}

/// Creates `count` detectors in parallel.
fn open_all(
    count: usize,
    opener: &Arc<NetworkOpener>,
    choice: InputChoice,
    settings: &DetectorSettings,
) -> Result<Vec<Detector>, LoadError> {
    let open = || Detector::with_opener(opener, choice, settings.clone());
    // each thread's session starts further ones; together, they could get only some of theirs
    check_threads(count * opener.options.intra_op_threads.max(1))?;
    let made: io::Result<Vec<_>> = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, open);
        let threads: io::Result<Vec<_>> = (0..count).map(start).collect();
        Ok(threads?.into_iter().map(|thread| thread.join()).collect())
    });
    made.map_err(LoadError::Thread)?
        .into_iter()
        .map(|detector| match detector {
            Ok(made) => Ok(made?),
            Err(_) => Err(LoadError::Panicked),
        })
        .collect()
}

/// Loads the classifier of the second stage, if there is one, and plans its answers.
fn second_stage(
    config: &Config,
    detector: &ModelDescription,
    settings: &DetectorSettings,
) -> Result<Option<LoadedSecondStage>, LoadError> {
    let Some(stage) = &config.second_stage else {
        return Ok(None);
    };
    let model = Model::load_classifier(&stage.model).map_err(LoadError::ClassifierModel)?;
    let plan = SecondStagePlan::new(stage, detector, settings, &model.description)?;
    let plan = Arc::new(plan);
    Ok(Some(LoadedSecondStage { model, plan }))
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
