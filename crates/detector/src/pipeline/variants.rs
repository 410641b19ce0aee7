//! A frame under several settings: decoded once, unless the scale of JPEG depends on the model, and run once through
//! each model, whatever follows the model.

use std::time::{Duration, Instant};

use super::Frame;
use super::worker::{begin, decode_pixels, failed};
use crate::detect::{Detector, OutputReader};
use shuffledet_core::{Detection, Failure, Mark, Outcome, Regions, Trace};
use shuffledet_image::{ImageDecoder, JpegScale, Pixels};

/// A detector, the regions that it searches, and a reader of its outputs for each of the settings.
pub struct DetectorVariants {
    pub detector: Detector,
    pub regions: Regions,
    pub readers: Vec<OutputReader>,
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
    jpeg_scale: JpegScale,
    detectors: Vec<DetectorVariants>,
    reading: ReadingTimes,
}

impl VariantWorker {
    /// Makes a worker that decodes JPEGs at `jpeg_scale`, for all settings.
    pub fn new(detectors: Vec<DetectorVariants>, jpeg_scale: JpegScale) -> Self {
        let mut decoder = ImageDecoder::new();
        decoder.set_jpeg_scale(jpeg_scale);
        Self {
            decoder,
            jpeg_scale,
            detectors,
            reading: ReadingTimes::default(),
        }
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
        let (decoder, times) = (&mut self.decoder, &mut self.reading);
        let detectors = self.detectors.iter_mut().enumerate();
        let (transport, message) = (frame.transport, &frame.message);
        let mut began = Instant::now();
        if self.jpeg_scale == JpegScale::Auto {
            // the scale depends on the model
            for (at, variants) in detectors {
                let in_input = |image| variants.detector.size_in_input(image, &variants.regions);
                let image = decode_pixels(decoder, transport, message, in_input)?;
                let decoding = began.elapsed();
                frame.trace.mark(Mark::Decoded);
                frame.size = Some(image.image_size());
                frame.damage = image.damage();
                variants.detect(&image, &mut frame.trace, times)?;
                variants.suppress(at, decoding, times, &mut each);
                began = Instant::now();
            }
        } else {
            let image = decode_pixels(decoder, transport, message, |image| image)?;
            let decoding = began.elapsed();
            frame.trace.mark(Mark::Decoded);
            frame.size = Some(image.image_size());
            frame.damage = image.damage();
            for (at, variants) in detectors {
                variants.detect(&image, &mut frame.trace, times)?;
                variants.suppress(at, decoding, times, &mut each);
            }
        }
        frame.trace.mark(Mark::Suppressed);
        Ok(())
    }
}

impl DetectorVariants {
    /// Runs the model on every region of `image`, and lets every reader read the outputs.
    fn detect(
        &mut self,
        image: &Pixels<'_>,
        trace: &mut Trace,
        times: &mut ReadingTimes,
    ) -> Result<(), Failure> {
        let Self {
            detector,
            regions,
            readers,
        } = self;
        times.shared = Duration::ZERO;
        times.own.clear();
        times.own.resize(readers.len(), Duration::ZERO);
        readers.iter_mut().for_each(OutputReader::begin);
        detector.between_frames();
        begin(detector, image.image_size(), regions, trace);
        for run in 0..detector.runs() {
            let began = Instant::now();
            detector
                .prepare(image, run)
                .map_err(|error| failed("preparation", error))?;
            let mut inferred = detector
                .infer()
                .map_err(|error| failed(error.reason(), error))?;
            times.shared += began.elapsed();
            for (reader, own) in readers.iter_mut().zip(&mut times.own) {
                let began = Instant::now();
                inferred
                    .read_into(reader)
                    .map_err(|error| failed(error.reason(), error))?;
                *own += began.elapsed();
            }
        }
        Ok(())
    }
}

impl DetectorVariants {
    /// Hands over the detections of each setting. The detector is the one at position `at`.
    fn suppress(
        &mut self,
        at: usize,
        decoding: Duration,
        times: &ReadingTimes,
        each: &mut impl FnMut(Variant<'_>),
    ) {
        let shared = decoding + times.shared;
        for (setting, (reader, own)) in self.readers.iter_mut().zip(&times.own).enumerate() {
            let began = Instant::now();
            let detections = self.detector.suppress_of(reader);
            let work = shared + *own + began.elapsed();
            each(Variant {
                detector: at,
                setting,
                detections,
                work,
            });
        }
    }
}

/// The times of one detector on one frame.
#[derive(Default)]
struct ReadingTimes {
    /// Of the tensors and the model, which all settings share.
    shared: Duration,
    /// Of reading the outputs, by setting.
    own: Vec<Duration>,
}
