//! The second stage: a classifier looks at the boxes of some classes, and its answer becomes a
//! further hypothesis of the detection, such as `traffic light:red`.

use std::sync::Arc;

use thiserror::Error;

use super::{Classifier, crop};
use crate::detect::{DetectError, DetectorSettings};
use crate::model::ModelDescription;
use shuffledet_core::labels::{Label, LabelsError};
use shuffledet_core::{Detection, Hypothesis, Labels};
use shuffledet_image::Pixels;

/// The parameters under `classifier`, if there is a second stage.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondStageConfig {
    /// The name of a classifier in the manifest, or the path of an ONNX file.
    pub model: String,
    /// Names of the detector's classes whose boxes are classified; not empty.
    pub classes: Vec<String>,
    /// The part of a box's width and height that is added on each side.
    pub margin: f32,
    /// The maximum number of boxes of an image that are classified.
    pub max_boxes: usize,
}

/// What the second stage classifies, and the names of its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondStagePlan {
    /// The detector's classes, then each classified class with each answer: `traffic light:red`.
    pub labels: Labels,
    /// By class of the detector: the position in `labels` of its first answer; `None` if its boxes
    /// are not classified.
    first_answers: Vec<Option<u32>>,
    margin: f32,
    max_boxes: usize,
}

/// Why a classifier does not fit the detector.
#[derive(Debug, Error)]
pub enum SecondStageError {
    #[error("classifier.classes: {detector} has no class {class:?}; it has: {known}")]
    UnknownClass {
        detector: String,
        class: String,
        known: String,
    },
    #[error("classifier.classes: class {class:?} is named twice; name it once")]
    Twice { class: String },
    #[error(
        "classifier.classes: detector.classes leaves out {class:?}, so that no box of it is found; add it there or remove it here"
    )]
    NotDetected { class: String },
    #[error(
        "classifier.model: {model} has {found} answers for the classes of classifier.classes, the maximum is {most}; name fewer classes"
    )]
    TooManyAnswers {
        model: String,
        found: usize,
        most: usize,
    },
    #[error(
        "classifier.model: the names of {model}'s answers: {source}; rename them in its description"
    )]
    Labels { model: String, source: LabelsError },
}

/// The maximum number of answers: as many as `LabelInfo` can number.
const MOST_ANSWERS: usize = 65_535;

impl SecondStagePlan {
    /// Plans the second stage of `detector`, which detects by `settings`, with the classifier
    /// `classifier`.
    ///
    /// # Errors
    /// A class is unknown, named twice or not detected, or the answers cannot be named.
    pub fn new(
        config: &SecondStageConfig,
        detector: &ModelDescription,
        settings: &DetectorSettings,
        classifier: &ModelDescription,
    ) -> Result<Self, SecondStageError> {
        let own = &detector.labels;
        let found = own.count() + config.classes.len() * classifier.labels.count();
        if found > MOST_ANSWERS {
            return Err(SecondStageError::TooManyAnswers {
                model: classifier.name.clone(),
                found,
                most: MOST_ANSWERS,
            });
        }
        let label = |class_id| Label {
            name: own.name(class_id).to_owned(),
            category_id: own.category_id(class_id),
        };
        let mut labels: Vec<Label> = (0..own.count()).map(label).collect();
        let last = labels.iter().map(|label| label.category_id).max();
        let mut category_id = last.unwrap_or(0);
        let mut first_answers = vec![None; own.count()];
        for class in &config.classes {
            let class_id = own.class_id(class);
            let class_id = class_id.ok_or_else(|| SecondStageError::UnknownClass {
                detector: detector.name.clone(),
                class: class.clone(),
                known: own.names().collect::<Vec<_>>().join(", "),
            })?;
            let class = own.name(class_id).to_owned();
            if !settings.selects(class_id) {
                return Err(SecondStageError::NotDetected { class });
            }
            // the number of labels is bounded above
            let first = u32::try_from(labels.len()).unwrap_or(u32::MAX);
            if first_answers[class_id].replace(first).is_some() {
                return Err(SecondStageError::Twice { class });
            }
            for answer in classifier.labels.names() {
                category_id = category_id.saturating_add(1);
                let name = format!("{class}:{answer}");
                labels.push(Label { name, category_id });
            }
        }
        let labels = Labels::new(labels).map_err(|source| SecondStageError::Labels {
            model: classifier.name.clone(),
            source,
        })?;
        Ok(Self {
            labels,
            first_answers,
            margin: config.margin,
            max_boxes: config.max_boxes,
        })
    }

