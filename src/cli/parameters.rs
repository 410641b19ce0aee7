//! The options that all commands with a detector share.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::{Config, ConfigError, tree};

#[derive(Debug, Args)]
pub struct ParameterArgs {
    /// Parameter file in the format of ROS 2
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    config: Option<PathBuf>,

    /// A model of `shuffledet models list`, or the path of an .onnx file with its description
    /// beside it
    #[arg(long, value_name = "NAME|PATH", help_heading = "Parameters")]
    model: Option<String>,

    /// Set a parameter, such as detector.score_threshold=0.4; overrides the file; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Parameters")]
    set: Vec<String>,
}

impl ParameterArgs {
    /// Reads and checks the parameters, then loads the model and ONNX Runtime.
    pub fn load(&self) -> anyhow::Result<LoadedModel> {
        Ok(LoadedModel::new(self.config()?)?)
    }

    /// Does the same as [`ParameterArgs::load`] with more `KEY=VALUE`, which override the others.
    pub fn load_with(&self, more: impl IntoIterator<Item = String>) -> anyhow::Result<LoadedModel> {
        let set: Vec<String> = self.set.iter().cloned().chain(more).collect();
        let config = Config::load(self.config.as_deref(), self.model.as_deref(), &set)?;
        Ok(LoadedModel::new(config)?)
    }

    /// Does the same as [`ParameterArgs::load_with`] with another model.
    pub fn load_other(
        &self,
        model: &str,
        more: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<LoadedModel> {
        let set: Vec<String> = self.set.iter().cloned().chain(more).collect();
        let config = Config::load(self.config.as_deref(), Some(model), &set)?;
        Ok(LoadedModel::new(config)?)
    }

    /// Reads and checks only the parameters.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), self.model.as_deref(), &self.set)
    }

    /// Loads the parameters for measuring accuracy, which needs detections with low scores. The
    /// thresholds of the file are ignored: `score_threshold` or `--set` decides, else 0.001, and
    /// 100 detections per image.
    pub fn load_for_accuracy(
        &self,
        score_threshold: Option<f64>,
        max_detections: Option<usize>,
    ) -> anyhow::Result<LoadedModel> {
        let (file, model) = (self.config.as_deref(), self.model.as_deref());
        // reports an error with its origin
        Config::load(file, model, &self.set)?;
        let mut tree = Config::load(file, model, &[])?.to_tree();
        tree["detector"]["class_score_thresholds"] = json!({});
        let defaults = json!({ "detector": { "score_threshold": 0.001, "max_detections": 100 } });
        tree::merge(&mut tree, defaults);
        for assignment in &self.set {
            tree::merge(&mut tree, tree::from_assignment(assignment)?);
        }
        let mut origin = "--set";
        if let Some(score) = score_threshold {
            origin = "--score-threshold";
            tree["detector"]["score_threshold"] = score.into();
        }
        if let Some(most) = max_detections {
            origin = "--max-detections";
            tree["detector"]["max_detections"] = most.into();
        }
        Ok(LoadedModel::new(Config::from_tree(tree, origin)?)?)
    }
}
