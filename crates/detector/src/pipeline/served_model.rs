//! The model of a frame, which a live node may change between two frames.

use std::sync::Arc;

use crate::model::ClassIds;
use shuffledet_core::{Labels, ModelIdentity};

/// A model in service. Each frame is of one model as a whole: its boxes, their labels and the
/// settings that selected them.
#[derive(Debug, Clone)]
pub struct ServedModel {
    /// Counts the models of a process, from 0.
    pub number: u64,
    pub identity: ModelIdentity,
    /// The names of the classes in results: those of the model, then the answers of a second stage.
    pub labels: Arc<Labels>,
    /// The identifiers of the classes in messages.
    pub class_ids: ClassIds,
    /// The lowest score of a detection when the model was loaded.
    pub least_threshold: f32,
}
