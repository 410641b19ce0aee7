//! `~/label_info`: latched, and published again when the confidence threshold changes.

use r2r::PublisherUntyped;

use super::error::explained;
use shuffledet_core::Labels;
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::model::ClassIds;
use shuffledet_detector::sink::write_label_info;

pub const TOPIC: &str = "~/label_info";

/// The topic, which exists from `configure` to `cleanup`.
pub struct LabelInfoTopic {
    publisher: PublisherUntyped,
    labels: Labels,
    class_ids: ClassIds,
    /// The last published threshold.
    threshold: Option<f32>,
}

impl LabelInfoTopic {
    pub fn new(publisher: PublisherUntyped, labels: Labels, class_ids: ClassIds) -> Self {
        Self {
            publisher,
            labels,
            class_ids,
            threshold: None,
        }
    }

    /// Publishes the table with the lowest threshold of `settings`, unless that is already
    /// published.
    pub fn publish(&mut self, settings: &DetectorSettings) {
        let threshold = settings.least_threshold();
        if self.threshold == Some(threshold) {
            return;
        }
        let mut message = Vec::new();
        if let Err(error) = write_label_info(&self.labels, &self.class_ids, threshold, &mut message)
        {
            tracing::error!("cannot write {TOPIC}: {error}");
        } else if let Err(error) = explained(|| self.publisher.publish_raw(&message)) {
            tracing::error!("cannot publish {TOPIC}: {error}");
        } else {
            self.threshold = Some(threshold);
        }
    }
}
