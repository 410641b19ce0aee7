//! Images of a data set on their way into the pipeline.

use std::sync::{Mutex, PoisonError};

use super::images::{ImageReader, MissingImage, NextImage};
use shuffledet_bag::BagError;
use shuffledet_detector::pipeline::{Frame, Source};

/// Images that the reader found missing, until whoever publishes takes them.
#[derive(Default)]
pub(super) struct MissingImages(Mutex<Vec<MissingImage>>);

impl MissingImages {
    fn push(&self, missing: MissingImage) {
        let mut images = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        images.push(missing);
    }

    /// Those since the last call.
    pub fn take(&self) -> Vec<MissingImage> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Gives the pipeline every image that can be read.
pub(super) struct Feed<'a, 'b> {
    pub images: &'a mut ImageReader<'b>,
    pub missing: &'a MissingImages,
}

impl Source for Feed<'_, '_> {
    type Error = BagError;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, BagError> {
        loop {
            match self.images.next_image(frame)? {
                NextImage::Read => return Ok(true),
                NextImage::Missing(missing) => {
                    self.missing.push(missing);
                    // what was read before it failed is no part of the next image
                    frame.message.clear();
                }
                NextImage::End => return Ok(false),
            }
        }
    }
}
