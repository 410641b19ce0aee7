//! `models/manifest.yaml`, and the description beside a user's own model, which has the same keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

use super::class_sets::{ClassSet, NamedClasses, WrongThreshold};
use super::family::{Anchor, BoxLayout, ClassActivation, Family, FamilyKeys, FamilyName, UnfitKey};
use super::manifest_file::ManifestFile;
use shuffledet_core::labels::{Label, Labels, LabelsError};
use shuffledet_core::{InputSpec, ResizeMode, yaml};

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
    class_activation: Option<ClassActivation>,
    anchors: Option<Vec<Anchor>>,
    boxes: Option<BoxLayout>,
    crop: Option<f64>,
    pub file: ManifestFile,
    pub figures: Figures,
    pub input: InputSpec,
    labels: LabelSource,
    score_threshold: Option<f32>,
    nms_iou_threshold: Option<f32>,
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
    /// AP and AP50 on the 64 images of COCO train2017 in docs/performance.md, from 0 to 1, over the
    /// 80 classes. `None` for a model with other classes and for a classifier.
    pub coco_ap: Option<f64>,
    pub coco_ap50: Option<f64>,
    /// The means of AP and AP50 over those classes of the set `road` that these images have: all but
    /// stop sign. `None` for a classifier.
    pub road_ap: Option<f64>,
    pub road_ap50: Option<f64>,
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
    class_activation: Option<ClassActivation>,
    anchors: Option<Vec<Anchor>>,
    boxes: Option<BoxLayout>,
    crop: Option<f64>,
    /// The origin of the file, accepted so that a manifest entry can be copied unchanged.
    file: Option<ManifestFile>,
    /// Accepted for the same reason.
    #[serde(rename = "figures")]
    _figures: Option<Figures>,
    input: InputSpec,
    labels: LabelSource,
    score_threshold: Option<f32>,
    nms_iou_threshold: Option<f32>,
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
    /// The authors' confidence threshold, in [0, 1]; 0 for a classifier.
    pub score_threshold: f32,
    /// The authors' IoU threshold of suppression, in [0, 1]; 0 for a classifier.
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
        yaml::parse(yaml).map_err(|source| ManifestError::Yaml {
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

    /// Returns the checked description of an entry of this manifest.
    pub fn describe(&self, entry: &ModelEntry) -> Result<ModelDescription, ManifestError> {
        let description = Sidecar {
            name: Some(entry.name.clone()),
            family: entry.family,
            class_activation: entry.class_activation,
            anchors: entry.anchors.clone(),
            boxes: entry.boxes,
            crop: entry.crop,
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
        let sidecar: Sidecar = yaml::parse(yaml).map_err(|source| ManifestError::Yaml {
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
        let is_classifier = raw.family == FamilyName::Classifier;
        for (key, side) in [
            ("input.width", raw.input.width),
            ("input.height", raw.input.height),
        ] {
            // only a detector's strides ask for multiples
            if is_classifier && !(1..=4096).contains(&side) {
                return Err(wrong(key, "1 to 4096 pixels", side.to_string()));
            }
            if !is_classifier && (side == 0 || side % 32 != 0 || side > 4096) {
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
        let threshold = |key, threshold: Option<f32>| match threshold {
            None if is_classifier => Ok(0.0),
            Some(given) if is_classifier => {
                let expected = "no threshold of a classifier";
                Err(wrong(key, expected, given.to_string()))
            }
            Some(threshold) if (0.0..=1.0).contains(&threshold) => Ok(threshold),
            Some(other) => Err(wrong(key, "a number from 0 to 1", other.to_string())),
            None => Err(wrong(key, "a number from 0 to 1", "nothing".to_owned())),
        };
        let score_threshold = threshold("score_threshold", raw.score_threshold)?;
        let nms_iou_threshold = threshold("nms_iou_threshold", raw.nms_iou_threshold)?;
        let cut = raw.crop.is_some_and(|crop| crop < 1.0);
        if is_classifier && cut && raw.input.resize == ResizeMode::Letterbox {
            let expected =
                "this key only with input.resize: stretch, because the crop has the input's shape";
            return Err(wrong("crop", expected, "resize: letterbox".to_owned()));
        }
        let keys = FamilyKeys {
            class_activation: raw.class_activation,
            anchors: raw.anchors,
            boxes: raw.boxes,
            crop: raw.crop,
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
            score_threshold,
            nms_iou_threshold,
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
mod tests;
