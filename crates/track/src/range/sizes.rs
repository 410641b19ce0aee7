//! How high objects are, by class.

use std::collections::BTreeMap;

use thiserror::Error;

/// The height of the objects of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    #[error(
        "class {class}: expected a height beside the spread, because the class has none by default"
    )]
    SpreadAlone { class: String },
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

/// The spread of a class that has a height of its own, and no default.
const USUAL_SPREAD: f64 = 0.12;

impl ClassHeights {
    /// The defaults for the model's `labels`, replaced and completed by `heights_m` and by `spreads`,
    /// by label.
    ///
    /// # Errors
    /// A height or spread out of range, a spread of a class without a height, or a class that the
    /// model does not have.
    pub fn new<'a>(
        labels: impl Iterator<Item = &'a str> + Clone,
        heights_m: &BTreeMap<String, f64>,
        spreads: &BTreeMap<String, f64>,
    ) -> Result<Self, HeightError> {
        for class in heights_m.keys().chain(spreads.keys()) {
            if !labels.clone().any(|label| label == class) {
                let (class, known) = (class.clone(), labels.collect::<Vec<_>>().join(", "));
                return Err(HeightError::UnknownClass { class, known });
            }
        }
        for (class, &found) in heights_m {
            if !(found > 0.0 && found <= 30.0) {
                let class = class.clone();
                return Err(HeightError::Height { class, found });
            }
        }
        for (class, &found) in spreads {
            let class = class.clone();
            if !(0.01..=1.0).contains(&found) {
                return Err(HeightError::Spread { class, found });
            }
            if !heights_m.contains_key(&class) && default(&class).is_none() {
                return Err(HeightError::SpreadAlone { class });
            }
        }
        let height = |label: &str| {
            let default = default(label);
            let own = heights_m.get(label).copied();
            let spread = spreads.get(label).copied();
            let usual = default.map_or(USUAL_SPREAD, |default| default.spread);
            Some(ClassHeight {
                height_m: own.or(default.map(|default| default.height_m))?,
                spread: spread.unwrap_or(usual),
            })
        };
        Ok(Self(labels.map(height).collect()))
    }

    /// Returns the height of a class.
    pub fn height(&self, class_id: usize) -> Option<ClassHeight> {
        self.0.get(class_id).copied().flatten()
    }
}

/// Returns the default of a label.
fn default(label: &str) -> Option<ClassHeight> {
    let default = DEFAULTS.iter().find(|(name, ..)| *name == label);
    default.map(|&(_, height_m, spread)| ClassHeight { height_m, spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Table = BTreeMap<String, f64>;

    fn table(class: &str, value: f64) -> Table {
        [(class.to_owned(), value)].into()
    }

    fn heights(heights_m: &Table, spreads: &Table) -> Result<ClassHeights, HeightError> {
        ClassHeights::new(["car", "kite"].into_iter(), heights_m, spreads)
    }

    fn class(height_m: f64, spread: f64) -> Option<ClassHeight> {
        Some(ClassHeight { height_m, spread })
    }

    #[test]
    fn own_heights_and_spreads_replace_the_defaults() {
        let none = Table::new();
        let defaults = heights(&none, &none).unwrap();
        assert_eq!(defaults.height(0), class(1.53, 0.07));
        assert_eq!((defaults.height(1), defaults.height(2)), (None, None));
        let kite = heights(&table("kite", 0.8), &table("car", 0.2)).unwrap();
        assert_eq!(kite.height(1), class(0.8, USUAL_SPREAD));
        assert_eq!(kite.height(0), class(1.53, 0.2));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let none = Table::new();
        for height in [0.0, -1.0, 31.0, f64::NAN] {
            let error = heights(&table("car", height), &none).unwrap_err();
            assert!(matches!(error, HeightError::Height { .. }), "{error}");
        }
        for spread in [0.0, 1.1, f64::NAN] {
            let error = heights(&none, &table("car", spread)).unwrap_err();
            assert!(matches!(error, HeightError::Spread { .. }), "{error}");
        }
        let error = heights(&none, &table("kite", 0.1)).unwrap_err();
        assert!(matches!(error, HeightError::SpreadAlone { .. }), "{error}");
        for (own, spreads) in [(&table("lorry", 3.0), &none), (&none, &table("lorry", 0.1))] {
            let error = heights(own, spreads).unwrap_err().to_string();
            assert_eq!(
                error,
                "class lorry: not a class of the model; its classes are: car, kite"
            );
        }
    }
}