    /// Returns the id of the first answer for a box of the class; `None` if it is not classified.
    fn first_answer(&self, class_id: usize) -> Option<u32> {
        self.first_answers.get(class_id).copied().flatten()
    }
}

/// Classifies the boxes of one image after another.
pub struct SecondStage {
    classifier: Classifier,
    plan: Arc<SecondStagePlan>,
}

impl SecondStage {
    pub fn new(classifier: Classifier, plan: Arc<SecondStagePlan>) -> Self {
        Self { classifier, plan }
    }

    /// Lets the session change its provider. Call it before each image.
    pub fn between_frames(&mut self) {
        self.classifier.between_frames();
    }

    /// Classifies the boxes of `detections`, which are in pixels of `image`, the best first and at
    /// most as many as the parameters say. Adds to each the most probable answer as a further
    /// hypothesis, with the detection's score times the answer's probability.
    ///
    /// # Errors
    /// The classifier fails on one of the boxes.
    pub fn classify(
        &mut self,
        image: &Pixels<'_>,
        detections: &mut [Detection],
    ) -> Result<(), DetectError> {
        let plan = &self.plan;
        let classified = detections.iter_mut().filter_map(|detection| {
            let first = plan.first_answer(detection.class_id)?;
            Some((first, detection))
        });
        for (first, detection) in classified.take(plan.max_boxes) {
            let part = crop::around(detection.bbox, plan.margin, image.size());
            let answer = self.classifier.best(crop::cut(image, part)?)?;
            // an answer's id is below the number of labels, which is bounded
            let class_id = first.saturating_add(answer.class_id as u32);
            let score = detection.score * answer.probability;
            detection.insert_hypothesis(Hypothesis { class_id, score });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::detect::settings::Thresholds;
    use crate::model::Manifest;

    fn classifier(labels: &str) -> ModelDescription {
        let yaml = format!(
            "family: classifier\nlabels: {labels}\n\
            input: {{width: 64, height: 64, colour: rgb, resize: stretch, mean: [0, 0, 0], std: [1, 1, 1]}}\n"
        );
        let manifest = Manifest::shipped().unwrap();
        manifest
            .describe_sidecar(&yaml, Path::new("lights.yaml"))
            .unwrap()
    }

    fn plan(classes: &[&str], detected: &[&str], labels: &str) -> Result<SecondStagePlan, String> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let manifest = Manifest::shipped().unwrap();
        let detector = manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap();
        let thresholds = Thresholds {
            classes: names(detected),
            ..Thresholds::default()
        };
        let settings = DetectorSettings::new(&thresholds, &detector).unwrap();
        let config = SecondStageConfig {
            model: "lights.onnx".to_owned(),
            classes: names(classes),
            margin: 0.1,
            max_boxes: 16,
        };
        let plan = SecondStagePlan::new(&config, &detector, &settings, &classifier(labels));
        plan.map_err(|error| error.to_string())
    }

    #[test]
    fn answers_have_names_after_those_of_the_detector() {
        let plan = plan(&["traffic light", "car"], &[], "[red, green]").unwrap();
        let names: Vec<_> = plan.labels.names().skip(80).collect();
        assert_eq!(
            names,
            [
                "traffic light:red",
                "traffic light:green",
                "car:red",
                "car:green"
            ]
        );
        assert_eq!(
            (plan.first_answer(9), plan.first_answer(2)),
            (Some(80), Some(82))
        );
        assert_eq!((plan.first_answer(0), plan.first_answer(999)), (None, None));
        // beyond COCO's own numbers
        assert_eq!(plan.labels.category_id(80), 91);
    }

    #[test]
    fn a_classifier_that_does_not_fit_is_refused() {
        let error =
            |classes: &[&str], detected: &[&str]| plan(classes, detected, "[red]").unwrap_err();
        assert!(
            error(&["tram"], &[]).contains("nanodet_m_416 has no class \"tram\"; it has: person")
        );
        assert!(error(&["car", "car"], &[]).contains("\"car\" is named twice"));
        assert!(error(&["car"], &["bus"]).contains("detector.classes leaves out \"car\""));
        let many = format!(
            "[{}]",
            (0..65_500)
                .map(|n| format!("c{n}"))
                .collect::<Vec<_>>()
                .join(",")
        );
        assert!(
            plan(&["car"], &[], &many)
                .unwrap_err()
                .contains("the maximum is 65535")
        );
    }
}
