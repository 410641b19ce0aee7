//! What one picture alone tells.

use crate::cover::covered;
use crate::rows::{TearFinder, shear};
use crate::sharpness::sharpness;
use crate::{Fault, Faults, Settings, View};

/// What one picture tells about the camera. All figures of an empty view are those of a good one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// 98 % of the picture is darker, in levels.
    pub brightness: f32,
    /// The levels between the darkest and the brightest 2 %.
    pub contrast: f32,
    /// The mean squared difference between neighbours over that at a distance of four pixels, both
    /// without the noise. It is 1/16 on smooth slopes and 1/4 at sharp edges.
    pub sharpness: f32,
    /// The share of the picture that is dark and without texture, from 0 to 1.
    pub covered: f32,
    /// The least share of the difference between two rows that a shift leaves, from 0 to 1.
    pub tear: f32,
    /// The shift from each row to the next, in pixels of the view; 0 for upright pictures.
    pub shear: i32,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            brightness: 255.0,
            contrast: 255.0,
            sharpness: 1.0,
            covered: 0.0,
            tear: 1.0,
            shear: 0,
        }
    }
}

impl Measures {
    /// Returns the faults of this picture, without [`Fault::Frozen`], which one picture does not tell.
    pub fn faults(&self, settings: &Settings) -> Faults {
        let mut faults = Faults::default();
        let is_black = f64::from(self.brightness) < settings.black_below;
        let is_flat = f64::from(self.contrast) < settings.contrast_below;
        faults.set(Fault::Black, is_black);
        faults.set(Fault::WashedOut, is_flat && !is_black);
        // noise is all that is left in these
        let is_blurred = f64::from(self.sharpness) < settings.sharpness_below;
        faults.set(Fault::Blurred, is_blurred && !is_flat && !is_black);
        // without focus there is no texture anywhere
        let is_covered = f64::from(self.covered) > settings.covered_above;
        faults.set(Fault::Covered, is_covered && !is_blurred);
        let is_torn = f64::from(self.tear) < settings.tear_below || self.shear != 0;
        faults.set(Fault::Torn, is_torn && settings.tear_below > 0.0);
        faults
    }
}

/// Measures views. Keeps its memory from view to view.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    tears: TearFinder,
}

impl Meter {
    /// Measures a view.
    pub fn measure(&mut self, view: &View) -> Measures {
        let histogram = Histogram::new(view);
        let Some(brightness) = histogram.quantile(0.98) else {
            return Measures::default();
        };
        let darkness = histogram.quantile(0.02).unwrap_or(0.0);
        Measures {
            brightness,
            contrast: brightness - darkness,
            sharpness: sharpness(view),
            covered: covered(view),
            tear: self.tears.tear(view),
            shear: shear(view),
        }
    }
}

/// Counts of grey levels.
struct Histogram {
    counts: [u32; 256],
    total: u32,
}

impl Histogram {
    fn new(view: &View) -> Self {
        /// One row of so many is counted.
        const STEP: usize = 4;
        let mut counts = [0; 256];
        for y in (0..view.height()).step_by(STEP) {
            for &level in view.row(y) {
                // NaN counts as black
                counts[level.clamp(0.0, 255.0) as usize] += 1;
            }
        }
        Self {
            counts,
            total: (view.height().div_ceil(STEP) * view.width()) as u32,
        }
    }

    /// Returns the level that this share of the values does not exceed.
    fn quantile(&self, share: f64) -> Option<f32> {
        let wanted = (f64::from(self.total) * share).ceil() as u32;
        let mut seen = 0;
        let mut reaches = |&count: &u32| {
            seen += count;
            seen >= wanted.max(1)
        };
        self.counts
            .iter()
            .position(&mut reaches)
            .map(|level| level as f32)
    }
}
