//! The classes that `detector.classes` selects, by their names and by the names of class sets.

use std::collections::BTreeMap;

use super::settings::SettingsError;
use crate::model::ModelDescription;
use crate::model::class_sets::ClassSet;

/// The selected classes of a model, and what the named class sets bring with them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassSelection {
    /// By class id; empty: all classes.
    selected: Vec<bool>,
    /// The groups of the sets within which one object is one detection, by class id.
    pub nms_across: Vec<Vec<usize>>,
    /// The tuned score thresholds of the sets, by class id.
    pub score_thresholds: BTreeMap<usize, f32>,
    /// The classes of the sets that the model does not have.
    pub absent: Vec<String>,
}

impl ClassSelection {
    /// Selects the classes and the classes of the sets that `names` has. Without names, all classes
    /// are selected. A name that is both a class and a set is the class.
    ///
    /// # Errors
    /// A name is neither a class nor a set, or the model has no class of a set.
    pub fn new(names: &[String], model: &ModelDescription) -> Result<Self, SettingsError> {
        let mut selection = Self::default();
        if names.is_empty() {
            return Ok(selection);
        }
        selection.selected = vec![false; model.labels.count()];
        for (at, name) in names.iter().enumerate() {
            if let Some(class) = model.labels.class_id(name) {
                selection.selected[class] = true;
            } else if names[..at].contains(name) {
                // its groups are known already
            } else if let Some(set) = model.class_sets.iter().find(|set| set.name == *name) {
                selection.add(set, model)?;
            } else {
                return Err(SettingsError::no_class_or_set(name, model));
            }
        }
        Ok(selection)
    }

    fn add(&mut self, set: &ClassSet, model: &ModelDescription) -> Result<(), SettingsError> {
        if set.classes.is_empty() {
            return Err(SettingsError::no_class_of_set(&set.name, model));
        }
        for &class in &set.classes {
            self.selected[class] = true;
        }
        self.nms_across.extend(set.nms_across.iter().cloned());
        for (&class, &score) in &set.score_thresholds {
            self.score_thresholds.entry(class).or_insert(score);
        }
        self.absent.extend(set.absent.iter().cloned());
        Ok(())
    }

    /// Logs the classes of the sets that the model does not have.
    pub fn log_absent(&self, model: &str) {
        if !self.absent.is_empty() {
            let absent = self.absent.join(", ");
            tracing::info!("detector.classes: {model} has no class {absent}; ignored");
        }
    }

    /// Returns whether detections of the class are wanted.
    pub fn contains(&self, class_id: usize) -> bool {
        self.selected.get(class_id).copied().unwrap_or(true)
    }
}
