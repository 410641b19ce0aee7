//! Guesses a model's family from the shapes of its outputs.

use crate::model::OutputDecoder;
use crate::model::family::{
    Activation, Anchor, Axis, BoxLayout, ClassActivation, ClassifierForm, Family,
};
use crate::model::scores;

/// More classes than any detector has; their names are written one by one.
const MOST_CLASSES: usize = 100_000;

/// A family whose output shapes are those of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    pub family: Family,
    pub classes: usize,
    /// What a user must check about a layout of boxes besides the form, to be appended to it.
    pub doubt: &'static str,
}

/// The anchors of Yolo-FastestV2's authors for COCO at 352x352.
const COCO_ANCHORS: [[Anchor; 3]; 2] = [
    [[12.64, 19.39], [37.88, 51.48], [55.71, 138.31]],
    [[126.91, 78.23], [131.57, 214.55], [279.92, 258.87]],
];

/// What is known about a model besides the family.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The width and height of the input in pixels.
    pub size: (u32, u32),
    /// By output, -1 for a dimension that is not fixed.
    pub shapes: &'a [Vec<i64>],
    /// By output, whether it contains probabilities.
    pub probabilities: &'a [bool],
    /// The number of class names in the metadata.
    pub names: Option<usize>,
}

impl Known<'_> {
    /// Returns the first family that fits; grids first, because a boxes output is less specific.
    pub fn guess(&self) -> Option<Guess> {
        self.six_outputs()
            .or_else(|| self.grid())
            .or_else(|| self.one_row())
            .or_else(|| self.boxes())
            .or_else(|| self.classifier())
    }

    /// A classifier whose output is a row for each picture of a batch, which could also be boxes.
    fn one_row(&self) -> Option<Guess> {
        match self.shapes {
            [shape] if matches!(shape[..], [-1 | 1, _]) => self.classifier(),
            _ => None,
        }
    }

    fn fits(&self, family: Family, classes: i64, doubt: &'static str) -> Option<Guess> {
        let classes = usize::try_from(classes).ok()?;
        if !(1..=MOST_CLASSES).contains(&classes) {
            return None;
        }
        OutputDecoder::new(&family, self.size, self.size, classes, self.shapes).ok()?;
        Some(Guess {
            family,
            classes,
            doubt,
        })
    }

    fn class_activation(&self) -> Activation {
        if self.probabilities.contains(&true) {
            Activation::None
        } else {
            Activation::Sigmoid
        }
    }

    fn six_outputs(&self) -> Option<Guess> {
        if self.shapes.len() != 6 {
            return None;
        }
        let class_activation = self.class_activation();
        let dimensions = self.shapes.iter().flatten();
        dimensions.copied().find_map(|classes| {
            let nanodet = Family::NanoDet { class_activation };
            let yolo = Family::YoloFastestV2 {
                anchors: COCO_ANCHORS,
            };
            self.fits(nanodet, classes, "")
                .or_else(|| self.fits(yolo, classes, ""))
        })
    }

    fn grid(&self) -> Option<Guess> {
        let [shape] = self.shapes else {
            return None;
        };
        if let [.., channels, _, _] = shape.as_slice()
            && let Some(guess) = self.fits(Family::FastestDet, channels - 5, "")
        {
            return Some(guess);
        }
        // a fixed number of cells of strides 8 to 64, which no YOLO model has
        let &[.., cells, width] = shape.as_slice() else {
            return None;
        };
        if cells == -1 {
            return None;
        }
        let class_activation = self.class_activation();
        self.fits(Family::NanoDetPlus { class_activation }, width - 32, "")
    }

    fn boxes(&self) -> Option<Guess> {
        const BY_ORDER: &str =
            "; with an objectness if boxes are the first axis, as yolov5, without as yolov8";
        let shape = self.shapes.first()?;
        let &[a, b] = shape.get(shape.len().checked_sub(2)?..)? else {
            return None;
        };
        let by_axis = [(BoxLayout::YOLOV8, a), (BoxLayout::YOLOV5, b)];
        if let Some(names) = self.names {
            // boxes first with and without objectness, features first with and without
            return by_axis.into_iter().find_map(|(preset, features)| {
                [BoxLayout::YOLOV8, BoxLayout::YOLOV5]
                    .into_iter()
                    .find_map(|other| {
                        let layout = BoxLayout {
                            axes: preset.axes,
                            ..other
                        };
                        let all = i64::try_from(names + layout.classes_at).ok()?;
                        (features == all)
                            .then(|| self.fits(self.layout(layout), names as i64, ""))
                            .flatten()
                    })
            });
        }
        // there are more boxes than features
        let (preset, features) = match (a, b) {
            (-1, -1) => return None,
            (features, boxes) if features != -1 && (boxes == -1 || features < boxes) => by_axis[0],
            _ => by_axis[1],
        };
        let classes = features - preset.classes_at as i64;
        self.fits(self.layout(preset), classes, BY_ORDER)
    }

    fn classifier(&self) -> Option<Guess> {
        let classes = classifier_classes(self.shapes)?;
        let activation = match self.probabilities {
            [true] => ClassActivation::None,
            _ => ClassActivation::Softmax,
        };
        let whole = 1.0;
        // the usual evaluation on ImageNet: the shorter side to 256, then the centre of 224
        let crop = if classes == 1000 { 0.875 } else { whole };
        Some(Guess {
            family: Family::Classifier(ClassifierForm { activation, crop }),
            classes,
            doubt: "",
        })
    }

    /// Adds the activations that the graph leaves out.
    fn layout(&self, layout: BoxLayout) -> Family {
        let activated = self.probabilities.first() == Some(&true);
        Family::Boxes(match layout.objectness_at {
            // most graphs decode boxes with the same Sigmoid, which is then hard to follow
            Some(_) => layout,
            None if activated => layout,
            None => BoxLayout {
                class_activation: ClassActivation::Sigmoid,
                ..layout
            },
        })
    }
}

/// Returns the number of classes if the outputs are those of a classifier.
pub fn classifier_classes(shapes: &[Vec<i64>]) -> Option<usize> {
    let [shape] = shapes else {
        return None;
    };
    let classes = scores::classes_of(shape)?;
    (2..=MOST_CLASSES).contains(&classes).then_some(classes)
}

/// Returns the preset with these properties, if there is one.
pub fn preset(layout: &BoxLayout) -> Option<&'static str> {
    [("yolov5", BoxLayout::YOLOV5), ("yolov8", BoxLayout::YOLOV8)]
        .into_iter()
        .find_map(|(name, preset)| (*layout == preset).then_some(name))
}

/// Returns the name of an axis in descriptions.
pub fn axis(axis: Axis) -> &'static str {
    match axis {
        Axis::Boxes => "boxes",
        Axis::Features => "features",
    }
}
