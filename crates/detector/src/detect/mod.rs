//! The detector: letterbox, session, output decoder, non-maximum suppression.

pub mod classes;
pub mod groups;
pub mod nms;
pub mod settings;

use std::sync::Arc;

use thiserror::Error;

pub use groups::ObjectGroups;
use nms::Suppressor;
pub use settings::DetectorSettings;

use crate::model::{Model, ModelDescription, OutputDecoder};
use shuffledet_core::{BBox, Detection};
use shuffledet_image::{BgrView, Letterbox, TensorBuilder};
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::{
    Backoff, InferError, Opening, OrtBackend, Outputs, Runtime, Session, SessionOptions,
    WhileBuilding,
};

/// Why an image has no result.
#[derive(Debug, Error)]
pub enum DetectError {
    #[error("preparing the input tensor: {0}")]
    Prepare(#[from] opencv::Error),
    #[error(transparent)]
    Infer(#[from] InferError),
}

impl DetectError {
    /// Returns the reason's key in counters.
    pub fn reason(&self) -> &'static str {
        match self {
            DetectError::Prepare(_) => "preparation",
            DetectError::Infer(error) => error.reason(),
        }
    }
}

/// Opens a session of `model` on the best provider, however long that takes, and the decoder of its
/// outputs.
///
/// # Errors
/// No provider can run the model, or its inputs or outputs do not match its description.
pub fn open(
    runtime: &Runtime,
    model: &Model,
    options: &SessionOptions,
) -> Result<(Session, OutputDecoder), InferError> {
    let backend = OrtBackend::new(runtime, model.file(), options, Profiled::Accelerated)?;
    let description = &model.description;
    let opening = Opening {
        backend: Arc::new(backend),
        model: &model.path.display().to_string(),
        input: &description.input,
        options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
    };
    opening.open(|shapes| OutputDecoder::for_model(description, shapes))
}

/// Detects objects in one image at a time. The pipeline calls the four steps in order and times
/// them.
pub struct Detector {
    builder: TensorBuilder,
    session: Session,
    reader: OutputReader,
}

/// The steps after inference. A separate struct, because it reads outputs that the session owns.
pub struct OutputReader {
    decoder: OutputDecoder,
    settings: DetectorSettings,
    detections: Vec<Detection>,
    suppressor: Suppressor,
    /// Whether the last outputs were invalid.
    bad_output: bool,
}

impl Detector {
    /// Creates a detector with its own session ([`open`]).
    ///
    /// # Errors
    /// The same as of [`open`].
    pub fn new(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
        settings: DetectorSettings,
    ) -> Result<Self, InferError> {
        let opened = open(runtime, model, options)?;
        Ok(Self::with_session(opened, &model.description, settings))
    }

    /// Creates a detector with an open session.
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

    /// Lets the session change its provider. Call it before each frame.
    pub fn between_frames(&mut self) {
        if std::mem::take(&mut self.reader.bad_output) {
            self.session.test_again();
        }
        self.session.between_frames();
    }

    /// Applies new settings from the next image on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.reader.set_settings(settings);
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Step 1: prepares the input tensor of `image`. Pass the result to [`OutputReader::suppress`].
    pub fn prepare(&mut self, image: &BgrView<'_>) -> opencv::Result<Letterbox> {
        self.builder.fill(image)
    }

    /// Returns the shape and the values of the last tensor of [`Detector::prepare`].
    pub fn input(&self) -> ([usize; 4], &[f32]) {
        (self.builder.shape(), self.builder.tensor())
    }

    /// Step 2: runs the model. Returns its outputs and the reader for them.
    pub fn infer(&mut self) -> Result<(Outputs<'_>, &mut OutputReader), InferError> {
        let outputs = self
            .session
            .run(self.builder.shape(), self.builder.tensor())?;
        Ok((outputs, &mut self.reader))
    }

    /// Runs all steps.
    pub fn detect(&mut self, image: &BgrView<'_>) -> Result<&[Detection], DetectError> {
        self.between_frames();
        let letterbox = self.prepare(image)?;
        let (outputs, reader) = self.infer()?;
        reader.read(&outputs)?;
        Ok(reader.suppress(letterbox))
    }
}

impl OutputReader {
    /// Applies new settings from the next step 3 on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.settings.clone_from(settings);
    }

    /// Step 3: decodes the boxes above the threshold of their class.
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

    /// Step 4: keeps the best of overlapping boxes of one object, clipped to the image. Boxes
    /// outside the image are removed.
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
        let settings = &self.settings;
        self.suppressor.suppress(
            &mut self.detections,
            settings.nms_iou_threshold,
            &settings.groups,
        );
        let clips = self.settings.clip;
        self.detections.retain_mut(|detection| {
            let clipped = clip(detection.bbox);
            if clips {
                detection.bbox = clipped;
            }
            clipped.area() > 0.0
        });
        // truncated last, so that boxes outside the image do not count
        self.detections.truncate(self.settings.max_detections);
        &self.detections
    }
}
