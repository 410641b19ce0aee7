//! Ranks one frame after another.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Candidate, RankedFrame, Scene, hardness};
use shuffledet_core::{Detection, Failure, Mark, Outcome, Regions};
use shuffledet_detector::detect::{DetectError, Detector, DetectorSettings};
use shuffledet_detector::pipeline::worker::decode;
use shuffledet_detector::pipeline::{CameraSettings, Frame, FrameWorker};
use shuffledet_image::{BgrView, ImageDecoder};

/// The frames that the workers of a run have ranked, in any order.
#[derive(Debug, Clone, Default)]
pub struct RankedFrames(Arc<Mutex<Vec<RankedFrame>>>);

/// A model whose boxes go below its thresholds.
pub struct Annotator {
    pub detector: Detector,
    /// Has the thresholds.
    pub settings: DetectorSettings,
    /// By class of this model: the class of the first; `None` if that has none of the name.
    pub classes: Vec<Option<usize>>,
}

/// Finds how hard each frame is, by one model or two.
pub struct HardnessWorker {
    decoder: ImageDecoder,
    first: Annotator,
    second: Option<Annotator>,
    regions: Regions,
    ranked: RankedFrames,
    own: Vec<Candidate>,
    other: Vec<Candidate>,
}

impl RankedFrames {
    fn push(&self, frame: RankedFrame) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(frame);
    }

    /// Takes all frames so far.
    pub fn take(&self) -> Vec<RankedFrame> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Annotator {
    /// Replaces `candidates` by the boxes of `image`.
    fn find(
        &mut self,
        image: &BgrView<'_>,
        regions: &Regions,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), DetectError> {
        let found = self.detector.detect_in(image, regions)?.iter();
        candidates.clear();
        candidates.extend(found.filter_map(|found| {
            let class_id = self.classes.get(found.class_id).copied().flatten()?;
            Some(Candidate {
                found: Detection::new(class_id, found.score, found.bbox),
                threshold: self.settings.threshold(found.class_id),
            })
        }));
        Ok(())
    }
}

impl HardnessWorker {
    /// Creates a worker that searches the regions of `camera` within its limits of images, and adds
    /// the rank of each frame to `ranked`.
    pub fn new(
        first: Annotator,
        second: Option<Annotator>,
        camera: &CameraSettings,
        ranked: RankedFrames,
    ) -> Self {
        let mut decoder = ImageDecoder::new();
        decoder.set_limits(camera.limits);
        Self {
            decoder,
            first,
            second,
            regions: camera.regions,
            ranked,
            own: Vec::new(),
            other: Vec::new(),
        }
    }

    fn rank(&mut self, frame: &mut Frame) -> Result<(), Failure> {
        if let Some(failure) = &frame.unreadable {
            return Err(failure.clone());
        }
        let image = decode(&mut self.decoder, frame.transport, &frame.message)?;
        frame.trace.mark(Mark::Decoded);
        let failed = |error: DetectError| Failure {
            reason: error.reason(),
            message: error.to_string().into(),
        };
        let scene = Scene::new(&image).map_err(|error| failed(error.into()))?;
        let regions = &self.regions;
        self.first
            .find(&image, regions, &mut self.own)
            .map_err(failed)?;
        let other = match &mut self.second {
            Some(second) => {
                second
                    .find(&image, regions, &mut self.other)
                    .map_err(failed)?;
                Some(self.other.as_slice())
            }
            None => None,
        };
        self.ranked.push(RankedFrame {
            position: frame.sequence,
            hardness: hardness(&self.own, other, &self.first.settings.groups),
            scene,
        });
        frame.trace.mark(Mark::Suppressed);
        Ok(())
    }
}

impl FrameWorker for HardnessWorker {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        frame.trace.mark(Mark::Dequeued);
        match self.rank(frame) {
            Ok(()) => Outcome::Published,
            Err(failure) => Outcome::Failed(failure),
        }
    }
}
