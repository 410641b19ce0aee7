//! A frame under several settings: decoded once, and run once through each model, whatever follows the model.

use std::time::{Duration, Instant};

use super::Frame;
use super::worker::{decode, failed};
use crate::detect::{Detector, DetectorSettings};
use shuffledet_core::{Detection, Failure, Mark, Outcome};
use shuffledet_image::{ImageDecoder, JpegScale};

/// A detector, and the settings under which its outputs are read.
pub struct DetectorVariants {
    pub detector: Detector,
    pub settings: Vec<DetectorSettings>,
}

/// What one of the settings makes of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'a> {
    /// Position of the detector.
    pub detector: usize,
    /// Position among the detector's settings.
    pub setting: usize,
    pub detections: &'a [Detection],
    /// From the message's bytes to the detections, as if there were no other settings.
    pub work: Duration,
}

/// Works on one frame after another under every setting.
pub struct VariantWorker {
    decoder: ImageDecoder,
    detectors: Vec<DetectorVariants>,
}

impl VariantWorker {
    /// Makes a worker that decodes JPEGs at `jpeg_scale`, for all settings.
    pub fn new(detectors: Vec<DetectorVariants>, jpeg_scale: JpegScale) -> Self {
        let mut decoder = ImageDecoder::new();
        decoder.set_jpeg_scale(jpeg_scale);
        Self { decoder, detectors }
    }

    /// Takes `frame` through every stage; `each` gets what each setting makes of it. What it got of a frame that fails
    /// is to be thrown away.
    pub fn process(&mut self, frame: &mut Frame, each: impl FnMut(Variant<'_>)) -> Outcome {
        match self.detect(frame, each) {
            Ok(()) => Outcome::Published,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    fn detect(
        &mut self,
        frame: &mut Frame,
        mut each: impl FnMut(Variant<'_>),
    ) -> Result<(), Failure> {
        frame.trace.mark(Mark::Dequeued);
        if let Some(failure) = frame.unreadable.take() {
            return Err(failure);
        }
        let began = Instant::now();
        let image = decode(&mut self.decoder, frame.transport, &frame.message)?;
        let decoding = began.elapsed();
        frame.trace.mark(Mark::Decoded);
        frame.size = Some(image.image_size());
        for (at, DetectorVariants { detector, settings }) in self.detectors.iter_mut().enumerate() {
            detector.between_frames();
            let began = Instant::now();
            let letterbox = detector
                .prepare(&image)
                .map_err(|error| failed("preparation", error))?;
            let (outputs, reader) = detector
                .infer()
                .map_err(|error| failed(error.reason(), error))?;
            let shared = decoding + began.elapsed();
            for (setting, settings) in settings.iter().enumerate() {
                reader.set_settings(settings);
                let began = Instant::now();
                reader
                    .read(&outputs)
                    .map_err(|error| failed(error.reason(), error))?;
                let detections = reader.suppress(letterbox);
                let work = shared + began.elapsed();
                each(Variant {
                    detector: at,
                    setting,
                    detections,
                    work,
                });
            }
        }
        frame.trace.mark(Mark::Suppressed);
        Ok(())
    }
}
