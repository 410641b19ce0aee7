//! The selection of detections from a model's boxes.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::model::ModelDescription;
use shuffledet_core::Labels;

/// The thresholds by class, ready for the hot path.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSettings {
    /// By class id; infinite for a class that is not selected.
    thresholds: Vec<f32>,
    least: f32,
    /// The IoU in [0, 1] above which two boxes of the same class count as one object.
    pub nms_iou_threshold: f32,
    /// The maximum number of detections per image.
    pub max_detections: usize,
    /// Whether to clip boxes to the image, as in published results. The authors of some models
    /// evaluate without clipping.
    pub clip: bool,
}

/// The parameters under `detector`, as far as they are given.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// In [0, 1]; `None`: the model's threshold.
    pub score: Option<f32>,
    /// In [0, 1]; `None`: the model's threshold.
    pub nms_iou: Option<f32>,
    pub max_detections: usize,
    /// Names of the selected classes; empty: all.
    pub classes: Vec<String>,
    /// By class name; replaces `score`.
    pub class_score_thresholds: BTreeMap<String, f32>,
}

impl Default for Thresholds {
    /// Returns the model's thresholds for every class.
    fn default() -> Self {
        Self {
            score: None,
            nms_iou: None,
            max_detections: 100,
            classes: Vec::new(),
            class_score_thresholds: BTreeMap::new(),
        }
    }
}

/// A parameter names a class that the model does not have.
#[derive(Debug, Error)]
#[error("{key}: {model} has no class {class:?}; it has: {known}")]
pub struct UnknownClass {
    key: &'static str,
    model: String,
    class: String,
    known: String,
}

impl DetectorSettings {
    /// Combines the parameters with the model's own values for those not given.
    pub fn new(parameters: &Thresholds, model: &ModelDescription) -> Result<Self, UnknownClass> {
        let labels = &model.labels;
        let class_id = |key, class: &String| {
            labels.class_id(class).ok_or_else(|| UnknownClass {
                key,
                model: model.name.clone(),
                class: class.clone(),
                known: known(labels),
            })
        };
        let score = parameters.score.unwrap_or(model.score_threshold);
        let mut thresholds = vec![score; labels.count()];
        for (class, &score) in &parameters.class_score_thresholds {
            thresholds[class_id("detector.class_score_thresholds", class)?] = score;
        }
        if !parameters.classes.is_empty() {
            let mut wanted = vec![false; labels.count()];
            for class in &parameters.classes {
                wanted[class_id("detector.classes", class)?] = true;
            }
            for (threshold, wanted) in thresholds.iter_mut().zip(wanted) {
                if !wanted {
                    *threshold = f32::INFINITY;
                }
            }
        }
        Ok(Self {
            least: thresholds.iter().copied().fold(f32::INFINITY, f32::min),
            thresholds,
            nms_iou_threshold: parameters.nms_iou.unwrap_or(model.nms_iou_threshold),
            max_detections: parameters.max_detections,
            clip: true,
        })
    }

    /// Returns the score that a detection of the class must exceed.
    pub fn threshold(&self, class_id: usize) -> f32 {
        self.thresholds[class_id]
    }

    /// Returns the lowest threshold of all classes.
    pub fn least_threshold(&self) -> f32 {
        self.least
    }
}

fn known(labels: &Labels) -> String {
    labels.names().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Manifest;

    fn settings(change: impl Fn(&mut Thresholds)) -> Result<DetectorSettings, UnknownClass> {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap();
        let (classes, class_score_thresholds) = (Vec::new(), BTreeMap::new());
        let mut thresholds = Thresholds {
            score: None,
            nms_iou: None,
            max_detections: 100,
            classes,
            class_score_thresholds,
        };
        change(&mut thresholds);
        DetectorSettings::new(&thresholds, &model)
    }

    #[test]
    fn the_models_own_thresholds_serve_where_none_is_given() {
        let own = settings(|_| ()).unwrap();
        assert_eq!((own.threshold(2), own.nms_iou_threshold), (0.3, 0.6));
        assert_eq!(settings(|t| t.score = Some(0.7)).unwrap().threshold(2), 0.7);
    }

    #[test]
    fn an_unwanted_class_is_never_detected() {
        let cars = settings(|t| {
            t.classes = vec!["car".into(), "bus".into()];
            t.class_score_thresholds = [("car".to_owned(), 0.5), ("dog".to_owned(), 0.1)].into();
        })
        .unwrap();
        assert_eq!(cars.threshold(2), 0.5);
        assert_eq!(cars.threshold(5), 0.3);
        assert_eq!(cars.threshold(16), f32::INFINITY);
        assert_eq!(cars.least_threshold(), 0.3);
    }

    #[test]
    fn a_class_that_the_model_lacks_is_named() {
        let error = settings(|t| t.classes = vec!["tram".into()])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("detector.classes") && error.contains("\"tram\""),
            "{error}"
        );
    }
}
