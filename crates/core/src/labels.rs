//! The class names of a model.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text;

/// One class of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    pub name: String,
    /// The class id in the data set's annotations, for COCO results.
    pub category_id: u32,
}

/// Class names by class id, the index in the model. Never empty, and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<Label>);

/// Why a list of labels is refused.
#[derive(Debug, Error)]
pub enum LabelsError {
    #[error("the list of labels is empty")]
    Empty,
    #[error("label {0:?} is listed twice")]
    Twice(String),
}

impl Labels {
    /// Creates labels in the order of class ids, with names normalised by [`text::name`].
    pub fn new(mut labels: Vec<Label>) -> Result<Self, LabelsError> {
        for label in &mut labels {
            label.name = text::name(&label.name).into_owned();
        }
        if labels.is_empty() {
            return Err(LabelsError::Empty);
        }
        let mut names = HashSet::new();
        for label in &labels {
            if !names.insert(&label.name) {
                return Err(LabelsError::Twice(label.name.clone()));
            }
        }
        Ok(Self(labels))
    }

    /// Returns the number of classes, at least 1.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the class name; empty for an id that the model does not have.
    pub fn name(&self, class_id: usize) -> &str {
        self.0.get(class_id).map_or("", |label| &label.name)
    }

    /// Returns the class id in the data set; 0 for an id that the model does not have.
    pub fn category_id(&self, class_id: usize) -> u32 {
        self.0.get(class_id).map_or(0, |label| label.category_id)
    }

    /// Returns the class with that name, in any Unicode normal form.
    pub fn class_id(&self, name: &str) -> Option<usize> {
        let name = text::name(name);
        self.0.iter().position(|label| label.name == name)
    }

    /// Returns the names in the order of class ids.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|label| label.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_not_none() {
        let label = |name: &str| Label {
            name: name.to_owned(),
            category_id: 1,
        };
        assert!(matches!(Labels::new(vec![]), Err(LabelsError::Empty)));
        let twice = Labels::new(vec![label("car"), label("bus"), label("car")]);
        assert!(matches!(twice, Err(LabelsError::Twice(name)) if name == "car"));
        let labels = Labels::new(vec![label("car"), label("bus")]).unwrap();
        assert_eq!(labels.class_id("bus"), Some(1));
        assert_eq!(labels.class_id("tram"), None);
        let labels = Labels::new(vec![label("Fußga\u{308}nger ")]).unwrap();
        assert_eq!(labels.name(0), "Fußg\u{e4}nger");
        assert_eq!(labels.class_id("Fußga\u{308}nger"), Some(0));
    }
}
