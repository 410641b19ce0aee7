//! Small evaluations and their parts, for tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use shuffledet_core::ModelIdentity;

use crate::bootstrap::BootstrapSettings;
use crate::compare::{CompareSettings, LatencyRule};
use crate::subject::{DatasetDescription, EvaluationSettings, Machine};
use crate::tracks::{
    ClassNames, Marks, Protocol, Sequence, SequencePair, TrackBox, TrackCompareSettings,
    TrackDataset, TrackEvaluation,
};
use crate::truth::ImageFiles;
use crate::{
    Category, DetectionResult, Evaluation, Failure, ImageRecord, ImageSource, Object, Problems,
    Subject,
};

/// Where the object of each of [`images`] is.
pub const BOX: [f64; 4] = [10.0, 20.0, 30.0, 40.0];

pub fn subject() -> Subject {
    Subject {
        model: ModelIdentity {
            name: "m".to_owned(),
            sha256: "00ff".to_owned(),
            ..ModelIdentity::default()
        },
        parameters: json!({"model": {"name": "m"}, "runtime": {"workers": 0}}),
        provider: "CPUExecutionProvider".to_owned(),
        versions: [("shuffledet".to_owned(), "0.1.0".to_owned())].into(),
        machines: vec![Machine::this()],
        dataset: DatasetDescription {
            annotations: "a.json".to_owned(),
            format: "coco".to_owned(),
            sha256: "aa".to_owned(),
            images_in: "images".to_owned(),
            image_count: 5,
            categories: vec![category(1), category(2)],
        },
        settings: EvaluationSettings {
            score_threshold: 0.001,
            nms_iou_threshold: 0.6,
            max_detections: 100,
            clip: true,
            input_budget: None,
            class_map: [("m1".to_owned(), "class 1".to_owned())].into(),
            class_map_sha256: None,
            ignore_sha256: None,
            limit: None,
            camera: None,
        },
        shard: None,
    }
}

/// Returns five images: the file of one is missing; in each of the others the only object is found.
pub fn images() -> Vec<ImageRecord> {
    let mut images: Vec<ImageRecord> = (0..5)
        .map(|index| {
            let record = image(index, vec![object(1, BOX)], vec![found(1, BOX, 0.9)]);
            let ms = 6.0 + index as f64;
            let stages_ms = [("infer".to_owned(), ms), ("total".to_owned(), 2.0 * ms)].into();
            ImageRecord {
                stages_ms,
                ..record
            }
        })
        .collect();
    images[2] = ImageRecord {
        failure: Some(Failure::missing("2.jpg: gone".to_owned())),
        annotated_size: Some([9, 9]),
        ..image(2, Vec::new(), Vec::new())
    };
    images
}

pub fn evaluation() -> Evaluation {
    Evaluation::new(subject(), Problems::default(), images(), 4.0, 2).unwrap()
}

pub fn category(id: u64) -> Category {
    let name = format!("class {id}");
    Category { id, name }
}

/// Returns an object that counts, as large as its box.
pub fn object(category_id: u64, bbox: [f64; 4]) -> Object {
    Object::in_box(1, category_id, bbox)
}

pub fn found(category_id: u64, bbox: [f64; 4], score: f64) -> DetectionResult {
    DetectionResult {
        category_id,
        bbox,
        score,
    }
}

pub fn image(id: u64, objects: Vec<Object>, detections: Vec<DetectionResult>) -> ImageRecord {
    ImageRecord {
        index: id,
        id,
        source: ImageSource::File {
            file_name: format!("{id}.jpg"),
        },
        width: 1000,
        height: 1000,
        annotated_size: None,
        objects,
        detections,
        input_sizes: Vec::new(),
        stages_ms: BTreeMap::new(),
        damage: None,
        failure: None,
    }
}

/// Few resamples, so that a test is done soon.
pub const COMPARE_SETTINGS: CompareSettings = CompareSettings {
    bootstrap: BootstrapSettings {
        resamples: 400,
        confidence: 0.95,
        seed: 0,
        max_detections: 100,
        threads: 1,
    },
    latency: LatencyRule {
        p_value: 0.01,
        margin: 0.1,
        least_ms: 0.05,
    },
    operating_score: 0.25,
    allow_different_truth: false,
};

