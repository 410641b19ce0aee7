//! Runs the stages of one frame in order and marks each in the frame's trace. Live frames, replayed
//! frames and measurements all use this path.

use std::sync::Arc;
use std::time::Instant;

use opencv::core::{Mat, MatTraitConstManual};

use super::run_times::RunTimes;
use super::settings::SettingsReader;
use super::{
    Annotated, CameraSettings, Frame, ServedModel, SharedSettings, Transport, Viewers,
};
use crate::classify::SecondStage;
use crate::detect::Detector;
use shuffledet_core::{DropReason, Failure, Labels, Mark, Outcome, Regions, Stage, Trace};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder, JpegScale, Pixels, draw};
use shuffledet_infer::InferError;
use shuffledet_msg::{CdrError, CompressedImageView, ImageView};

/// Which frames get an annotated image, and its maximum width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    None,
    /// Those of cameras with viewers ([`SharedSettings::viewers`](super::SharedSettings::viewers)).
    Watched {
        max_width: u32,
    },
    /// A sample of 12 to 24 frames of each power of two, thinned out as the recording goes on.
    Some {
        max_width: u32,
    },
    All {
        max_width: u32,
    },
}

impl Annotate {
    /// Returns the maximum width of the image and its forms if the frame gets one.
    fn wants(self, sequence: u64, viewers: Viewers) -> Option<(u32, Viewers)> {
        /// Images per power of two.
        const SAMPLE: u64 = 12;
        match self {
            Annotate::None => None,
            Annotate::Watched { max_width } => {
                (viewers != Viewers::default()).then_some((max_width, viewers))
            }
            Annotate::All { max_width } => Some((max_width, Viewers::JPEG)),
            Annotate::Some { max_width } => {
                let stride = (sequence / SAMPLE + 1).next_power_of_two();
                let sampled = sequence.is_multiple_of(stride);
                sampled.then_some((max_width, Viewers::JPEG))
            }
        }
    }
}

/// Takes one frame after another through its stages, on a thread of its own.
pub trait FrameWorker: Send {
    /// Takes `frame` through every stage and returns what became of it.
    fn process(&mut self, frame: &mut Frame) -> Outcome;
}

/// Processes one frame after another with its own buffers and session.
pub struct Worker {
    decoder: ImageDecoder,
    detector: Detector,
    second_stage: Option<SecondStage>,
    labels: Arc<Labels>,
    model: Option<Arc<ServedModel>>,
    settings: SettingsReader,
    /// Whether the detector does not follow the latest settings yet.
    is_behind: bool,
    annotate: Annotate,
    encoder: JpegEncoder,
}

/// The JPEG quality of annotated images.
const JPEG_QUALITY: i32 = 85;

impl Worker {
    /// Creates a worker that follows the settings of `tuning`.
    pub fn new(
        detector: Detector,
        labels: Arc<Labels>,
        tuning: Arc<SharedSettings>,
        annotate: Annotate,
    ) -> Result<Self, DecodeError> {
        let settings = SettingsReader::new(tuning);
        let encoder = JpegEncoder::new(JPEG_QUALITY)?;
        Ok(Self {
            decoder: ImageDecoder::new(),
            detector,
            second_stage: None,
            labels,
            model: None,
            settings,
            is_behind: true,
            annotate,
            encoder,
        })
    }

    /// Classifies boxes with `second_stage`, if there is one. The labels have the names of its
    /// answers.
    pub fn with_second_stage(mut self, second_stage: Option<SecondStage>) -> Self {
        self.second_stage = second_stage;
        self
    }

