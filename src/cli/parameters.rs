//! The options that every command with a detector has, and the detectors that come of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use clap::Args;

use crate::config::Config;
use crate::detect::{Detector, DetectorSettings};
use crate::infer::Runtime;
use crate::model::{Labels, Model};
use crate::pipeline::{CameraTuning, Tuned, Tuning};

#[derive(Debug, Args)]
pub struct ParameterArgs {
    /// Parameters, in the form of a ROS 2 parameter file
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    config: Option<PathBuf>,

    /// A model of `shuffledet models list`, or the path of an .onnx file with its description beside it
    #[arg(long, value_name = "NAME|PATH", help_heading = "Parameters")]
    model: Option<String>,

    /// One parameter, as detector.score_threshold=0.4; wins over the file, may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Parameters")]
    set: Vec<String>,
}

/// A model that is loaded and checked, with everything that is needed to make detectors of it.
pub struct Loaded {
    pub config: Config,
    pub model: Model,
    pub labels: Arc<Labels>,
    pub runtime: Runtime,
    settings: DetectorSettings,
}

impl ParameterArgs {
    /// Reads and checks the parameters, then loads the model and ONNX Runtime.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        let config = Config::load(self.config.as_deref(), self.model.as_deref(), &self.set)?;
        let model = Model::load(&config.model)?;
        let settings = DetectorSettings::new(&config.thresholds, &model.description)?;
        let runtime = Runtime::load()?;
        // whole frames are worked on in parallel: threads within an operation on pixels only get in their way
        opencv::core::set_num_threads(1).context("OpenCV")?;
        let labels = Arc::new(model.description.labels.clone());
        Ok(Loaded {
            config,
            model,
            labels,
            runtime,
            settings,
        })
    }
}

impl Loaded {
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

    /// One detector.
    pub fn detector(&self) -> anyhow::Result<Detector> {
        let options = &self.config.session;
        Ok(Detector::new(
            &self.runtime,
            &self.model,
            options,
            self.settings.clone(),
        )?)
    }

    /// `count` detectors, each with a session of its own. They are made in parallel: optimising the graph
    /// takes most of a start.
    pub fn detectors(&self, count: usize) -> anyhow::Result<Vec<Detector>> {
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.detector()))
                .collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        made.into_iter()
            .map(|detector| match detector {
                Ok(made) => made,
                Err(_) => anyhow::bail!("loading the model panicked; please report it"),
            })
            .collect()
    }
}
