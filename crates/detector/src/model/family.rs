//! The model families, and what a description says about the outputs of each.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The encoding of boxes in output tensors, with what it leaves to the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Family {
    /// FastestDet: one grid of stride 16, with objectness separate from classes.
    FastestDet,
    /// NanoDet: strides 8, 16 and 32, sides as distributions over 8 distances.
    NanoDet { class_activation: Activation },
    /// NanoDet-Plus: the same with stride 64, in one output.
    NanoDetPlus { class_activation: Activation },
    /// Yolo-FastestV2: strides 16 and 32, with three anchors each.
    YoloFastestV2 { anchors: [[Anchor; 3]; 2] },
    /// One output of boxes in a described layout.
    Boxes(BoxLayout),
    /// No detector: one score for each class of a picture.
    Classifier(ClassifierForm),
}

/// The families' names in descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum FamilyName {
    #[serde(rename = "fastestdet")]
    FastestDet,
    #[serde(rename = "nanodet")]
    NanoDet,
    #[serde(rename = "nanodet_plus")]
    NanoDetPlus,
    #[serde(rename = "yolo_fastestv2")]
    YoloFastestV2,
    #[serde(rename = "boxes")]
    Boxes,
    #[serde(rename = "classifier")]
    Classifier,
}

/// What the decoder applies to scores because the graph has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing: the graph gives probabilities.
    #[default]
    None,
    Sigmoid,
}

/// What the decoder applies to the class scores of a box or picture because the graph has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassActivation {
    /// Nothing: the graph gives probabilities.
    #[default]
    None,
    Sigmoid,
    Softmax,
}

/// The part of a picture that a classifier sees, and the meaning of its scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierForm {
    pub activation: ClassActivation,
    /// The share of the largest centred part in the input's shape, in (0, 1]: 0.875 if training
    /// scaled the shorter side to 256 and cut out 224. 1 shows the whole picture.
    pub crop: f64,
}

/// The width and height of an anchor in pixels of the input.
pub type Anchor = [f32; 2];

/// The meaning of an output of boxes, each with its features.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct BoxLayout {
    pub axes: [Axis; 2],
    /// The meaning of features 0 to 3.
    pub form: BoxForm,
    pub unit: Unit,
    /// The feature that multiplies the class scores, if there is one.
    pub objectness_at: Option<usize>,
    #[serde(default)]
    pub objectness_activation: Activation,
    /// The feature of the first class. The classes are the last features.
    pub classes_at: usize,
    #[serde(default)]
    pub class_activation: ClassActivation,
    /// For a file that leaves the number of boxes open: the boxes of each cell of strides 8, 16 and
    /// 32.
    pub boxes_per_cell: Option<usize>,
}

/// An axis of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    Boxes,
    Features,
}

/// The four numbers of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoxForm {
    /// Centre x and y, width, height.
    CxCyWh,
    /// Left, top, right, bottom.
    XyXy,
    /// Left, top, width, height.
    XyWh,
}

/// The unit of a box's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Pixels of the input.
    Pixels,
    /// Shares of the input's width and height.
    Shares,
}

/// The keys of a description that belong to some families only.
#[derive(Debug, Clone, Default)]
pub struct FamilyKeys {
    pub class_activation: Option<ClassActivation>,
    pub anchors: Option<Vec<Anchor>>,
    pub boxes: Option<BoxLayout>,
    pub crop: Option<f64>,
}

/// A key of a description that does not fit its family.
#[derive(Debug, PartialEq)]
pub struct UnfitKey {
    pub key: &'static str,
    pub expected: String,
    pub found: String,
}

impl BoxLayout {
    /// YOLOv5 and its relatives, with boxes decoded in the graph.
    pub const YOLOV5: Self = Self {
        axes: [Axis::Boxes, Axis::Features],
        form: BoxForm::CxCyWh,
        unit: Unit::Pixels,
        objectness_at: Some(4),
        objectness_activation: Activation::None,
        classes_at: 5,
        class_activation: ClassActivation::None,
        boxes_per_cell: Some(3),
    };