    /// Names `model` in the frames that are processed.
    pub fn with_model(mut self, model: Arc<ServedModel>) -> Self {
        self.model = Some(model);
        self
    }

    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Runs `frame` through every stage.
    pub fn process(&mut self, frame: &mut Frame) -> Outcome {
        frame.trace.mark(Mark::Dequeued);
        frame.enter(Stage::Queue);
        // before the age check: a change of the provider takes time
        self.detector.between_frames();
        if let Some(second_stage) = &mut self.second_stage {
            second_stage.between_frames();
        }
        frame.model.clone_from(&self.model);
        let (tuned, changed) = self.settings.current();
        self.is_behind |= changed;
        // the settings may already be those of the next model
        if tuned.model == frame.model_number && std::mem::take(&mut self.is_behind) {
            self.detector.set_settings(&tuned.detector);
        }
        let camera = tuned.cameras.get(frame.camera);
        let camera = camera.unwrap_or(&CameraSettings::EVERY_FRAME);
        self.decoder.set_jpeg_scale(match self.second_stage {
            // small boxes need every pixel
            Some(_) => JpegScale::Full,
            None => camera.jpeg_scale,
        });
        self.decoder.set_limits(camera.limits);
        let (max_age, regions) = (camera.max_age, camera.regions);
        let judges_sight = camera.sight.is_some();
        let follows_camera = tuned.tracking.enabled && tuned.tracking.camera_motion;
        if max_age.is_some_and(|max_age| frame.age() > max_age) {
            return Outcome::Dropped(DropReason::TooOld);
        }
        let needs_grey = follows_camera && self.settings.tuning().is_tracked();
        frame.enter(Stage::Decode);
        match self.detect(frame, &regions, needs_grey, judges_sight) {
            Ok(()) => Outcome::Published,
            Err(failure) => {
                frame.detections.clear();
                Outcome::Failed(failure)
            }
        }
    }

    /// Runs the model once more as often as for the last frame, on tensors of that frame, to measure
    /// inference alone.
    pub fn run_model_again(&mut self) -> Result<(), InferError> {
        self.detector.infer_again()
    }

    fn detect(
        &mut self,
        frame: &mut Frame,
        regions: &Regions,
        needs_grey: bool,
        judges_sight: bool,
    ) -> Result<(), Failure> {
        if let Some(failure) = &frame.unreadable {
            return Err(failure.clone());
        }
        let in_input = |image| self.detector.size_in_input(image, regions);
        let image = decode_pixels(&mut self.decoder, frame.transport, &frame.message, in_input)?;
        if needs_grey && let Err(error) = frame.grey.fill(&image) {
            // the detections are valid without the camera's motion
            tracing::warn!("frame {}: no grey copy: {error}", frame.sequence);
        }
        frame.trace.mark(Mark::Decoded);
        frame.size = Some(image.image_size());
        frame.damage = image.damage();
        frame.enter(Stage::Queue);
        let detector = &mut self.detector;
        begin(detector, image.image_size(), regions, &mut frame.trace);
        frame.inputs.extend(detector.inputs());
        let mut times = RunTimes::new(&frame.trace);
        for run in 0..detector.runs() {
            frame.enter(Stage::Letterbox);
            detector
                .prepare(image, run)
                .map_err(|error| failed("preparation", error))?;
            if judges_sight && run == 0 {
                detector.show(&mut frame.view);
            }
            times.end(Mark::Prepared, &mut frame.trace);
            frame.enter(Stage::Infer);
            let inferred = detector
                .infer()
                .map_err(|error| failed(error.reason(), error))?;
            times.end(Mark::Inferred, &mut frame.trace);
            frame.enter(Stage::Boxes);
            inferred
                .read()
                .map_err(|error| failed(error.reason(), error))?;
            times.end(Mark::Boxed, &mut frame.trace);
        }
        frame.enter(Stage::Nms);
        frame.detections.extend_from_slice(detector.suppress());
        frame.trace.mark(Mark::Suppressed);
        if let Some(second_stage) = &mut self.second_stage {
            frame.enter(Stage::Classify);
            second_stage
                .classify(&image, &mut frame.detections)
                .map_err(|error| failed(error.reason(), format!("the classifier: {error}")))?;
            frame.trace.mark(Mark::Classified);
        }
        let viewers = self.settings.tuning().viewers(frame.camera);
        if let Some((max_width, forms)) = self.annotate.wants(frame.sequence, viewers) {
            frame.enter(Stage::Draw);
            // decoded again, so that the detections do not depend on whether the frame is drawn
            let image = match image {
                Pixels::Bgr(image) => Ok(image),
                Pixels::Yuv(_) => decode(&mut self.decoder, frame.transport, &frame.message),
            };
            let drawn = image.and_then(|image| {
                let canvas = draw::annotate(&image, &frame.detections, &self.labels, max_width);
                canvas
                    .map_err(DecodeError::from)
                    .and_then(|canvas| annotated(&mut self.encoder, &canvas, forms))
                    .map_err(|error| failed(error.reason(), error))
            });
            match drawn {
                Ok(annotated) => frame.annotated = Some(annotated),
                // the detections are valid without the annotated image
                Err(failure) => {
                    tracing::warn!("frame {}: not drawn: {}", frame.sequence, failure.message);
                }
            }
            frame.trace.mark(Mark::Drawn);
        }
        Ok(())
    }
}

