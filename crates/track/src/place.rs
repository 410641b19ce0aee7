//! How well a box fits the predicted place of a track.
//!
//! Boxes are compared by their intersection over union after both grew by a buffer (F. Yang et al.,
//! "Hard to track objects with irregular motions and similar appearances? Make it easier by
//! buffering the matching space", arXiv:2211.14317). Here the buffer grows with the uncertainty of
//! the prediction, so that a track that was not seen for longer is looked for further away. The
//! likelihood of the box under the prediction decides between boxes that overlap alike.

use shuffledet_core::{BBox, Detection};

use crate::box_filter::{CentreAndSides, NOISE};
use crate::calibration::Calibration;
use crate::{Settings, Track};

/// The buffer on each side, as a share of the side.
const BUFFER: f64 = 0.1;
/// The further buffer, in standard deviations of the predicted centre.
const BUFFER_DEVIATIONS: f64 = 1.0;
/// What a box of another class of the same group loses of its overlap.
const OTHER_CLASS: f64 = 0.15;
/// The squared distance, in standard deviations, at which the likelihood's cost is 1 - 1/e.
const FAR: f64 = 8.0;

/// The cost at which a pair stays apart; all costs are below it.
pub(crate) const LIMIT: f64 = 2.2;

/// The predicted place of a track.
pub(crate) struct Place {
    class_id: usize,
    predicted: CentreAndSides,
    deviations: CentreAndSides,
    wider: f64,
    higher: f64,
    /// The standard deviations of a box, as shares of its sides.
    centre: f64,
    side: f64,
    buffered: BBox,
}

impl Place {
    /// Returns the place of a track `dt` seconds after the prediction; negative: before.
    pub(crate) fn new(track: &Track, dt: f64, calibration: &Calibration) -> Self {
        let predicted = track.filter.centre_and_sides_after(dt);
        let deviations = track.filter.deviations();
        let wider = BUFFER * predicted.width + BUFFER_DEVIATIONS * deviations.x;
        let higher = BUFFER * predicted.height + BUFFER_DEVIATIONS * deviations.y;
        Self {
            class_id: track.class_id(),
            predicted,
            deviations,
            wider,
            higher,
            centre: NOISE.centre * calibration.centre,
            side: NOISE.side * calibration.side,
            buffered: predicted.bbox(wider, higher),
        }
    }

    /// Returns the cost of a box for this track, from 0 to below [`LIMIT`], or infinity if the
    /// buffered boxes overlap by less than `least` or the classes exclude each other.
    pub(crate) fn cost(&self, detection: &Detection, least: f64, settings: &Settings) -> f64 {
        if !settings.same_group(self.class_id, detection.class_id) {
            return f64::INFINITY;
        }
        let seen = CentreAndSides::from_bbox(&detection.bbox);
        let penalty = if self.class_id == detection.class_id {
            0.0
        } else {
            OTHER_CLASS
        };
        let overlap = f64::from(self.buffered.iou(&seen.bbox(self.wider, self.higher))) - penalty;
        if overlap < least {
            return f64::INFINITY;
        }
        1.0 - overlap + 1.0 - (-self.squared_distance(&seen) / FAR).exp()
    }

    /// Returns the squared distance of a box from the prediction, in standard deviations.
    fn squared_distance(&self, seen: &CentreAndSides) -> f64 {
        let (p, d) = (&self.predicted, &self.deviations);
        let square = |error: f64, predicted: f64, measured: f64| {
            error * error / (predicted * predicted + measured * measured)
        };
        square(seen.x - p.x, d.x, self.centre * p.width)
            + square(seen.y - p.y, d.y, self.centre * p.height)
            + square((seen.width / p.width).ln(), d.width / p.width, self.side)
            + square(
                (seen.height / p.height).ln(),
                d.height / p.height,
                self.side,
            )
    }
}
