//! The options that every command with a detector has, and the detectors that come of them.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, ConfigError};
use crate::detect::Loaded;

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

impl ParameterArgs {
    /// Reads and checks the parameters, then loads the model and ONNX Runtime.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        Ok(Loaded::new(self.config()?)?)
    }

    /// Reads and checks the parameters alone.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), self.model.as_deref(), &self.set)
    }
}
