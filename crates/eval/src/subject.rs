//! What an evaluation is of: everything but the images, and what of it must be the same where results are joined.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AccuracySettings, Category, Shard};
use crate::camera::{CameraError, GroundPlane, Intrinsics};
use shuffledet_core::ModelIdentity;
use shuffledet_msg::CameraInfo;

/// Which model, under which parameters, on which data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    pub model: ModelIdentity,
    /// Every parameter as it was in force, as under `ros__parameters`.
    pub parameters: Value,
    /// The execution provider that ran, by ONNX Runtime's name.
    pub provider: String,
    /// Of shuffledet, ONNX Runtime, OpenCV.
    pub versions: BTreeMap<String, String>,
    /// One, or those of the shards, each once.
    pub machines: Vec<Machine>,
    pub dataset: DatasetDescription,
    pub settings: EvaluationSettings,
    /// `None` where all images are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    pub hostname: String,
    /// The processor's name.
    pub cpu: String,
    /// As many as this process may use.
    pub cores: usize,
    /// `linux x86_64`
    pub system: String,
}

/// The images and what is in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetDescription {
    /// The path of the annotations, or the topic that they are on, as given.
    pub annotations: String,
    /// `coco`, `kitti`, `yolo` or `bag`.
    pub format: String,
    /// Of the annotations' file; of a folder or a topic, of the ground truth as it was read.
    pub sha256: String,
    /// The path of the folder of images or of the recording, as given.
    pub images_in: String,
    /// How many images there are, in all shards together.
    pub image_count: u64,
    pub categories: Vec<Category>,
}

/// How it was evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationSettings {
    /// The least of the classes' thresholds: detections score more.
    pub score_threshold: f64,
    /// In force, the model's own where no parameter gives it.
    pub nms_iou_threshold: f64,
    /// The most detections of an image.
    pub max_detections: usize,
    /// Whether boxes end where the image does, as they are published.
    pub clip: bool,
    /// The most pixels of the network's input, as a multiple of the model's own, in force where the
    /// input follows the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_budget: Option<f64>,
    /// By the model's label, the category of the data set; labels that are none of it are absent.
    pub class_map: BTreeMap<String, String>,
    /// Of the file of the class map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_map_sha256: Option<String>,
    /// Of the file of the regions to ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_sha256: Option<String>,
    /// The most images, from the first on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How the camera stands, where distances are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraPlacement>,
}

impl EvaluationSettings {
    /// Describes for people which detections are counted.
    pub fn counted(&self) -> String {
        format!(
            "score > {}, at most {} detections an image, NMS IoU {}{}",
            self.score_threshold,
            self.max_detections,
            self.nms_iou_threshold,
            if self.clip { ", clipped" } else { "" }
        )
    }

    /// Returns the settings that decide what counts, and where.
    pub fn accuracy(&self) -> AccuracySettings {
        let defaults = AccuracySettings::default();
        let [one, ten, _] = defaults.max_detections;
        AccuracySettings {
            max_detections: [one, ten, self.max_detections],
            ..defaults
        }
    }
}

/// A calibrated camera above flat ground.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraPlacement {
    /// Above the ground.
    pub height_m: f64,
    /// Positive when it looks down.
    pub pitch_deg: f64,
    /// Of the calibration, as in `sensor_msgs/msg/CameraInfo`; so are the next three.
    pub width: u32,
    pub height: u32,
    pub distortion_model: String,
    pub d: Vec<f64>,
    pub k: [f64; 9],
}

impl CameraPlacement {
    /// Places the camera of a calibration above the ground.
    pub fn new(info: CameraInfo, height_m: f64, pitch_deg: f64) -> Self {
        CameraPlacement {
            height_m,
            pitch_deg,
            width: info.width,
            height: info.height,
            distortion_model: info.distortion_model,
            d: info.d,
            k: info.k,
        }
    }

    /// Returns the ground plane that its raw images see; rectified images differ.
    ///
    /// # Errors
    /// The camera is not calibrated, or is not above the ground.
    pub fn ground(&self) -> Result<GroundPlane, CameraError> {
        let info = CameraInfo {
            width: self.width,
            height: self.height,
            distortion_model: self.distortion_model.clone(),
            d: self.d.clone(),
            k: self.k,
            ..CameraInfo::default()
        };
        let intrinsics = Intrinsics::raw(&info)?;
        GroundPlane::new(intrinsics, self.height_m, self.pitch_deg.to_radians())
    }
}

impl Machine {
    /// Returns this machine; `unknown` if the system does not say.
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let known = |text: &str| match text.trim() {
            "" => "unknown".to_owned(),
            text => text.to_owned(),
        };
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| {
            let (key, name) = line.split_once(':')?;
            (key.trim() == "model name").then_some(name)
        });
        Machine {
            hostname: known(&read("/proc/sys/kernel/hostname")),
            cpu: known(cpu.unwrap_or_default()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

impl Subject {
    /// Returns everything that decides the results. Two evaluations with equal identities belong to
    /// the same run. It leaves out what may differ between machines: paths, the number of workers,
    /// and the share.
    pub fn identity(&self) -> Value {
        let mut parameters = self.parameters.clone();
        for (group, key) in [("model", "name"), ("runtime", "workers")] {
            if let Some(group) = parameters.get_mut(group).and_then(Value::as_object_mut) {
                group.remove(key);
            }
        }
        json!({
            "model": { "sha256": self.model.sha256 },
            "parameters": parameters,
            "provider": self.provider,
            "versions": self.versions,
            "annotations": {
                "sha256": self.dataset.sha256,
                "images": self.dataset.image_count,
                "categories": self.dataset.categories,
            },
            "settings": self.settings,
        })
    }
}

/// A place where two identities differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// As `parameters.detector.classes`.
    pub key: String,
    /// Null where the one does not have it.
    pub a: Value,
    /// Null where the other does not have it.
    pub b: Value,
}

impl Difference {
    /// Returns both values, shortened for people; `none` for null.
    pub fn values(&self) -> [String; 2] {
        [&self.a, &self.b].map(shortened)
    }
}

/// Returns the differences between two identities.
pub fn differing(a: &Value, b: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", a, b, &mut found);
    found
}

/// Describes the differences, such as `parameters.detector.classes: ["car"] there, [] here`.
pub fn differences(there: &Value, here: &Value) -> Vec<String> {
    differing(there, here)
        .iter()
        .map(|difference| {
            let [there, here] = difference.values();
            format!("{}: {there} there, {here} here", difference.key)
        })
        .collect()
}

fn compare(path: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(in_a), Value::Object(in_b)) = (a, b) {
        let only_b = in_b.keys().filter(|key| !in_a.contains_key(*key));
        for key in in_a.keys().chain(only_b) {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            compare(&path, &a[key], &b[key], found);
        }
    } else if a != b {
        found.push(Difference {
            key: path.to_owned(),
            a: a.clone(),
            b: b.clone(),
        });
    }
}

fn shortened(value: &Value) -> String {
    const MOST: usize = 80;
    if value.is_null() {
        return "none".to_owned();
    }
    let text = value.to_string();
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_place() {
        let there = json!({"a": {"b": 1, "c": [1]}, "d": "x", "gone": true});
        let here = json!({"a": {"b": 2, "c": [1]}, "d": "x", "new": {"e": null}});
        assert_eq!(
            differences(&there, &here),
            [
                "a.b: 1 there, 2 here",
                "gone: true there, none here",
                "new: none there, {\"e\":null} here"
            ]
        );
        assert!(differences(&there, &there).is_empty());
    }

    #[test]
    fn this_machine_has_a_core() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && !machine.hostname.is_empty());
    }
}
