//! What an evaluation came to. `docs/evaluation.md` documents its JSON form.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::distance::DEFAULT_BANDS_M;
use super::truth::AnnotatedIds;
use super::{
    Accuracy, DistanceBand, ImageRecord, Problem, Problems, Subject, accuracy, by_distance,
};
use crate::camera::CameraError;
use shuffledet_core::Stage;
use shuffledet_core::text;
use shuffledet_core::whole_file::{beside, keep};
use shuffledet_core::{FrameCounts, Quantiles, Resolution, StageHistograms};

/// The result: a pure function of its images, apart from what was measured of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Where the camera's height is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Vec<DistanceBand>>,
    /// What was wrong with the annotations and the images.
    pub problems: Problems,
    pub frames: FrameCounts,
    /// By stage; stages that no image completed are absent.
    pub latency_ms: BTreeMap<Stage, Quantiles>,
    pub throughput: Throughput,
    /// The runs of the model by the size of the network's input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_sizes: BTreeMap<Resolution, u64>,
    #[serde(flatten)]
    pub subject: Subject,
    /// By index. [`Evaluation::write_lines`] writes them, one by one; elsewhere the evaluation goes without.
    #[serde(skip_serializing)]
    pub images: Vec<ImageRecord>,
}

/// How fast it went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Processed images per second of `wall_s`; of shards, of each on average.
    pub fps: f64,
    /// Seconds that the images took, loading the model not counted; of shards and of resumed runs, all together.
    pub wall_s: f64,
    /// Whole images worked on in parallel; of shards, the most.
    pub workers: usize,
}

/// Why an evaluation cannot be read or written.
#[derive(Debug, Error)]
pub enum EvaluationError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not an evaluation file; expected a file that `shuffledet eval --output` wrote: {source}", path.display())]
    NotAnEvaluation {
        path: PathBuf,
        source: serde_json::Error,
    },
}

impl Evaluation {
    /// Evaluates `images`, in any order; `problems` are those of the annotations.
    ///
    /// # Errors
    /// The subject's camera sees no ground.
    pub fn new(
        subject: Subject,
        mut problems: Problems,
        mut images: Vec<ImageRecord>,
        wall_s: f64,
        workers: usize,
    ) -> Result<Self, CameraError> {
        images.sort_by_key(|image| image.index);
        let all: Vec<&ImageRecord> = images.iter().collect();
        let settings = subject.settings.accuracy();
        let categories = &subject.dataset.categories;
        let bands = subject.settings.camera.as_ref().map(|camera| {
            let ground = camera.ground()?;
            Ok(by_distance(
                categories,
                &all,
                &settings,
                &ground,
                &DEFAULT_BANDS_M,
            ))
        });
        images
            .iter()
            .for_each(|image| add_problems(image, &mut problems));
        let frames = frames(&images);
        let mut input_sizes = BTreeMap::new();
        for &size in images.iter().flat_map(|image| &image.input_sizes) {
            *input_sizes.entry(size).or_default() += 1;
        }
        Ok(Evaluation {
            accuracy: accuracy(categories, &all, &settings),
            distance: bands.transpose()?,
            problems,
            latency_ms: histograms(&images).quantiles().into_iter().collect(),
            throughput: Throughput {
                fps: if wall_s > 0.0 {
                    frames.published as f64 / wall_s
                } else {
                    0.0
                },
                wall_s,
                workers,
            },
            frames,
            input_sizes,
            subject,
            images,
        })
    }

