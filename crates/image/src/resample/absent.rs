//! No such pass on this processor.

use crate::planes::Planes;
use crate::{BgrView, Letterbox};

/// Exists on no machine of this kind.
pub enum Resampler {}

impl Resampler {
    pub fn new() -> Option<Self> {
        None
    }

    pub fn fill(&mut self, _: &BgrView<'_>, _: Letterbox, _: &mut Planes<'_>) -> bool {
        match *self {}
    }
}
