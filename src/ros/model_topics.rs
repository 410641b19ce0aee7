//! The latched topics that describe the model: `~/label_info`, published again when the confidence
//! threshold changes, and `~/vision_info`. Both are published before the first frame of a model.

use std::sync::Arc;

use r2r::PublisherUntyped;

use super::error::explained;
use shuffledet_detector::pipeline::{RuntimeSettings, ServedModel};
use shuffledet_detector::sink::write_label_info;
use shuffledet_msg::{CdrError, HeaderView, VisionInfo};

pub const LABEL_INFO: &str = "~/label_info";
pub const VISION_INFO: &str = "~/vision_info";

/// The topics, which exist from `configure` to `cleanup`.
pub struct ModelTopics {
    label_info: PublisherUntyped,
    vision_info: PublisherUntyped,
    /// The model that was published last.
    model: Option<Arc<ServedModel>>,
    /// The threshold that was published last.
    threshold: Option<f32>,
}

impl ModelTopics {
    pub fn new(label_info: PublisherUntyped, vision_info: PublisherUntyped) -> Self {
        Self {
            label_info,
            vision_info,
            model: None,
            threshold: None,
        }
    }

    /// Publishes `model`, and its classes with the lowest threshold of `settings`, unless that is
    /// already published. Settings of another model are left aside.
    pub fn announce(&mut self, model: &Arc<ServedModel>, settings: &RuntimeSettings) {
        let is_new = self.model.as_ref().map(|model| model.number) != Some(model.number);
        if is_new {
            publish(&self.vision_info, VISION_INFO, |out| {
                write_vision_info(model, out)
            });
            self.model = Some(Arc::clone(model));
        }
        let threshold = match settings.model == model.number {
            true => settings.detector.least_threshold(),
            false => model.least_threshold,
        };
        if is_new || self.threshold != Some(threshold) {
            let is_published = publish(&self.label_info, LABEL_INFO, |out| {
                write_label_info(&model.labels, &model.class_ids, threshold, out)
            });
            self.threshold = is_published.then_some(threshold);
        }
    }

    /// Publishes the classes again if their threshold has changed.
    pub fn follow(&mut self, settings: &RuntimeSettings) {
        if let Some(model) = self.model.clone()
            && model.number == settings.model
        {
            self.announce(&model, settings);
        }
    }
}

/// Fills `out` with the `vision_msgs/msg/VisionInfo` of `model` in CDR.
fn write_vision_info(model: &ServedModel, out: &mut Vec<u8>) -> Result<(), CdrError> {
    let identity = &model.identity;
    let mut location = format!("sha256:{}?family={}", identity.sha256, identity.family);
    if let Some(size) = identity.trained_at {
        location.push_str(&format!("&trained_at={size}"));
    }
    VisionInfo {
        header: HeaderView::default(),
        method: &identity.name,
        database_location: &location,
        database_version: i32::try_from(model.number).unwrap_or(i32::MAX),
    }
    .write(out)
}

/// Returns whether the message was published. The log says why not.
fn publish(
    publisher: &PublisherUntyped,
    topic: &str,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), CdrError>,
) -> bool {
    let mut message = Vec::new();
    if let Err(error) = write(&mut message) {
        tracing::error!("cannot write {topic}: {error}");
        return false;
    }
    if let Err(error) = explained(|| publisher.publish_raw(&message)) {
        tracing::error!("cannot publish {topic}: {error}");
        return false;
    }
    true
}
