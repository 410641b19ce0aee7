//! COCO's twelve figures: their names, what each measures, and their form in JSON.

use std::fmt;
use std::ops::Index;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One of COCO's twelve figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Average precision: mean over the IoU thresholds 0.5, 0.55, ... 0.95.
    Ap,
    /// At IoU 0.5.
    Ap50,
    /// At IoU 0.75.
    Ap75,
    /// Of objects of at most 32^2 square pixels.
    ApSmall,
    /// Of objects of 32^2 to 96^2 square pixels.
    ApMedium,
    /// Of objects of at least 96^2 square pixels.
    ApLarge,
    /// Average recall with the best detection of each image and class.
    Ar1,
    /// With the best ten.
    Ar10,
    /// With as many as the settings allow, 100 by default.
    Ar100,
    ArSmall,
    ArMedium,
    ArLarge,
}

/// What a figure is computed from. `area` is the position of its range among the ranges of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// At the IoU threshold of that position, or the mean over all of them.
    Precision {
        area: usize,
        threshold: Option<usize>,
    },
    /// `limit` is the position of the number of detections among those that the settings list.
    Recall { area: usize, limit: usize },
}

impl Figure {
    /// In COCO's order.
    pub const ALL: [Figure; 12] = [
        Figure::Ap,
        Figure::Ap50,
        Figure::Ap75,
        Figure::ApSmall,
        Figure::ApMedium,
        Figure::ApLarge,
        Figure::Ar1,
        Figure::Ar10,
        Figure::Ar100,
        Figure::ArSmall,
        Figure::ArMedium,
        Figure::ArLarge,
    ];

    /// Those that are kept of a single class.
    pub const OF_CLASS: [Figure; 7] = [
        Figure::Ap,
        Figure::Ap50,
        Figure::Ap75,
        Figure::ApSmall,
        Figure::ApMedium,
        Figure::ApLarge,
        Figure::Ar100,
    ];

    /// Returns the key in JSON and the name in tables, such as `AP50`.
    pub const fn name(self) -> &'static str {
        match self {
            Figure::Ap => "AP",
            Figure::Ap50 => "AP50",
            Figure::Ap75 => "AP75",
            Figure::ApSmall => "APs",
            Figure::ApMedium => "APm",
            Figure::ApLarge => "APl",
            Figure::Ar1 => "AR1",
            Figure::Ar10 => "AR10",
            Figure::Ar100 => "AR100",
            Figure::ArSmall => "ARs",
            Figure::ArMedium => "ARm",
            Figure::ArLarge => "ARl",
        }
    }

    pub(super) fn measure(self) -> Measure {
        let precision = |area, threshold| Measure::Precision { area, threshold };
        match self {
            Figure::Ap => precision(0, None),
            Figure::Ap50 => precision(0, Some(0)),
            Figure::Ap75 => precision(0, Some(5)),
            Figure::ApSmall => precision(1, None),
            Figure::ApMedium => precision(2, None),
            Figure::ApLarge => precision(3, None),
            Figure::Ar1 => Measure::Recall { area: 0, limit: 0 },
            Figure::Ar10 => Measure::Recall { area: 0, limit: 1 },
            Figure::Ar100 => Measure::Recall { area: 0, limit: 2 },
            Figure::ArSmall => Measure::Recall { area: 1, limit: 2 },
            Figure::ArMedium => Measure::Recall { area: 2, limit: 2 },
            Figure::ArLarge => Measure::Recall { area: 3, limit: 2 },
        }
    }
}

/// COCO's figures, as pycocotools gives them: in [0, 1], or `None` where there are no objects.
///
/// Two things are otherwise: pycocotools overwrites an annotation's `ignore` by its `iscrowd`, here both count; and it
/// takes an object with the id 0 for no object, here ids do not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures([Option<f64>; Figure::ALL.len()]);

impl Figures {
    /// Takes the value of each figure from `value`.
    pub fn new(value: impl FnMut(Figure) -> Option<f64>) -> Self {
        Self(Figure::ALL.map(value))
    }

