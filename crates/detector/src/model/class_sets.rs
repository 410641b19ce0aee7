//! Named sets of classes, such as `road`, as far as a model has their classes.

use std::collections::BTreeMap;

use serde::Deserialize;

use shuffledet_core::Labels;

/// A class set of the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedClasses {
    pub classes: Vec<String>,
    /// Groups within which one object is one detection.
    #[serde(default)]
    pub nms_across: Vec<Vec<String>>,
}

/// A class set for one model. All classes are class ids of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSet {
    pub name: String,
    pub classes: Vec<usize>,
    /// The names of its classes that the model does not have.
    pub absent: Vec<String>,
    /// The groups of at least two classes of the model.
    pub nms_across: Vec<Vec<usize>>,
    /// The score thresholds that were tuned for this model, each in [0, 1]. A class without one has
    /// the model's threshold.
    pub score_thresholds: BTreeMap<usize, f32>,
}

/// A threshold that is not of a class of the set, or out of range.
#[derive(Debug)]
pub struct WrongThreshold {
    pub expected: String,
    pub found: String,
}

impl NamedClasses {
    /// Returns a set without groups.
    pub fn apart(classes: Vec<String>) -> Self {
        Self {
            classes,
            nms_across: Vec::new(),
        }
    }
}

impl ClassSet {
    /// Returns the part of `set` that a model with `labels` has.
    pub fn for_model(name: &str, set: &NamedClasses, labels: &Labels) -> Self {
        let known = |classes: &[String]| -> Vec<usize> {
            classes
                .iter()
                .filter_map(|class| labels.class_id(class))
                .collect()
        };
        let absent = set.classes.iter();
        Self {
            name: name.to_owned(),
            classes: known(&set.classes),
            absent: absent
                .filter(|class| labels.class_id(class).is_none())
                .cloned()
                .collect(),
            nms_across: set
                .nms_across
                .iter()
                .map(|group| known(group))
                .filter(|group| group.len() > 1)
                .collect(),
            score_thresholds: BTreeMap::new(),
        }
    }
    /// Sets the score thresholds, given by class name, of a model with `labels`.
    pub fn tune(
        &mut self,
        thresholds: &BTreeMap<String, f32>,
        labels: &Labels,
    ) -> Result<(), WrongThreshold> {
        for (class, &score) in thresholds {
            let class_id = labels.class_id(class);
            let class_id = class_id.filter(|class_id| self.classes.contains(class_id));
            let class_id = class_id.ok_or_else(|| WrongThreshold {
                expected: format!("classes of the model that are in the set {:?}", self.name),
                found: class.clone(),
            })?;
            if !(0.0..=1.0).contains(&score) {
                return Err(WrongThreshold {
                    expected: format!("a number from 0 to 1 for {class:?}"),
                    found: score.to_string(),
                });
            }
            self.score_thresholds.insert(class_id, score);
        }
        Ok(())
    }
}
