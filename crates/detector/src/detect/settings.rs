//! The selection of detections from a model's boxes.

use std::collections::BTreeMap;

use thiserror::Error;

use super::classes::ClassSelection;
use super::groups::{GroupError, ObjectGroups};
use crate::model::ModelDescription;
use shuffledet_track::range::HeightError;

/// The thresholds by class, ready for the hot path.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSettings {
    /// By class id; infinite for a class that is not selected.
    thresholds: Vec<f32>,
    least: f32,
    /// The IoU in [0, 1] above which two boxes of one object by `groups` count as one.
    pub nms_iou_threshold: f32,
    /// The classes whose overlapping boxes are one object.
    pub groups: ObjectGroups,
    /// The maximum number of detections per image.
    pub max_detections: usize,
    /// Whether to clip boxes to the image, as in published results. The authors of some models
    /// evaluate without clipping.
    pub clip: bool,
}

/// The parameters under `detector`, as far as they are given.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// In [0, 1]; `None`: the thresholds tuned for the class sets in `classes`, else the model's.
    pub score: Option<f32>,
    /// In [0, 1]; `None`: the model's threshold.
    pub nms_iou: Option<f32>,
    /// Groups of class names within which one object is one detection; `None`: the groups of the
    /// class sets in `classes`.
    pub nms_across: Option<Vec<Vec<String>>>,
    pub max_detections: usize,
    /// Names of the selected classes and class sets; empty: all classes.
    pub classes: Vec<String>,
    /// By class name; replaces `score` and the tuned threshold.
    pub class_score_thresholds: BTreeMap<String, f32>,
}

impl Default for Thresholds {
    /// Returns the model's thresholds for every class.
    fn default() -> Self {
        Self {
            score: None,
            nms_iou: None,
            nms_across: None,
            max_detections: 100,
            classes: Vec::new(),
            class_score_thresholds: BTreeMap::new(),
        }
    }
}

