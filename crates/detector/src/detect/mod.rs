//! A detector: letterbox, session, output decoder, suppression.

pub mod bbox;
mod live;
pub mod loaded;
pub mod nms;
pub mod settings;

use thiserror::Error;

pub use bbox::BBox;
pub use loaded::{LoadError, Loaded};
use nms::Suppressor;
pub use settings::DetectorSettings;

use crate::model::{Model, ModelDescription, OutputDecoder};
use shuffledet_image::{BgrView, Letterbox, TensorBuilder};
use shuffledet_infer::{InferError, Outputs, Runtime, Session, SessionOptions};

/// An object in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The model's own index; its name is in the model's labels.
    pub class_id: usize,
    /// In [0, 1].
    pub score: f32,
    /// In pixels; of the model's input until [`OutputReader::suppress`], of the image, clipped to it, after.
    pub bbox: BBox,
}

/// Why an image has no result.
#[derive(Debug, Error)]
pub enum DetectError {
    #[error("preparing the input tensor: {0}")]
    Prepare(#[from] opencv::Error),
    #[error(transparent)]
    Infer(#[from] InferError),
}

impl DetectError {
    /// The name to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            DetectError::Prepare(_) => "preparation",
            DetectError::Infer(error) => error.reason(),
        }
    }
}

/// Detects objects in one image after another. The four steps are called in order by the pipeline, which times them.
pub struct Detector {
    builder: TensorBuilder,
    session: Session,
    reader: OutputReader,
}

/// What follows the session: apart from it, because it reads outputs that the session still owns.
pub struct OutputReader {
    decoder: OutputDecoder,
    settings: DetectorSettings,
    detections: Vec<Detection>,
    suppressor: Suppressor,
    /// Whether the last outputs made no sense.
    bad_output: bool,
}

impl Detector {
    /// A detector with a session of its own.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub fn new(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
        settings: DetectorSettings,
    ) -> Result<Self, InferError> {
        let opened = Session::open(runtime, model, options)?;
        Ok(Self::with_session(opened, &model.description, settings))
    }

    /// A detector with a session that is open.
    pub fn with_session(
        (session, decoder): (Session, OutputDecoder),
        model: &ModelDescription,
        settings: DetectorSettings,
    ) -> Self {
        let builder = TensorBuilder::new(model.input.clone());
        let reader = OutputReader {
            decoder,
            settings,
            detections: Vec::new(),
            suppressor: Suppressor::default(),
            bad_output: false,
        };
        Self {
            builder,
            session,
            reader,
        }
    }

    /// Lets the session change its provider; to be called before each frame.
    pub fn between_frames(&mut self) {
        if std::mem::take(&mut self.reader.bad_output) {
            self.session.test_again();
        }
        self.session.between_frames();
    }

    /// Puts other settings in force, from the next image on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.reader.set_settings(settings);
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Step 1: the input tensor of `image`. The result goes to [`OutputReader::suppress`].
    pub fn prepare(&mut self, image: &BgrView<'_>) -> opencv::Result<Letterbox> {
        self.builder.fill(image)
    }

    /// The tensor of the last [`Detector::prepare`]: its shape and values.
    pub fn input(&self) -> ([usize; 4], &[f32]) {
        (self.builder.shape(), self.builder.tensor())
    }

    /// Step 2: the model's outputs, and what reads them.
    pub fn infer(&mut self) -> Result<(Outputs<'_>, &mut OutputReader), InferError> {
        let outputs = self
            .session
            .run(self.builder.shape(), self.builder.tensor())?;
        Ok((outputs, &mut self.reader))
    }

    /// All steps at once.
    pub fn detect(&mut self, image: &BgrView<'_>) -> Result<&[Detection], DetectError> {
        self.between_frames();
        let letterbox = self.prepare(image)?;
        let (outputs, reader) = self.infer()?;
        reader.read(&outputs)?;
        Ok(reader.suppress(letterbox))
    }
}

impl OutputReader {
    /// Puts other settings in force, from the next step 3 on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.settings.clone_from(settings);
    }

    /// Step 3: the boxes above their class's threshold.
    pub fn read(&mut self, outputs: &Outputs<'_>) -> Result<(), InferError> {
        self.detections.clear();
        let settings = &self.settings;
        let threshold = |class_id: usize| settings.threshold(class_id);
        let decoded = self.decoder.decode(
            &outputs.values()?,
            settings.least_threshold(),
            threshold,
            &mut self.detections,
        );
        self.bad_output = decoded.is_err();
        Ok(decoded?)
    }

    /// Step 4: the best of overlapping boxes, clipped to the image; what covers nothing of it is left out.
    pub fn suppress(&mut self, letterbox: Letterbox) -> &[Detection] {
        let (width, height) = letterbox.image_size();
        let clip = |bbox: BBox| bbox.clip(width as f32, height as f32);
        let clips_first = self.decoder.clips_before_suppression();
        for detection in &mut self.detections {
            let (x1, y1) = letterbox.to_image(detection.bbox.x1, detection.bbox.y1);
            let (x2, y2) = letterbox.to_image(detection.bbox.x2, detection.bbox.y2);
            let bbox = BBox { x1, y1, x2, y2 };
            detection.bbox = if clips_first { clip(bbox) } else { bbox };
        }
        let iou_threshold = self.settings.nms_iou_threshold;
        self.suppressor
            .suppress(&mut self.detections, iou_threshold, usize::MAX);
        let clips = self.settings.clip;
        self.detections.retain_mut(|detection| {
            let clipped = clip(detection.bbox);
            if clips {
                detection.bbox = clipped;
            }
            clipped.area() > 0.0
        });
        // after the others are gone: what lies outside the image takes nobody's place
        self.detections.truncate(self.settings.max_detections);
        &self.detections
    }
}
