//! What decides a training, of a detector or of a classifier. It is stored with the run, so that a resumed run has the same.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shuffledet_core::whole_file;

use super::plan::Length;
use crate::augment::Augmentation;
use crate::net::Description;

/// Everything that a run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// As given: the folder or file of the data.
    pub data: PathBuf,
    pub images: Option<PathBuf>,
    /// Annotations or a list of file names, if the held-out part was named.
    pub val: Option<PathBuf>,
    pub val_share: f64,
    /// Boxes of a teacher.
    pub pseudo: Option<PathBuf>,
    /// A general data set that shows what the network forgets.
    pub keep: Option<PathBuf>,
    /// The weights to start from, as given.
    pub from: String,
    pub description: Description,
    pub length: Length,
    pub seed: u64,
    pub batch_size: usize,
    pub learning_rate: f64,
    pub backbone_learning_rate: f64,
    pub weight_decay: f64,
    /// The largest norm of all gradients together.
    pub clip: f64,
    pub frozen_backbone: bool,
    /// Whether norms use the batch's means and variances while training.
    pub batch_norms: bool,
    /// The share of the trained weights in the result; the rest is the start's.
    pub blend: f64,
    /// Evaluations without a better AP after which the run ends.
    pub patience: u32,
    /// Threads of libtorch; results depend on it.
    pub threads: i32,
    pub augmentation: Augmentation,
}

/// Everything that the training of a classifier was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierSettings {
    /// The folder that has a folder for each class.
    pub data: PathBuf,
    pub val_share: f64,
    /// The weights to start from, as given.
    pub from: String,
    pub length: Length,
    pub seed: u64,
    pub batch_size: usize,
    /// Of the head; the backbone has a tenth, because its weights know pictures already.
    pub learning_rate: f64,
    /// Threads of libtorch; results depend on it.
    pub threads: i32,
}

/// Reads the settings of a run.
///
/// # Errors
/// The file cannot be read, or has other settings.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: expected the settings of a run", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{}: not the settings of a run of this version",
            path.display()
        )
    })
}

/// Writes the settings of a run.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, settings: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(settings)?;
    whole_file::write(path, json).with_context(|| path.display().to_string())
}