/// Begins a picture. If sessions have to be created for it, its frame has waited for them: they are
/// not part of its work.
pub(super) fn begin(
    detector: &mut Detector,
    picture: (u32, u32),
    regions: &Regions,
    trace: &mut Trace,
) {
    let began = Instant::now();
    if detector.begin(picture, regions) {
        trace.postpone(&[Mark::Dequeued, Mark::Decoded], began.elapsed());
    }
}

impl FrameWorker for Box<dyn FrameWorker> {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        self.as_mut().process(frame)
    }
}

impl FrameWorker for Worker {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        Worker::process(self, frame)
    }
}

/// Decodes the image of a message to BGR.
pub fn decode<'a>(
    decoder: &'a mut ImageDecoder,
    transport: Transport,
    message: &'a [u8],
) -> Result<BgrView<'a>, Failure> {
    let picture = match transport {
        Transport::Raw => decoder.decode_raw(&parse(message, ImageView::parse)?),
        Transport::Compressed => {
            decoder.decode_compressed(&parse(message, CompressedImageView::parse)?)
        }
    };
    picture.map_err(|error| failed(error.reason(), error))
}

/// Decodes the image of a message for a model in whose input it has the width and height that
/// `in_input` returns for its own.
pub fn decode_pixels<'a>(
    decoder: &'a mut ImageDecoder,
    transport: Transport,
    message: &'a [u8],
    in_input: impl FnOnce((u32, u32)) -> (u32, u32),
) -> Result<Pixels<'a>, Failure> {
    let pixels = match transport {
        Transport::Raw => decoder.raw_pixels(&parse(message, ImageView::parse)?),
        Transport::Compressed => {
            decoder.compressed_pixels(&parse(message, CompressedImageView::parse)?, in_input)
        }
    };
    pixels.map_err(|error| failed(error.reason(), error))
}

fn parse<'a, T>(
    message: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Result<T, CdrError>,
) -> Result<T, Failure> {
    parse(message).map_err(|error| failed("malformed_message", error))
}

/// Returns the picture in the forms that are wanted.
fn annotated(
    encoder: &mut JpegEncoder,
    canvas: &Mat,
    forms: Viewers,
) -> Result<Annotated, DecodeError> {
    let picture = BgrView::from_mat(canvas).ok_or_else(|| DecodeError::Damaged {
        kind: "annotated picture",
        problem: "OpenCV gave no BGR canvas".to_owned(),
    })?;
    Ok(Annotated {
        jpeg: match forms.jpeg {
            true => encoder.encode(&picture)?,
            false => Vec::new(),
        },
        bgr: match forms.bgr {
            true => canvas.data_bytes()?.to_vec(),
            false => Vec::new(),
        },
        width: picture.width(),
        height: picture.height(),
    })
}

pub(super) fn failed(reason: &'static str, error: impl ToString) -> Failure {
    Failure {
        reason,
        message: error.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_msg::HeaderView;

    #[test]
    fn the_sample_of_pictures_stays_small_however_long_the_recording() {
        let some = Annotate::Some { max_width: 640 };
        let count = |frames: u64| {
            (0..frames)
                .filter(|&s| some.wants(s, Viewers::default()).is_some())
                .count()
        };
        assert_eq!(count(12), 12);
        assert!((12..40).contains(&count(221)));
        assert!(count(1_000_000) < 250);
    }

    #[test]
    fn image_bytes_are_not_copied_before_they_are_decoded() {
        let within = |message: &[u8], data: &[u8]| {
            let (message, data) = (message.as_ptr_range(), data.as_ptr_range());
            message.start <= data.start && data.end <= message.end
        };
        let (mut raw, mut compressed) = (Vec::new(), Vec::new());
        let (header, data) = (HeaderView::default(), &[7; 12][..]);
        let image = ImageView {
            header,
            height: 2,
            width: 2,
            encoding: "bgr8",
            is_bigendian: false,
            step: 6,
            data,
        };
        image.write(&mut raw).unwrap();
        let format = "jpeg";
        let image = CompressedImageView {
            header,
            format,
            data,
        };
        image.write(&mut compressed).unwrap();
        let mut decoder = ImageDecoder::new();
        let picture = decode(&mut decoder, Transport::Raw, &raw).unwrap();
        assert!(within(&raw, picture.data()));
        let jpeg = CompressedImageView::parse(&compressed).unwrap().data;
        assert!(within(&compressed, jpeg));
    }
}