/// Why parameters do not fit the model.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("{key}: {model} has no class {class:?}; it has: {known}")]
    UnknownClass {
        key: &'static str,
        model: String,
        class: String,
        known: String,
    },
    #[error(
        "detector.classes: {model} has no class {name:?}, and no class set has that name; class sets: {sets}; classes: {known}"
    )]
    NoClassOrSet {
        model: String,
        name: String,
        sets: String,
        known: String,
    },
    #[error(
        "detector.classes: {model} has none of the classes of the set {set:?}; name some of its classes: {known}"
    )]
    NoClassOfSet {
        model: String,
        set: String,
        known: String,
    },
    #[error("detector.nms_across: {0}")]
    Group(#[from] GroupError),
    #[error("ranging: {0}")]
    ClassHeight(#[from] HeightError),
}

impl SettingsError {
    /// Returns the error for a class that a parameter `key` names and the model lacks.
    pub fn unknown_class(key: &'static str, class: &str, model: &ModelDescription) -> Self {
        Self::UnknownClass {
            key,
            model: model.name.clone(),
            class: class.to_owned(),
            known: known(model),
        }
    }

    pub(super) fn no_class_or_set(name: &str, model: &ModelDescription) -> Self {
        let sets = model.class_sets.iter().map(|set| set.name.as_str());
        Self::NoClassOrSet {
            model: model.name.clone(),
            name: name.to_owned(),
            sets: sets.collect::<Vec<_>>().join(", "),
            known: known(model),
        }
    }

    pub(super) fn no_class_of_set(set: &str, model: &ModelDescription) -> Self {
        Self::NoClassOfSet {
            model: model.name.clone(),
            set: set.to_owned(),
            known: known(model),
        }
    }
}

fn known(model: &ModelDescription) -> String {
    model.labels.names().collect::<Vec<_>>().join(", ")
}

impl DetectorSettings {
    /// Combines the parameters with the values of the class sets and of the model for those not
    /// given.
    pub fn new(parameters: &Thresholds, model: &ModelDescription) -> Result<Self, SettingsError> {
        let selection = ClassSelection::new(&parameters.classes, model)?;
        Self::for_classes(parameters, &selection, model)
    }

    /// Returns the settings for the classes that `parameters` selects among those of `model`.
    pub(crate) fn for_classes(
        parameters: &Thresholds,
        selection: &ClassSelection,
        model: &ModelDescription,
    ) -> Result<Self, SettingsError> {
        let class_id = |key, class: &String| {
            let found = model.labels.class_id(class);
            found.ok_or_else(|| SettingsError::unknown_class(key, class, model))
        };
        let score = parameters.score.unwrap_or(model.score_threshold);
        let mut thresholds = vec![score; model.labels.count()];
        if parameters.score.is_none() {
            for (&class, &score) in &selection.score_thresholds {
                thresholds[class] = score;
            }
        }
        for (class, &score) in &parameters.class_score_thresholds {
            thresholds[class_id("detector.class_score_thresholds", class)?] = score;
        }
        for (class, threshold) in thresholds.iter_mut().enumerate() {
            if !selection.contains(class) {
                *threshold = f32::INFINITY;
            }
        }
        let class_ids = |group: &Vec<String>| {
            let classes = group.iter();
            classes
                .map(|class| class_id("detector.nms_across", class))
                .collect()
        };
        let nms_across = match &parameters.nms_across {
            Some(groups) => groups.iter().map(class_ids).collect::<Result<_, _>>()?,
            None => selection.nms_across.clone(),
        };
        Ok(Self {
            least: thresholds.iter().copied().fold(f32::INFINITY, f32::min),
            thresholds,
            nms_iou_threshold: parameters.nms_iou.unwrap_or(model.nms_iou_threshold),
            groups: ObjectGroups::new(&nms_across, &model.labels)?,
            max_detections: parameters.max_detections,
            clip: true,
        })
    }

    /// Returns these settings with the same score threshold for every selected class.
    pub fn with_score(&self, score: f32) -> Self {
        let mut settings = self.clone();
        for threshold in &mut settings.thresholds {
            if threshold.is_finite() {
                *threshold = score;
            }
        }
        settings.least = score;
        settings
    }

    /// Returns whether detections of the class are wanted.
    pub fn selects(&self, class_id: usize) -> bool {
        self.thresholds
            .get(class_id)
            .is_some_and(|threshold| threshold.is_finite())
    }

    /// Returns the score that a detection of the class must exceed; infinite for a class that the
    /// model does not have, such as one that a second stage adds.
    pub fn threshold(&self, class_id: usize) -> f32 {
        let threshold = self.thresholds.get(class_id);
        threshold.copied().unwrap_or(f32::INFINITY)
    }

    /// Returns the lowest threshold of all classes.
    pub fn least_threshold(&self) -> f32 {
        self.least
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Manifest;

    fn nanodet() -> ModelDescription {
        let manifest = Manifest::shipped().unwrap();
        manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap()
    }

    /// A team's model with a class named as a set is.
    fn street(labels: &str) -> ModelDescription {
        let yaml = format!(
            "family: nanodet\nlabels: {labels}\nscore_threshold: 0.35\nnms_iou_threshold: 0.6\n\
            class_thresholds: {{road: {{car: 0.5}}}}\n\
            input: {{width: 320, height: 320, colour: rgb, resize: letterbox, mean: [0, 0, 0], std: [1, 1, 1]}}\n"
        );
        let manifest = Manifest::shipped().unwrap();
        manifest
            .describe_sidecar(&yaml, Path::new("street.yaml"))
            .unwrap()
    }

    fn settings(
        model: &ModelDescription,
        change: impl Fn(&mut Thresholds),
    ) -> Result<DetectorSettings, SettingsError> {
        let mut thresholds = Thresholds::default();
        change(&mut thresholds);
        DetectorSettings::new(&thresholds, model)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_models_own_thresholds_serve_where_none_is_given() {
        let own = settings(&nanodet(), |_| ()).unwrap();
        assert_eq!((own.threshold(2), own.nms_iou_threshold), (0.3, 0.6));
        assert!(!own.groups.same_object(2, 7));
        let given = settings(&nanodet(), |t| t.score = Some(0.7)).unwrap();
        assert_eq!(given.threshold(2), 0.7);
    }

    #[test]
    fn an_unwanted_class_is_never_detected() {
        let cars = settings(&nanodet(), |t| {
            t.classes = names(&["car", "bus"]);
            t.class_score_thresholds = [("car".to_owned(), 0.5), ("dog".to_owned(), 0.1)].into();
        })
        .unwrap();
        assert_eq!(cars.threshold(2), 0.5);
        assert_eq!(cars.threshold(5), 0.3);
        assert_eq!(cars.threshold(16), f32::INFINITY);
        assert_eq!(cars.least_threshold(), 0.3);
        assert!(cars.selects(5) && !cars.selects(16) && !cars.selects(99));
        let low = cars.with_score(0.05);
        assert_eq!([2, 5].map(|class| low.threshold(class)), [0.05, 0.05]);
        assert_eq!(
            (low.threshold(16), low.least_threshold()),
            (f32::INFINITY, 0.05)
        );
        assert!(!cars.groups.same_object(2, 5));
    }

    #[test]
    fn a_set_brings_its_classes_groups_and_thresholds() {
        let mut model = nanodet();
        let road = model.class_sets.iter_mut().find(|set| set.name == "road");
        road.unwrap().score_thresholds = [(2, 0.45), (7, 0.25)].into();
        let road = settings(&model, |t| t.classes = names(&["road"])).unwrap();
        let wanted = (0..80).filter(|&class| road.threshold(class).is_finite());
        assert_eq!(wanted.collect::<Vec<_>>(), [0, 1, 2, 3, 5, 6, 7, 9, 11]);
        assert_eq!([2, 7, 0].map(|c| road.threshold(c)), [0.45, 0.25, 0.3]);
        assert!(road.groups.same_object(2, 7) && road.groups.same_object(1, 3));
        let more = settings(&model, |t| t.classes = names(&["dog", "road", "road"])).unwrap();
        assert_eq!([2, 16].map(|class| more.threshold(class)), [0.45, 0.3]);
        let all = settings(&model, |t| t.classes = names(&["coco"])).unwrap();
        assert_eq!(all, settings(&model, |_| ()).unwrap());
    }

    #[test]
    fn what_is_given_wins_over_what_a_set_brings() {
        let mut model = nanodet();
        let road = model.class_sets.iter_mut().find(|set| set.name == "road");
        road.unwrap().score_thresholds = [(2, 0.45), (7, 0.25)].into();
        let set = |change: &dyn Fn(&mut Thresholds)| {
            settings(&model, |t| {
                t.classes = names(&["road"]);
                change(t);
            })
            .unwrap()
        };
        let score = set(&|t| t.score = Some(0.6));
        assert_eq!([2, 7].map(|class| score.threshold(class)), [0.6, 0.6]);
        let one = set(&|t| t.class_score_thresholds = [("truck".to_owned(), 0.8)].into());
        assert_eq!([2, 7].map(|class| one.threshold(class)), [0.45, 0.8]);
        let none = set(&|t| t.nms_across = Some(Vec::new()));
        assert!(!none.groups.same_object(2, 7));
        let other = set(&|t| t.nms_across = Some(vec![names(&["bus", "train"])]));
        assert!(other.groups.same_object(5, 6) && !other.groups.same_object(2, 7));
    }

    #[test]
    fn a_model_with_fewer_classes_takes_what_it_has_of_a_set() {
        let model = street("[truck, van, car]");
        let road = settings(&model, |t| t.classes = names(&["road"])).unwrap();
        let thresholds = [0, 1, 2].map(|class| road.threshold(class));
        assert_eq!(thresholds, [0.35, f32::INFINITY, 0.5]);
        assert!(road.groups.same_object(0, 2));
        let selection = ClassSelection::new(&names(&["road"]), &model).unwrap();
        assert_eq!(selection.absent.len(), 7);
        assert!(selection.absent.contains(&"person".to_owned()));
        // a group of one class is none
        assert_eq!(selection.nms_across, [[2, 0]]);
    }

    #[test]
    fn a_class_wins_over_a_set_of_its_name() {
        let model = street("[car, road]");
        let road = settings(&model, |t| t.classes = names(&["road"])).unwrap();
        assert_eq!(road.threshold(1), 0.35);
        assert_eq!(road.threshold(0), f32::INFINITY);
    }

    #[test]
    fn what_the_model_lacks_is_named() {
        let message = |model: &ModelDescription, change: &dyn Fn(&mut Thresholds)| {
            settings(model, change).unwrap_err().to_string()
        };
        let unknown = message(&nanodet(), &|t| t.classes = names(&["tram"]));
        assert!(unknown.contains("detector.classes: nanodet_m_416 has no class \"tram\""));
        assert!(unknown.contains("class sets: coco, road; classes: person, bicycle"));
        let none = message(&street("[car, cone]"), &|t| {
            t.classes = names(&["car", "coco", "roads"])
        });
        assert!(none.contains("no class \"roads\""), "{none}");
        let threshold = |t: &mut Thresholds| t.class_score_thresholds = [("x".into(), 0.1)].into();
        assert!(message(&nanodet(), &threshold).contains("class_score_thresholds: nanodet_m_416"));
        let group = message(&nanodet(), &|t| {
            t.nms_across = Some(vec![names(&["car", "van"])]);
        });
        assert!(group.contains("detector.nms_across: nanodet_m_416 has no class \"van\""));
        let short = message(&nanodet(), &|t| t.nms_across = Some(vec![names(&["car"])]));
        assert!(short.contains("detector.nms_across: group \"car\": expected 2 to 8"));
    }

    #[test]
    fn a_set_without_a_class_of_the_model_is_refused() {
        let manifest = Manifest::shipped().unwrap();
        let mut model = manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap();
        let road = model.class_sets.iter_mut().find(|set| set.name == "road");
        road.unwrap().classes.clear();
        let error = settings(&model, |t| t.classes = names(&["road"])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("none of the classes of the set \"road\"")
        );
    }
}