/// Returns images with one object of each class. The boxes of the detections are shifted by `shift`
/// px. Inference takes about `infer_ms`, and varies slowly from frame to frame with `seed`.
pub fn noisy_images(count: u64, shift: f64, infer_ms: f64, seed: u64) -> Vec<ImageRecord> {
    let mut noise = fastrand::Rng::with_seed(seed);
    let mut load = 0.0;
    (0..count)
        .map(|index| {
            let truth = &mut fastrand::Rng::with_seed(index);
            let mut boxes = || [200.0 * truth.f64(), 200.0 * truth.f64(), 60.0, 60.0];
            let objects = vec![object(1, boxes()), object(2, boxes())];
            let moved = |o: &Object, rng: &mut fastrand::Rng| {
                let [x, y, w, h] = o.bbox;
                found(
                    o.category_id,
                    [x + shift * rng.f64(), y, w, h],
                    0.3 + 0.6 * rng.f64(),
                )
            };
            let detections = objects.iter().map(|o| moved(o, truth)).collect();
            load = 0.9 * load + 0.03 * infer_ms * (noise.f64() - 0.5);
            let ms = infer_ms + load + 0.05 * infer_ms * noise.f64();
            let stages_ms = [
                ("infer", ms),
                ("nms", 0.01 * ms),
                ("total", ms + 3.0),
                ("queue", 9.0 * ms),
            ];
            ImageRecord {
                stages_ms: stages_ms.map(|(stage, ms)| (stage.to_owned(), ms)).into(),
                ..image(index, objects, detections)
            }
        })
        .collect()
}

/// Files that stand for the images of a folder.
pub struct StandIns {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

/// Returns the .png and .jpg files of a folder. A file with a text such as `200x100` stands for an
/// image of that size; other files have no image.
pub fn image_files(folder: &Path) -> StandIns {
    let entries = fs::read_dir(folder).expect("the test has made the folder");
    let paths = entries.map(|entry| entry.expect("the test has made the file").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "png" || e == "jpg"))
        .collect();
    files.sort();
    StandIns {
        folder: folder.to_owned(),
        files,
    }
}

impl StandIns {
    pub fn as_files(&self) -> ImageFiles<'_> {
        ImageFiles {
            folder: &self.folder,
            files: &self.files,
            size: &|path| {
                let text = fs::read_to_string(path).ok()?;
                let (width, height) = text.split_once('x')?;
                Some((width.parse().ok()?, height.parse().ok()?))
            },
        }
    }
}

pub const TRACK_COMPARE_SETTINGS: TrackCompareSettings = TrackCompareSettings {
    resamples: 500,
    confidence: 0.95,
    seed: 0,
    threads: 1,
};

/// Sequences of 60 frames with a car each that a tracker finds in every frame. With `switches` it gets
/// another id that many times, more in some sequences.
pub fn track_evaluation(sequences: usize, switches: usize) -> TrackEvaluation {
    const FRAMES: usize = 60;
    let mut names = ClassNames::default();
    let class = names.position("car");
    let pairs = (0..sequences).map(|at| {
        let runs = if switches == 0 {
            1
        } else {
            switches + at % 3 + 1
        };
        let boxes = |id: &dyn Fn(usize) -> u64| {
            let one = |frame| TrackBox {
                frame,
                id: id(frame),
                class,
                corners: [frame as f64, 0.0, frame as f64 + 20.0, 10.0],
                marks: Marks::default(),
            };
            Sequence {
                name: format!("{at:04}"),
                length: Some(FRAMES),
                boxes: (0..FRAMES).map(one).collect(),
            }
        };
        SequencePair {
            truth: boxes(&|_| 1),
            tracks: boxes(&|frame| (frame * runs / FRAMES) as u64),
        }
    });
    let pairs = pairs.collect();
    let dataset = TrackDataset {
        truth: "truth".to_owned(),
        format: "mot".to_owned(),
        sha256: "aa".to_owned(),
        tracks: "tracks".to_owned(),
        protocol: Protocol::Plain,
    };
    TrackEvaluation::new(dataset, names, pairs).expect("a car is in each sequence")
}
