//! The identifiers of classes in messages: `vision_msgs` does not define the text of a hypothesis
//! or the numbers of `LabelInfo`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use shuffledet_core::Labels;

/// How messages identify the class of a detection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassIdForm {
    /// The class name.
    #[default]
    Name,
    /// The index in the model, from 0.
    Index,
    /// The class id in the data set.
    Coco,
}

/// The text and the number of each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassIds {
    /// The text in detections, by class.
    texts: Vec<String>,
    /// The number in `LabelInfo`, by class; classes beyond its range are left out.
    numbers: Vec<u16>,
}

/// The classes cannot be identified by numbers.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ClassIdError {
    #[error(
        "detector.class_id: class {class:?} has number {number}, the maximum of vision_msgs/msg/LabelInfo is 65535; set detector.class_id to name"
    )]
    TooLarge { class: String, number: usize },
    #[error(
        "detector.class_id: coco: classes {first:?} and {second:?} both have category_id {number}; give each its own in \
         the model's description, or set detector.class_id to name"
    )]
    Twice {
        first: String,
        second: String,
        number: u16,
    },
}

impl ClassIds {
    /// Creates the identifiers of `labels`. With names, `LabelInfo` has the indices, as far as its
    /// range goes.
    pub fn new(labels: &Labels, form: ClassIdForm) -> Result<Self, ClassIdError> {
        if form == ClassIdForm::Name {
            return Ok(Self {
                texts: labels.names().map(str::to_owned).collect(),
                numbers: (0..=u16::MAX).take(labels.count()).collect(),
            });
        }
        let mut numbers: Vec<u16> = Vec::with_capacity(labels.count());
        for (index, class) in labels.names().enumerate() {
            let number = match form {
                ClassIdForm::Coco => labels.category_id(index) as usize,
                ClassIdForm::Name | ClassIdForm::Index => index,
            };
            let number = u16::try_from(number).map_err(|_| ClassIdError::TooLarge {
                class: class.to_owned(),
                number,
            })?;
            if let Some(first) = numbers.iter().position(|&earlier| earlier == number) {
                return Err(ClassIdError::Twice {
                    first: labels.name(first).to_owned(),
                    second: class.to_owned(),
                    number,
                });
            }
            numbers.push(number);
        }
        Ok(Self {
            texts: numbers.iter().map(u16::to_string).collect(),
            numbers,
        })
    }

    /// Returns the text of the class in detections; empty for a class that the model does not have.
    pub fn text(&self, class: usize) -> &str {
        self.texts.get(class).map_or("", String::as_str)
    }

    /// Returns the numbers in `LabelInfo`, by class.
    pub fn numbers(&self) -> &[u16] {
        &self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Manifest;
    use shuffledet_core::labels::Label;

    fn labels(classes: &[(&str, u32)]) -> Labels {
        let label = |&(name, category_id): &(&str, u32)| Label {
            name: name.to_owned(),
            category_id,
        };
        Labels::new(classes.iter().map(label).collect()).unwrap()
    }

    #[test]
    fn text_and_number_agree_in_each_form() {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest.describe(manifest.model("nanodet_m_416").unwrap());
        let labels = model.unwrap().labels;
        for (form, text, number) in [
            (ClassIdForm::Name, "toothbrush", 79),
            (ClassIdForm::Index, "79", 79),
            (ClassIdForm::Coco, "90", 90),
        ] {
            let ids = ClassIds::new(&labels, form).unwrap();
            assert_eq!((ids.text(79), ids.numbers()[79]), (text, number));
            assert_eq!((ids.text(80), ids.numbers().len()), ("", 80));
        }
    }

    #[test]
    fn classes_that_their_numbers_cannot_tell_are_refused() {
        let large = labels(&[("car", 1), ("bus", 70_000)]);
        assert!(ClassIds::new(&large, ClassIdForm::Name).is_ok());
        let refused = ClassIds::new(&large, ClassIdForm::Coco).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("\"bus\" has number 70000"), "{refused}");

        let twice = labels(&[("car", 3), ("bus", 6), ("van", 3)]);
        assert!(ClassIds::new(&twice, ClassIdForm::Index).is_ok());
        let refused = ClassIds::new(&twice, ClassIdForm::Coco).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("\"car\" and \"van\" both"), "{refused}");
    }
}