    /// YOLOv8 and its relatives, which have no objectness.
    pub const YOLOV8: Self = Self {
        axes: [Axis::Features, Axis::Boxes],
        objectness_at: None,
        classes_at: 4,
        boxes_per_cell: Some(1),
        ..Self::YOLOV5
    };
}

impl<'de> Deserialize<'de> for BoxLayout {
    /// Reads the name of a preset, or the keys of a layout.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrKeys;

        impl<'de> Visitor<'de> for NameOrKeys {
            type Value = BoxLayout;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("yolov5, yolov8, or the keys of a layout")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<BoxLayout, E> {
                match name {
                    "yolov5" => Ok(BoxLayout::YOLOV5),
                    "yolov8" => Ok(BoxLayout::YOLOV8),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BoxLayout, A::Error> {
                // the derived reader of the keys
                BoxLayout::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(NameOrKeys)
    }
}

impl Family {
    /// Returns the name in descriptions.
    pub fn name(&self) -> &'static str {
        self.key().name()
    }

    fn key(&self) -> FamilyName {
        match self {
            Family::FastestDet => FamilyName::FastestDet,
            Family::NanoDet { .. } => FamilyName::NanoDet,
            Family::NanoDetPlus { .. } => FamilyName::NanoDetPlus,
            Family::YoloFastestV2 { .. } => FamilyName::YoloFastestV2,
            Family::Boxes(_) => FamilyName::Boxes,
            Family::Classifier(_) => FamilyName::Classifier,
        }
    }

    /// Joins a family's name with the keys that belong to it.
    ///
    /// # Errors
    /// A key is missing, belongs to another family, or has an invalid value.
    pub fn new(name: FamilyName, keys: FamilyKeys) -> Result<Self, UnfitKey> {
        let has_scores = matches!(
            name,
            FamilyName::NanoDet | FamilyName::NanoDetPlus | FamilyName::Classifier
        );
        for (key, given, belongs, families) in [
            (
                "class_activation",
                keys.class_activation.is_some(),
                has_scores,
                "nanodet, nanodet_plus or classifier (of a boxes model it is a key under boxes)",
            ),
            (
                "anchors",
                keys.anchors.is_some(),
                name == FamilyName::YoloFastestV2,
                "yolo_fastestv2",
            ),
            (
                "boxes",
                keys.boxes.is_some(),
                name == FamilyName::Boxes,
                "boxes",
            ),
            (
                "crop",
                keys.crop.is_some(),
                name == FamilyName::Classifier,
                "classifier",
            ),
        ] {
            if given && !belongs {
                return Err(UnfitKey {
                    key,
                    expected: format!("this key only with family {families}"),
                    found: format!("family {}", name.name()),
                });
            }
        }
        let activation = keys.class_activation.unwrap_or_default();
        Ok(match name {
            FamilyName::FastestDet => Family::FastestDet,
            FamilyName::NanoDet => Family::NanoDet {
                class_activation: none_or_sigmoid(activation, name)?,
            },
            FamilyName::NanoDetPlus => Family::NanoDetPlus {
                class_activation: none_or_sigmoid(activation, name)?,
            },
            FamilyName::YoloFastestV2 => Family::YoloFastestV2 {
                anchors: anchors(keys.anchors)?,
            },
            FamilyName::Boxes => Family::Boxes(layout(keys.boxes)?),
            FamilyName::Classifier => Family::Classifier(ClassifierForm {
                activation,
                crop: crop(keys.crop)?,
            }),
        })
    }
}

impl FamilyName {
    /// Returns the name in descriptions.
    pub fn name(self) -> &'static str {
        match self {
            FamilyName::FastestDet => "fastestdet",
            FamilyName::NanoDet => "nanodet",
            FamilyName::NanoDetPlus => "nanodet_plus",
            FamilyName::YoloFastestV2 => "yolo_fastestv2",
            FamilyName::Boxes => "boxes",
            FamilyName::Classifier => "classifier",
        }
    }
}

/// Checks the three anchors of stride 16 and the three of stride 32.
fn anchors(anchors: Option<Vec<Anchor>>) -> Result<[[Anchor; 3]; 2], UnfitKey> {
    let unfit = |found| UnfitKey {
        key: "anchors",
        expected: "six pairs [width, height] of numbers above 0, in pixels: three for stride 16, \
                   three for stride 32"
            .to_owned(),
        found,
    };
    let Some(anchors) = anchors else {
        return Err(unfit("nothing".to_owned()));
    };
    let usable = |side: &f32| side.is_finite() && *side > 0.0;
    match <[Anchor; 6]>::try_from(anchors) {
        Ok([a, b, c, d, e, f]) if [a, b, c, d, e, f].iter().flatten().all(usable) => {
            Ok([[a, b, c], [d, e, f]])
        }
        Ok(unusable) => Err(unfit(format!("{unusable:?}"))),
        Err(others) => Err(unfit(format!("{} pairs", others.len()))),
    }
}

/// Refuses the activation that the family's decoder does not have.
fn none_or_sigmoid(activation: ClassActivation, name: FamilyName) -> Result<Activation, UnfitKey> {
    match activation {
        ClassActivation::None => Ok(Activation::None),
        ClassActivation::Sigmoid => Ok(Activation::Sigmoid),
        ClassActivation::Softmax => Err(UnfitKey {
            key: "class_activation",
            expected: "none or sigmoid".to_owned(),
            found: format!("softmax with family {}", name.name()),
        }),
    }
}

/// Checks the share of the picture that a classifier sees.
fn crop(crop: Option<f64>) -> Result<f64, UnfitKey> {
    match crop {
        None => Ok(1.0),
        Some(share) if 0.0 < share && share <= 1.0 => Ok(share),
        Some(other) => Err(UnfitKey {
            key: "crop",
            expected: "a share of the picture's shorter side above 0 and up to 1".to_owned(),
            found: other.to_string(),
        }),
    }
}

fn layout(boxes: Option<BoxLayout>) -> Result<BoxLayout, UnfitKey> {
    /// More than any data set has.
    const MOST_FEATURES: usize = 65_536;
    let unfit = |key, expected: &str, found| {
        let expected = expected.to_owned();
        Err(UnfitKey {
            key,
            expected,
            found,
        })
    };
    let Some(layout) = boxes else {
        let expected = "yolov5, yolov8, or the keys of a layout";
        return unfit("boxes", expected, "nothing".to_owned());
    };
    if layout.axes[0] == layout.axes[1] {
        let expected = "[boxes, features] or [features, boxes]";
        return unfit("boxes.axes", expected, "one of them twice".to_owned());
    }
    if !(4..MOST_FEATURES).contains(&layout.classes_at) {
        let expected = "a feature after the four of the box, from 4 to 65535";
        return unfit("boxes.classes_at", expected, layout.classes_at.to_string());
    }
    match layout.objectness_at {
        Some(at) if !(4..layout.classes_at).contains(&at) => {
            let expected = "a feature between the four of the box and the classes";
            return unfit("boxes.objectness_at", expected, at.to_string());
        }
        None if layout.objectness_activation != Activation::None => {
            let expected = "the feature of the objectness, because objectness_activation is given";
            return unfit("boxes.objectness_at", expected, "nothing".to_owned());
        }
        _ => {}
    }
    match layout.boxes_per_cell {
        Some(count) if !(1..=64).contains(&count) => {
            let expected = "1 to 64 boxes";
            unfit("boxes.boxes_per_cell", expected, count.to_string())
        }
        _ => Ok(layout),
    }
}