    /// Returns those of `figures`; the others are undefined.
    pub fn only(self, figures: &[Figure]) -> Self {
        Self::new(|figure| self[figure].filter(|_| figures.contains(&figure)))
    }

    fn write<S: Serializer>(&self, figures: &[Figure], serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Figures", figures.len())?;
        for &figure in figures {
            out.serialize_field(figure.name(), &self[figure].unwrap_or(UNDEFINED))?;
        }
        out.end()
    }
}

impl Index<Figure> for Figures {
    type Output = Option<f64>;

    fn index(&self, figure: Figure) -> &Option<f64> {
        // the variants are numbered as `ALL` lists them
        &self.0[figure as usize]
    }
}

/// What COCO's JSON holds in place of a figure where there are no objects.
const UNDEFINED: f64 = -1.0;

/// Figures in JSON: numbers, -1 for those that are undefined.
pub(super) mod coco_number {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<f64>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(value.unwrap_or(UNDEFINED))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
        f64::deserialize(input).map(from_coco)
    }
}

pub(super) fn to_coco(value: Option<f64>) -> f64 {
    value.unwrap_or(UNDEFINED)
}

pub(super) fn from_coco(value: f64) -> Option<f64> {
    (value >= 0.0).then_some(value)
}

/// The figures of a class in JSON: those of [`Figure::OF_CLASS`].
pub(super) mod class_figures {
    use super::*;

    pub fn serialize<S: Serializer>(figures: &Figures, out: S) -> Result<S::Ok, S::Error> {
        figures.write(&Figure::OF_CLASS, out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Figures, D::Error> {
        const NAMES: &[&str] = &names(Figure::OF_CLASS);
        input.deserialize_struct("Figures", NAMES, FiguresVisitor(&Figure::OF_CLASS))
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.write(&Figure::ALL, out)
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        const NAMES: &[&str] = &names(Figure::ALL);
        input.deserialize_struct("Figures", NAMES, FiguresVisitor(&Figure::ALL))
    }
}

const fn names<const N: usize>(figures: [Figure; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = figures[at].name();
        at += 1;
    }
    names
}

/// Reads the figures that it lists and requires each.
struct FiguresVisitor(&'static [Figure]);

impl<'de> Visitor<'de> for FiguresVisitor {
    type Value = Figures;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {} figures", self.0.len())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Figures, M::Error> {
        let mut numbers = [None; Figure::ALL.len()];
        while let Some(key) = map.next_key::<String>()? {
            match self.0.iter().find(|figure| figure.name() == key) {
                Some(&figure) => numbers[figure as usize] = Some(map.next_value::<f64>()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        for &figure in self.0 {
            numbers[figure as usize].ok_or_else(|| M::Error::missing_field(figure.name()))?;
        }
        Ok(Figures(numbers.map(|number| number.and_then(from_coco))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_string, to_value};

    use super::*;

    #[test]
    fn figures_are_numbered_in_the_order_of_their_list() {
        for (at, figure) in Figure::ALL.into_iter().enumerate() {
            assert_eq!(figure as usize, at);
        }
    }

    #[test]
    fn an_undefined_figure_is_minus_one_in_json_and_back() {
        let figures = Figures::new(|figure| (figure != Figure::ApSmall).then_some(0.5));
        let json = to_string(&figures).unwrap();
        let start = r#"{"AP":0.5,"AP50":0.5,"AP75":0.5,"APs":-1.0,"APm":0.5,"#;
        assert!(json.starts_with(start), "{json}");
        let again: Figures = serde_json::from_str(&json).unwrap();
        assert_eq!(again, figures);
        assert_eq!(again[Figure::ApSmall], None);
    }

    #[test]
    fn a_figure_that_lacks_is_named() {
        let mut json = to_value(Figures::default()).unwrap();
        json.as_object_mut().unwrap().remove("AR10");
        let error = from_value::<Figures>(json).unwrap_err().to_string();
        assert!(error.contains("missing field `AR10`"), "{error}");
        let error = from_value::<Figures>(json!([0.5])).unwrap_err().to_string();
        assert!(error.contains("an object with 12 figures"), "{error}");
    }
}
