//! A model at one resolution: its session, its tensor and the decoder of its outputs.

use crate::model::{ModelDescription, OutputDecoder};
use shuffledet_core::Resolution;
use shuffledet_image::TensorBuilder;
use shuffledet_infer::{InferError, Session};

/// A model that is ready to run at one resolution.
pub struct Network {
    pub(super) resolution: Resolution,
    pub(super) session: Session,
    pub(super) decoder: OutputDecoder,
    pub(super) builder: TensorBuilder,
    /// Whether the last outputs were invalid.
    pub(super) suspect: bool,
    /// The detector's count of pictures when it was last used.
    pub(super) used: u64,
}

impl Network {
    /// Creates the network of a session that was opened at `resolution`.
    pub fn new(
        (session, decoder): (Session, OutputDecoder),
        model: &ModelDescription,
        resolution: Resolution,
    ) -> Self {
        Self {
            resolution,
            session,
            decoder,
            builder: TensorBuilder::new(model.input.at(resolution)),
            suspect: false,
            used: 0,
        }
    }

    /// Runs the session once: the first run takes much longer than the others.
    pub(super) fn warm_up(&mut self) -> Result<(), InferError> {
        let (shape, tensor) = (self.builder.shape(), self.builder.tensor());
        self.session.run(shape, tensor).map(drop)
    }

    /// Lets the session change its provider.
    pub(super) fn between_frames(&mut self) {
        if std::mem::take(&mut self.suspect) {
            self.session.test_again();
        }
        self.session.between_frames();
    }
}
