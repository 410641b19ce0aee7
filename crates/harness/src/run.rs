//! From images to records, through the same pipeline as every other frame.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::feed::{Feed, MissingImages};
use super::images::{ImageReader, MissingImage};
use shuffledet_bag::BagError;
use shuffledet_core::Detection;
use shuffledet_core::{Mark, Outcome, Stage};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::pipeline::{
    Frame, Pace, RunError, SharedSettings, Worker, run as run_pipeline,
};
use shuffledet_eval::record::as_written;
use shuffledet_eval::subject::EvaluationSettings;
use shuffledet_eval::{DetectionResult, Failure, ImageRecord, TruthImage};

/// How detections of `detector` are counted, with no class map, regions, limit or camera.
pub fn settings(detector: &DetectorSettings) -> EvaluationSettings {
    EvaluationSettings {
        score_threshold: as_written(detector.least_threshold()),
        nms_iou_threshold: as_written(detector.nms_iou_threshold),
        max_detections: detector.max_detections,
        clip: detector.clip,
        input_budget: None,
        class_map: BTreeMap::new(),
        class_map_sha256: None,
        ignore_sha256: None,
        limit: None,
        camera: None,
    }
}

/// The images that are evaluated, and what stands in them.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// All of the data set, by index.
    pub images: &'a [TruthImage],
    /// By class of the model: the category that its detections are of; those of `None` are left out.
    pub categories: &'a [Option<u64>],
}

/// Takes the images of `pending`, which `images` reads, through the pipeline. `done` gets each as it is finished, in the
/// order in which they are read; those that the recording does not have, at the end. Ends early when `stop` is set.
pub fn run<P: Send>(
    task: Task<'_>,
    pending: &[u64],
    images: &mut ImageReader<'_>,
    tuning: &Arc<SharedSettings>,
    workers: &mut [Worker],
    stop: &AtomicBool,
    mut done: impl FnMut(ImageRecord) -> Result<(), P>,
) -> Result<(), RunError<BagError, P>> {
    let mut left: BTreeSet<u64> = pending.iter().copied().collect();
    let missing = &MissingImages::default();
    run_pipeline(
        &mut Feed { images, missing },
        tuning,
        workers,
        Pace::Lossless,
        None,
        stop,
        |frame, outcome| {
            frame.trace.mark(Mark::Published);
            for missing in missing.take() {
                left.remove(&missing.index);
                done(task.missing(missing))?;
            }
            match frame.image {
                Some(index) => {
                    left.remove(&index);
                    done(task.record(index, frame, outcome))
                }
                // the reader numbers each
                None => Ok(()),
            }
        },
    )?;
    let mut rest = missing.take();
    rest.iter().for_each(|missing| {
        left.remove(&missing.index);
    });
    if !stop.load(Ordering::Relaxed) {
        rest.extend(left.into_iter().map(MissingImage::not_in_recording));
    }
    for missing in rest {
        done(task.missing(missing)).map_err(RunError::Sink)?;
    }
    Ok(())
}

impl Task<'_> {
    /// An image that cannot be read.
    fn missing(&self, missing: MissingImage) -> ImageRecord {
        // readers give out indices of `images`, which a slice's length bounds
        let image = self.images[missing.index as usize].record(missing.index);
        ImageRecord {
            failure: Some(missing.into()),
            ..image
        }
    }

    /// What became of an image.
    fn record(&self, index: u64, frame: &Frame, outcome: &Outcome) -> ImageRecord {
        // as in `missing`
        let image = self.images[index as usize].record(index);
        let failure = match outcome {
            Outcome::Published => None,
            Outcome::Dropped(reason) => Some(Failure {
                reason: reason.name().to_owned(),
                text: "dropped".to_owned(),
            }),
            Outcome::Failed(failure) => Some(failure.into()),
        };
        let (width, height) = frame.size.unwrap_or((image.width, image.height));
        let other =
            image.width > 0 && image.height > 0 && (width, height) != (image.width, image.height);
        let ms = |stage| Some(frame.trace.duration(stage)?.as_secs_f64() * 1e3);
        // nothing is published
        let stages = Stage::ALL.iter().filter(|&&stage| stage != Stage::Publish);
        let stages = stages
            .filter(|_| failure.is_none())
            .filter_map(|&stage| Some((stage.name().to_owned(), ms(stage)?)));
        ImageRecord {
            width,
            height,
            annotated_size: other.then_some([image.width, image.height]),
            detections: frame
                .detections
                .iter()
                .filter_map(|d| self.found(d))
                .collect(),
            input_sizes: frame.inputs.iter().map(|input| input.used).collect(),
            stages_ms: stages.collect(),
            damage: frame.damage.map(|damage| damage.to_string()),
            failure,
            ..image
        }
    }

    pub(super) fn found(&self, detection: &Detection) -> Option<DetectionResult> {
        let bbox = detection.bbox;
        Some(DetectionResult {
            category_id: self.categories.get(detection.class_id).copied().flatten()?,
            bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(as_written),
            score: as_written(detection.score),
        })
    }
}

impl From<MissingImage> for Failure {
    fn from(missing: MissingImage) -> Self {
        Failure::missing(missing.reason)
    }
}
