//! `models/manifest.yaml`, and the description beside a user's own model, which has the same keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

use super::class_sets::{ClassSet, NamedClasses, WrongThreshold};
use super::family::{Activation, Anchor, BoxLayout, Family, FamilyKeys, FamilyName, UnfitKey};
use super::manifest_file::ManifestFile;
use shuffledet_core::InputSpec;
use shuffledet_core::labels::{Label, Labels, LabelsError};

/// The bounds of `input_budget` and of the parameter `model.input_budget`.
pub const LEAST_INPUT_BUDGET: f64 = 0.05;
pub const MOST_INPUT_BUDGET: f64 = 16.0;

/// The manifest of this build.
const SHIPPED: &str = include_str!("../../../../models/manifest.yaml");

/// All models, label sets, class sets and samples with names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    label_sets: BTreeMap<String, Vec<Label>>,
    class_sets: BTreeMap<String, NamedClasses>,
    pub models: Vec<ModelEntry>,
    pub samples: Vec<Sample>,
}

/// A model's entry in the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    pub name: String,
    pub family: FamilyName,
    class_activation: Option<Activation>,
    anchors: Option<Vec<Anchor>>,
    boxes: Option<BoxLayout>,
    pub file: ManifestFile,
    pub figures: Figures,
    pub input: InputSpec,
    labels: LabelSource,
    score_threshold: f32,
    nms_iou_threshold: f32,
    input_budget: Option<f64>,
    #[serde(default)]
    class_thresholds: ClassThresholds,
}

/// What a shipped model costs and finds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// As `shuffledet models inspect` counts them, at the size of `input`.
    pub parameters: u64,
    pub multiply_adds: u64,
    /// AP and AP50 on the 64 images of COCO train2017 in docs/performance.md, from 0 to 1.
    pub coco_ap: f64,
    pub coco_ap50: f64,
}

/// Score thresholds by class set and class.
type ClassThresholds = BTreeMap<String, BTreeMap<String, f32>>;

/// The description file of a user's own model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    name: Option<String>,
    family: FamilyName,
    /// See [`Family::new`].
    class_activation: Option<Activation>,
    anchors: Option<Vec<Anchor>>,
    boxes: Option<BoxLayout>,
    /// The origin of the file, accepted so that a manifest entry can be copied unchanged.
    file: Option<ManifestFile>,
    /// Accepted for the same reason.
    #[serde(rename = "figures")]
    _figures: Option<Figures>,
    input: InputSpec,
    labels: LabelSource,
    score_threshold: f32,
    nms_iou_threshold: f32,
    input_budget: Option<f64>,
    #[serde(default)]
    class_thresholds: ClassThresholds,
}

/// A sample recording.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    pub name: String,
    pub file: ManifestFile,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "labels: the name of a label set (coco), a list of names, or a list of {name, category_id}"
)]
enum LabelSource {
    Set(String),
    Names(Vec<String>),
    Labels(Vec<Label>),
}

/// The checked description of a model: its input, its decoder and its classes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDescription {
    pub name: String,
    pub family: Family,
    /// The required sha256 of the file in lower-case hexadecimal, if the description gives it.
    pub sha256: Option<String>,
    pub input: InputSpec,
    pub labels: Labels,
    /// The authors' confidence threshold, in [0, 1].
    pub score_threshold: f32,
    /// The authors' IoU threshold of suppression, in [0, 1].
    pub nms_iou_threshold: f32,
    /// The default of `model.input_budget`: the most pixels of the input, as a multiple of those of
    /// `input`; above 0.
    pub input_budget: f64,
    /// The class sets, with the classes that this model has.
    pub class_sets: Vec<ClassSet>,
}

/// Why a description is refused. `origin` is its file.
#[derive(Debug, Error)]
pub enum ManifestError {
    #[error("{origin}: {source}")]
    Yaml {
        origin: String,
        source: serde_yaml::Error,
    },
    #[error("{origin}: {key}: expected {expected}, found {found}")]
    Value {
        origin: String,
        key: &'static str,
        expected: String,
        found: String,
    },
    #[error("{origin}: labels: {source}")]
    Labels { origin: String, source: LabelsError },
    #[error("no model is named {name:?}; expected one of: {known}, or the path of an .onnx file")]
    UnknownModel { name: String, known: String },
}

