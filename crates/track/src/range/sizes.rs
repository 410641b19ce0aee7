//! How high objects are, by class.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The height of the objects of a class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassHeight {
    /// The mean height in metres.
    pub height_m: f64,
    /// The standard deviation between objects as a share of the mean, such as 0.07.
    pub spread: f64,
}

/// A height that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HeightError {
    #[error("class {class}: expected a height of more than 0 and at most 30 m, found {found}")]
    Height { class: String, found: f64 },
    #[error("class {class}: expected a spread of 0.01 to 1, found {found}")]
    Spread { class: String, found: f64 },
    #[error("class {class}: not a class of the model; its classes are: {known}")]
    UnknownClass { class: String, known: String },
}

/// Heights by class id; a class without one has no range by its size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassHeights(Vec<Option<ClassHeight>>);

/// Defaults by label of COCO. Road users as on European and American roads; bicycles and motorcycles
/// without their riders, as COCO annotates them.
const DEFAULTS: [(&str, f64, f64); 10] = [
    ("person", 1.70, 0.07),
    ("pedestrian", 1.70, 0.07),
    ("car", 1.53, 0.07),
    ("van", 2.1, 0.12),
    ("truck", 3.0, 0.25),
    ("bus", 3.1, 0.12),
    ("train", 3.8, 0.15),
    ("bicycle", 1.05, 0.12),
    ("motorcycle", 1.15, 0.12),
    ("stop sign", 0.75, 0.12),
];

impl ClassHeights {
    /// The defaults for the model's `labels`, replaced and completed by `own`, by label.
    ///
    /// # Errors
    /// A height or spread out of range, or a class that the model does not have.
    pub fn new<'a>(
        labels: impl Iterator<Item = &'a str> + Clone,
        own: &BTreeMap<String, ClassHeight>,
    ) -> Result<Self, HeightError> {
        for (class, height) in own {
            let class = class.clone();
            if !(height.height_m > 0.0 && height.height_m <= 30.0) {
                let found = height.height_m;
                return Err(HeightError::Height { class, found });
            }
            if !(0.01..=1.0).contains(&height.spread) {
                let found = height.spread;
                return Err(HeightError::Spread { class, found });
            }
            if !labels.clone().any(|label| label == class) {
                let known = labels.collect::<Vec<_>>().join(", ");
                return Err(HeightError::UnknownClass { class, known });
            }
        }
        let height = |label: &str| {
            let default = DEFAULTS.iter().find(|(name, ..)| *name == label);
            let default = default.map(|&(_, height_m, spread)| ClassHeight { height_m, spread });
            own.get(label).copied().or(default)
        };
        Ok(Self(labels.map(height).collect()))
    }

    /// Returns the height of a class.
    pub fn height(&self, class_id: usize) -> Option<ClassHeight> {
        self.0.get(class_id).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(class: &str, height_m: f64, spread: f64) -> Result<ClassHeights, HeightError> {
        let own = [(class.to_owned(), ClassHeight { height_m, spread })].into();
        ClassHeights::new(["car", "kite"].into_iter(), &own)
    }

    #[test]
    fn own_heights_replace_the_defaults() {
        let defaults = ClassHeights::new(["car", "kite"].into_iter(), &BTreeMap::new()).unwrap();
        assert_eq!(
            defaults.height(0),
            Some(ClassHeight {
                height_m: 1.53,
                spread: 0.07
            })
        );
        assert_eq!((defaults.height(1), defaults.height(2)), (None, None));
        let kite = heights("kite", 0.8, 0.3).unwrap();
        assert_eq!(
            kite.height(1),
            Some(ClassHeight {
                height_m: 0.8,
                spread: 0.3
            })
        );
        assert_eq!(kite.height(0), defaults.height(0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for height in [0.0, -1.0, 31.0, f64::NAN] {
            assert!(matches!(
                heights("car", height, 0.1),
                Err(HeightError::Height { .. })
            ));
        }
        for spread in [0.0, 1.1, f64::NAN] {
            assert!(matches!(
                heights("car", 1.5, spread),
                Err(HeightError::Spread { .. })
            ));
        }
        let error = heights("lorry", 3.0, 0.1).unwrap_err().to_string();
        assert_eq!(
            error,
            "class lorry: not a class of the model; its classes are: car, kite"
        );
    }
}
