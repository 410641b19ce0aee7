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
}
