//! A worker that detects in several views of each frame, for labels.

use super::worker::{FrameWorker, decode, failed};
use super::{CameraSettings, Frame};
use crate::detect::MultiScaleDetector;
use shuffledet_core::{Failure, Mark, Outcome, Regions};
use shuffledet_image::ImageDecoder;

/// Processes one frame after another at several scales. The image is decoded to BGR in full,
/// whatever `input.jpeg_scale` says.
pub struct MultiScaleWorker {
    decoder: ImageDecoder,
    detector: MultiScaleDetector,
    regions: Regions,
}

impl MultiScaleWorker {
    /// Creates a worker that searches the regions of `camera` within its limits of images.
    pub fn new(detector: MultiScaleDetector, camera: &CameraSettings) -> Self {
        let mut decoder = ImageDecoder::new();
        decoder.set_limits(camera.limits);
        Self {
            decoder,
            detector,
            regions: camera.regions,
        }
    }

    fn detect(&mut self, frame: &mut Frame) -> Result<(), Failure> {
        if let Some(failure) = &frame.unreadable {
            return Err(failure.clone());
        }
        let image = decode(&mut self.decoder, frame.transport, &frame.message)?;
        frame.trace.mark(Mark::Decoded);
        frame.size = Some((image.width(), image.height()));
        frame.damage = image.damage();
        let found = self.detector.detect(&image, &self.regions);
        let found = found.map_err(|error| failed(error.reason(), error))?;
        frame.detections.extend_from_slice(found);
        frame.inputs.extend_from_slice(self.detector.inputs());
        frame.trace.mark(Mark::Suppressed);
        Ok(())
    }
}

impl FrameWorker for MultiScaleWorker {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        frame.trace.mark(Mark::Dequeued);
        match self.detect(frame) {
            Ok(()) => Outcome::Published,
            Err(failure) => Outcome::Failed(failure),
        }
    }
}