    /// Reads what [`Evaluation::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, EvaluationError> {
        let text = text::read(path).map_err(|source| EvaluationError::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| EvaluationError::NotAnEvaluation {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes the file whole: one JSON object, with a line for each key and for each image.
    pub fn write(&self, path: &Path) -> Result<(), EvaluationError> {
        let written = beside(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            self.write_lines(&mut out)?;
            keep(
                out.into_inner().map_err(io::IntoInnerError::into_error)?,
                path,
            )
        });
        written.map_err(|source| EvaluationError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes the evaluation as lines of JSON to `out`.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        let head = serde_json::to_value(self)?;
        writeln!(out, "{{")?;
        for (key, value) in head.as_object().into_iter().flatten() {
            writeln!(out, "{}: {value},", Value::from(key.as_str()))?;
        }
        write!(out, "\"images\": [")?;
        for (i, image) in self.images.iter().enumerate() {
            out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, image)?;
        }
        writeln!(out, "\n]\n}}")
    }

    /// Writes COCO's results format: every detection of every image, with the ids that the annotations have.
    pub fn write_coco_results(&self, path: &Path, ids: &AnnotatedIds) -> io::Result<()> {
        #[derive(Serialize)]
        struct Row {
            image_id: Value,
            category_id: Value,
            bbox: [f64; 4],
            score: f64,
        }
        let mut out = BufWriter::new(beside(path)?);
        let mut begin: &[u8] = b"[\n";
        for image in &self.images {
            for found in &image.detections {
                out.write_all(begin)?;
                begin = b",\n";
                let row = Row {
                    image_id: ids.image(image.id),
                    category_id: ids.category(found.category_id),
                    bbox: found.bbox,
                    score: found.score,
                };
                serde_json::to_writer(&mut out, &row)?;
            }
        }
        out.write_all(if begin == b"[\n" { b"[]\n" } else { b"\n]\n" })?;
        keep(
            out.into_inner().map_err(io::IntoInnerError::into_error)?,
            path,
        )
    }

    /// Returns the durations of every stage over all images.
    pub fn histograms(&self) -> StageHistograms {
        histograms(&self.images)
    }

    /// Whether any image could not be processed.
    pub fn any_failed(&self) -> bool {
        !self.frames.failed.is_empty()
    }
}

/// Counts the problems of an image by kind.
pub fn add_problems(image: &ImageRecord, problems: &mut Problems) {
    let title = image.source.title();
    if let Some([width, height]) = image.annotated_size {
        let found = format!("{}x{}", image.width, image.height);
        let place = format!("{title}: {found}, annotated as {width}x{height}");
        problems.add(Problem::ImageSize, place);
    }
    if let Some(damage) = &image.damage {
        problems.add(Problem::ImageDamaged, format!("{title}: {damage}"));
    }
    if let Some(failure) = &image.failure {
        let problem = if failure.is_missing() {
            Problem::ImageMissing
        } else {
            Problem::ImageFailed
        };
        problems.add(problem, format!("{title}: {failure}"));
    }
}

/// Counts the outcomes. Every image has one; lossless runs drop none.
fn frames(images: &[ImageRecord]) -> FrameCounts {
    let mut frames = FrameCounts::default();
    for image in images {
        frames.received += 1;
        match &image.failure {
            None => frames.published += 1,
            Some(failure) => *frames.failed.entry(failure.reason.clone()).or_default() += 1,
        }
    }
    frames
}

fn histograms(images: &[ImageRecord]) -> StageHistograms {
    let mut histograms = StageHistograms::default();
    for stage in Stage::ALL {
        let times = images
            .iter()
            .filter_map(|image| image.stages_ms.get(stage.name()));
        times.for_each(|&ms| histograms.record_ms(stage, ms));
    }
    histograms
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::fixtures::{BOX, evaluation, images, subject};

    #[test]
    fn it_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/e.json");
        let written = evaluation();
        written.write(&path).unwrap();
        assert_eq!(Evaluation::read(&path).unwrap(), written);
        let text = fs::read_to_string(&path).unwrap();
        let keys: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let keys: Vec<&str> = keys.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "AP",
                "AP50",
                "AP75",
                "APs",
                "APm",
                "APl",
                "AR1",
                "AR10",
                "AR100",
                "ARs",
                "ARm",
                "ARl",
                "per_class",
                "confusion",
                "problems",
                "frames",
                "latency_ms",
                "throughput",
                "model",
                "parameters",
                "provider",
                "versions",
                "machines",
                "dataset",
                "settings",
                "images"
            ]
        );
        fs::write(&path, "{}").unwrap();
        let error = Evaluation::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("that `shuffledet eval --output` wrote"),
            "{error}"
        );
    }

    #[test]
    fn every_image_has_an_outcome_and_every_problem_a_name() {
        let evaluation = evaluation();
        assert_eq!(
            (evaluation.frames.received, evaluation.frames.published),
            (5, 4)
        );
        assert_eq!(
            evaluation.frames.failed,
            [("image_missing".to_owned(), 1)].into()
        );
        assert_eq!(evaluation.throughput.fps, 1.0);
        assert_eq!(evaluation.problems.count(Problem::ImageMissing), 1);
        assert_eq!(evaluation.problems.count(Problem::ImageSize), 1);
        assert_eq!(evaluation.problems.total(), 2);
        let infer = evaluation.latency_ms[&Stage::Infer];
        assert!((infer.min - 6.0).abs() < 0.01 && (infer.max - 10.0).abs() < 0.01);
    }

    #[test]
    fn the_order_in_which_images_were_done_does_not_matter() {
        let mut shuffled = images();
        shuffled.reverse();
        shuffled.swap(0, 2);
        let other = Evaluation::new(subject(), Problems::default(), shuffled, 4.0, 2).unwrap();
        assert_eq!(other, evaluation());
    }

    #[test]
    fn coco_results_are_a_list_of_detections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let mut evaluation = evaluation();
        evaluation
            .write_coco_results(&path, &AnnotatedIds::default())
            .unwrap();
        let rows: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!(
            rows[2],
            json!({"image_id": 3, "category_id": 1, "bbox": BOX, "score": 0.9})
        );
        evaluation.images.clear();
        evaluation
            .write_coco_results(&path, &AnnotatedIds::default())
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[]\n");
    }
}
