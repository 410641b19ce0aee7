//! Replaces the resampler on processors without one.

use crate::planes::Planes;
use crate::{BgrView, Letterbox};

/// Never constructed on such processors.
pub enum Resampler {}

impl Resampler {
    pub fn new() -> Option<Self> {
        None
    }

    pub fn fill(&mut self, _: &BgrView<'_>, _: Letterbox, _: &mut Planes<'_>) -> bool {
        match *self {}
    }
}