impl Manifest {
    /// Returns the manifest built into this program.
    pub fn shipped() -> Result<Self, ManifestError> {
        Self::parse(SHIPPED, "models/manifest.yaml")
    }

    fn parse(yaml: &str, origin: &str) -> Result<Self, ManifestError> {
        serde_yaml::from_str(yaml).map_err(|source| ManifestError::Yaml {
            origin: origin.to_owned(),
            source,
        })
    }

    /// Returns the entry of that name.
    ///
    /// # Errors
    /// [`ManifestError::UnknownModel`], which lists the known names.
    pub fn model(&self, name: &str) -> Result<&ModelEntry, ManifestError> {
        self.models
            .iter()
            .find(|model| model.name == name)
            .ok_or_else(|| {
                let known: Vec<_> = self
                    .models
                    .iter()
                    .map(|model| model.name.as_str())
                    .collect();
                ManifestError::UnknownModel {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            })
    }

    /// Returns the first model whose file is in `folder`.
    pub fn first_fetched(&self, folder: &Path) -> Option<&ModelEntry> {
        self.models
            .iter()
            .find(|model| folder.join(&model.file.name).is_file())
    }

    /// Returns the checked description of an entry of this manifest.
    pub fn describe(&self, entry: &ModelEntry) -> Result<ModelDescription, ManifestError> {
        let description = Sidecar {
            name: Some(entry.name.clone()),
            family: entry.family,
            class_activation: entry.class_activation,
            anchors: entry.anchors.clone(),
            boxes: entry.boxes,
            file: Some(entry.file.clone()),
            _figures: None,
            input: entry.input.clone(),
            labels: entry.labels.clone(),
            score_threshold: entry.score_threshold,
            nms_iou_threshold: entry.nms_iou_threshold,
            input_budget: entry.input_budget,
            class_thresholds: entry.class_thresholds.clone(),
        };
        self.check(description, "models/manifest.yaml", &entry.name)
    }

    /// Parses the description of a user's own model from the text of `path`. The file's stem names
    /// the model unless the description has a name.
    ///
    /// # Errors
    /// The text is not YAML of that form, a key is missing or unknown, or a value is out of range.
    pub fn describe_sidecar(
        &self,
        yaml: &str,
        path: &Path,
    ) -> Result<ModelDescription, ManifestError> {
        let origin = path.display().to_string();
        let sidecar: Sidecar =
            serde_yaml::from_str(yaml).map_err(|source| ManifestError::Yaml {
                origin: origin.clone(),
                source,
            })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        self.check(sidecar, &origin, &stem)
    }

    fn check(
        &self,
        raw: Sidecar,
        origin: &str,
        name: &str,
    ) -> Result<ModelDescription, ManifestError> {
        let wrong = |key, expected: &str, found: String| ManifestError::Value {
            origin: origin.to_owned(),
            key,
            expected: expected.to_owned(),
            found,
        };
        for (key, side) in [
            ("input.width", raw.input.width),
            ("input.height", raw.input.height),
        ] {
            if side == 0 || side % 32 != 0 || side > 4096 {
                return Err(wrong(key, "a multiple of 32 up to 4096", side.to_string()));
            }
        }
        if !raw.input.mean.iter().all(|mean| mean.is_finite()) {
            let found = format!("{:?}", raw.input.mean);
            return Err(wrong("input.mean", "three finite numbers", found));
        }
        if !raw
            .input
            .std
            .iter()
            .all(|std| std.is_finite() && *std > 0.0)
        {
            let found = format!("{:?}", raw.input.std);
            return Err(wrong("input.std", "three numbers above 0", found));
        }
        for (key, threshold) in [
            ("score_threshold", raw.score_threshold),
            ("nms_iou_threshold", raw.nms_iou_threshold),
        ] {
            if !(0.0..=1.0).contains(&threshold) {
                return Err(wrong(key, "a number from 0 to 1", threshold.to_string()));
            }
        }
        let keys = FamilyKeys {
            class_activation: raw.class_activation,
            anchors: raw.anchors,
            boxes: raw.boxes,
        };
        let unfit = |UnfitKey {
                         key,
                         expected,
                         found,
                     }| wrong(key, &expected, found);
        let input_budget = raw.input_budget.unwrap_or(1.0);
        if !(LEAST_INPUT_BUDGET..=MOST_INPUT_BUDGET).contains(&input_budget) {
            let expected = format!("a number from {LEAST_INPUT_BUDGET} to {MOST_INPUT_BUDGET}");
            return Err(wrong("input_budget", &expected, input_budget.to_string()));
        }
        let labels = self.labels(raw.labels, origin)?;
        let class_sets = self.class_sets(&labels, &raw.class_thresholds, origin)?;
        Ok(ModelDescription {
            name: raw.name.unwrap_or_else(|| name.to_owned()),
            family: Family::new(raw.family, keys).map_err(unfit)?,
            sha256: raw.file.map(|file| file.sha256),
            input: raw.input,
            labels,
            score_threshold: raw.score_threshold,
            nms_iou_threshold: raw.nms_iou_threshold,
            input_budget,
            class_sets,
        })
    }

    /// Returns the class sets for a model with `labels`. A label set is the class set of all its
    /// labels.
    fn class_sets(
        &self,
        labels: &Labels,
        thresholds: &ClassThresholds,
        origin: &str,
    ) -> Result<Vec<ClassSet>, ManifestError> {
        let label_sets = self.label_sets.iter().map(|(name, labels)| {
            let classes = labels.iter().map(|label| label.name.clone()).collect();
            (name, NamedClasses::apart(classes))
        });
        let named = self.class_sets.iter();
        let all = label_sets.chain(named.map(|(name, set)| (name, set.clone())));
        let mut sets: Vec<_> = all
            .map(|(name, set)| ClassSet::for_model(name, &set, labels))
            .collect();
        let wrong = |WrongThreshold { expected, found }| ManifestError::Value {
            origin: origin.to_owned(),
            key: "class_thresholds",
            expected,
            found,
        };
        for (name, thresholds) in thresholds {
            let known: Vec<_> = sets.iter().map(|set| set.name.clone()).collect();
            let set = sets.iter_mut().find(|set| set.name == *name);
            let set = set.ok_or_else(|| {
                let expected = format!("one of the class sets {known:?}");
                let found = name.clone();
                wrong(WrongThreshold { expected, found })
            })?;
            set.tune(thresholds, labels).map_err(wrong)?;
        }
        Ok(sets)
    }

    fn labels(&self, source: LabelSource, origin: &str) -> Result<Labels, ManifestError> {
        let labels = match source {
            LabelSource::Labels(labels) => labels,
            // data sets number their categories from 1
            LabelSource::Names(names) => (1..)
                .zip(names)
                .map(|(category_id, name)| Label { name, category_id })
                .collect(),
            LabelSource::Set(name) => {
                self.label_sets
                    .get(&name)
                    .cloned()
                    .ok_or_else(|| ManifestError::Value {
                        origin: origin.to_owned(),
                        key: "labels",
                        expected: format!("one of the label sets {:?}", self.label_sets.keys()),
                        found: name,
                    })?
            }
        };
        Labels::new(labels).map_err(|source| ManifestError::Labels {
            origin: origin.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest_file::Origin;
    use super::*;

    const SIDECAR: &str = "family: nanodet\nlabels: [car, bus]\nscore_threshold: 0.4\nnms_iou_threshold: 0.5\n\
        input: {width: 320, height: 320, colour: rgb, resize: letterbox, mean: [0, 0, 0], std: [255, 255, 255]}\n";

    fn describe(yaml: &str) -> Result<ModelDescription, ManifestError> {
        Manifest::shipped()
            .unwrap()
            .describe_sidecar(yaml, Path::new("a/mine.yaml"))
    }

    #[test]
    fn every_shipped_model_is_described() {
        let manifest = Manifest::shipped().unwrap();
        for entry in &manifest.models {
            let description = manifest.describe(entry).unwrap();
            assert_eq!(description.labels.count(), 80);
            assert_eq!(description.labels.category_id(79), 90);
            if let Origin::Ncnn(network) = &entry.file.origin {
                let size = (network.input_width, network.input_height);
                assert_eq!(size, (entry.input.width, entry.input.height));
            }
        }
    }

    #[test]
    fn the_set_road_is_known_to_every_shipped_model() {
        let manifest = Manifest::shipped().unwrap();
        for entry in &manifest.models {
            let description = manifest.describe(entry).unwrap();
            let [coco, road] = description.class_sets.as_slice() else {
                panic!("{:?}", description.class_sets)
            };
            assert_eq!((coco.name.as_str(), coco.classes.len()), ("coco", 80));
            assert_eq!((road.name.as_str(), road.classes.len()), ("road", 9));
            assert_eq!(road.nms_across, [vec![2, 5, 7], vec![1, 3]]);
            assert!(coco.absent.is_empty() && road.absent.is_empty());
        }
    }

    #[test]
    fn a_sidecar_takes_its_name_from_the_file() {
        let description = describe(SIDECAR).unwrap();
        assert_eq!(description.name, "mine");
        assert_eq!(description.labels.category_id(1), 2);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |yaml: &str| describe(yaml).unwrap_err().to_string();
        let wrong_side = message(&SIDECAR.replace("width: 320", "width: 300"));
        assert_eq!(
            wrong_side,
            "a/mine.yaml: input.width: expected a multiple of 32 up to 4096, found 300"
        );
        assert!(message(&SIDECAR.replace("[car, bus]", "kitti")).contains("kitti"));
        assert!(message(&format!("{SIDECAR}input_budget: 0\n")).contains("input_budget"));
        assert!(message(&SIDECAR.replace("0.4", "1.4")).contains("score_threshold"));
        assert!(
            message(&SIDECAR.replace("[255, 255, 255]", "[255, 0, 255]")).contains("input.std")
        );
        assert!(message(&SIDECAR.replace("family", "famly")).contains("famly"));
        assert!(message(&SIDECAR.replace("[car, bus]", "[]")).contains("empty"));
        let tuned = |thresholds: &str| message(&format!("{SIDECAR}class_thresholds: {thresholds}"));
        assert!(
            tuned("{rode: {car: 0.3}}").ends_with("class sets [\"coco\", \"road\"], found rode")
        );
        assert!(tuned("{road: {cat: 0.3}}").contains("the set \"road\", found cat"));
        assert!(tuned("{road: {car: 3}}").contains("from 0 to 1 for \"car\", found 3"));
        assert!(message(&SIDECAR.replace("[car, bus]", "{a: 1}")).contains("label set"));
    }

    #[test]
    fn each_family_has_its_keys() {
        let family = |keys: &str| describe(&SIDECAR.replace("family: nanodet\n", keys));
        let of = |keys: &str| family(keys).unwrap().family;
        let logits = of("family: nanodet_plus\nclass_activation: sigmoid\n");
        let class_activation = Activation::Sigmoid;
        assert_eq!(logits, Family::NanoDetPlus { class_activation });
        let anchors = "anchors: [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]\n";
        let Family::YoloFastestV2 { anchors } = of(&format!("family: yolo_fastestv2\n{anchors}"))
        else {
            panic!("another family")
        };
        assert_eq!((anchors[0][1], anchors[1][2]), ([3.0, 4.0], [11.0, 12.0]));
        let preset = Family::Boxes(BoxLayout::YOLOV8);
        assert_eq!(of("family: boxes\nboxes: yolov8\n"), preset);
        let keys = "{axes: [features, boxes], form: cxcywh, unit: pixels, classes_at: 4, boxes_per_cell: 1}";
        assert_eq!(of(&format!("family: boxes\nboxes: {keys}\n")), preset);
        assert_eq!(
            family("family: boxes\nboxes: yolov8\n")
                .unwrap()
                .input
                .padding,
            0
        );
    }

    #[test]
    fn mistakes_in_the_keys_of_a_family_are_named() {
        let layout = "{axes: [boxes, features], form: xyxy, unit: pixels, classes_at: 4}";
        let boxes = |from: &str, to: &str| {
            assert!(layout.contains(from));
            format!("family: boxes\nboxes: {}\n", layout.replace(from, to))
        };
        for (keys, expected) in [
            ("family: yolo\n".to_owned(), "unknown variant `yolo`"),
            (
                "family: fastestdet\nclass_activation: none\n".to_owned(),
                "class_activation: expected this key only with family nanodet or nanodet_plus (of a boxes model it is a \
                 key under boxes), found family fastestdet",
            ),
            (
                "family: nanodet\nanchors: []\n".to_owned(),
                "anchors: expected this key only with family yolo_fastestv2, found family nanodet",
            ),
            (
                "family: nanodet\nboxes: yolov5\n".to_owned(),
                "boxes: expected this key only with family boxes, found family nanodet",
            ),
            ("family: nanodet\nclass_activation: softmax\n".to_owned(), "class_activation: unknown variant `softmax`"),
            ("family: yolo_fastestv2\n".to_owned(), "anchors: expected six pairs"),
            ("family: yolo_fastestv2\nanchors: [[1, 2]]\n".to_owned(), "found 1 pairs"),
            ("family: yolo_fastestv2\nanchors: [[1, 2, 3]]\n".to_owned(), "anchors[0]: invalid length"),
            (
                "family: yolo_fastestv2\nanchors: [[1, 2], [3, 4], [5, 0], [7, 8], [9, 10], [11, 12]]\n".to_owned(),
                "found [[1.0, 2.0]",
            ),
            ("family: boxes\n".to_owned(), "boxes: expected yolov5, yolov8, or the keys of a layout, found nothing"),
            ("family: boxes\nboxes: yolov9\n".to_owned(), "boxes: invalid value: string \"yolov9\", expected yolov5, yolov8"),
            ("family: boxes\nboxes: [4]\n".to_owned(), "boxes: invalid type: sequence, expected yolov5, yolov8"),
            (boxes("form: xyxy", "form: yxyx"), "boxes.form: unknown variant `yxyx`, expected one of `cxcywh`"),
            (boxes("form: xyxy", "from: xyxy"), "boxes: unknown field `from`"),
            (boxes(", unit: pixels", ""), "missing field `unit`"),
            (boxes("features]", "boxes]"), "boxes.axes: expected [boxes, features] or [features, boxes], found"),
            (boxes("classes_at: 4", "classes_at: 3"), "boxes.classes_at: expected a feature after the four of the box"),
            (boxes("classes_at: 4", "classes_at: 5, objectness_at: 5"), "boxes.objectness_at: expected a feature between"),
            (boxes("classes_at: 4", "classes_at: 5, objectness_activation: sigmoid"), "found nothing"),
            (boxes("classes_at: 4", "classes_at: 4, boxes_per_cell: 0"), "boxes.boxes_per_cell: expected 1 to 64"),
        ] {
            let yaml = SIDECAR.replace("family: nanodet\n", &keys);
            let error = describe(&yaml).unwrap_err().to_string();
            assert!(error.starts_with("a/mine.yaml: "), "{error}");
            assert!(error.contains(expected), "{keys}{error}");
        }
        let padding = SIDECAR.replace("resize: letterbox", "resize: letterbox, padding: 256");
        let error = describe(&padding).unwrap_err().to_string();
        assert!(
            error.contains("input.padding: invalid value: integer `256`, expected u8"),
            "{error}"
        );
    }
}
