//! The pitch of a camera above flat ground, from the boxes of its frames.
//!
//! An object of known height says how far away it is, and so how far below the horizon it stands. Its
//! lower edge then says where the horizon is. A frame's estimate is the mean over its boxes, weighted
//! by their variances and with Huber's weights against outliers (P. J. Huber, "Robust Estimation of a
//! Location Parameter", 1964). Frames are joined as by a Kalman filter.

/// What one box says about the pitch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PitchView {
    pub pitch_rad: f64,
    pub variance: f64,
}

/// An estimate of the pitch in radians, positive when the camera looks down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Horizon {
    /// Whether the pitch was given, so that boxes do not change it.
    given: bool,
    pitch_rad: f64,
    variance: f64,
}

/// The standard deviation of a pitch that nobody knows: cameras look about level.
const UNKNOWN_RAD: f64 = 0.1;
/// How much the pitch of a moving vehicle changes in a second.
const CHANGE_RAD: f64 = 0.01;
/// The least standard deviation of an estimate, for slopes and for errors that objects share.
const LEAST_RAD: f64 = 0.004;
/// Residuals of more standard deviations count less.
const HUBER: f64 = 1.5;
const ROUNDS: usize = 5;

impl Horizon {
    /// A pitch that is measured, with its standard deviation, that of a driving vehicle included.
    pub fn given(pitch_rad: f64, deviation_rad: f64) -> Self {
        Self {
            given: true,
            pitch_rad,
            variance: deviation_rad * deviation_rad,
        }
    }

    /// A pitch that boxes have to tell.
    pub fn unknown() -> Self {
        Self {
            given: false,
            pitch_rad: 0.0,
            variance: UNKNOWN_RAD * UNKNOWN_RAD,
        }
    }

    pub fn pitch_rad(&self) -> f64 {
        self.pitch_rad
    }

    pub fn deviation_rad(&self) -> f64 {
        self.variance.sqrt()
    }

    /// Takes in the boxes of a frame, `dt` seconds after the frame before.
    pub(super) fn update(&mut self, dt: f64, views: impl Iterator<Item = PitchView> + Clone) {
        if self.given {
            return;
        }
        let change = CHANGE_RAD * CHANGE_RAD * dt.clamp(0.0, 1e6);
        let prior = (self.variance + change).min(UNKNOWN_RAD * UNKNOWN_RAD);
        let (mean, mut pitch) = (self.pitch_rad, self.pitch_rad);
        let mut information = 1.0 / prior;
        for _ in 0..ROUNDS {
            let start = (1.0 / prior, mean / prior);
            let (sum, weighted) = views.clone().fold(start, |(sum, weighted), view| {
                let weight = weight(view, pitch);
                (sum + weight, weighted + weight * view.pitch_rad)
            });
            (information, pitch) = (sum, weighted / sum);
        }
        self.pitch_rad = pitch;
        self.variance = (1.0 / information).max(LEAST_RAD * LEAST_RAD);
    }

    /// Returns pitch and variance as the other boxes tell them.
    pub(super) fn without(&self, view: PitchView) -> (f64, f64) {
        if self.given {
            return (self.pitch_rad, self.variance);
        }
        let own = weight(view, self.pitch_rad);
        let (all, unknown) = (1.0 / self.variance, 1.0 / (UNKNOWN_RAD * UNKNOWN_RAD));
        let rest = (all - own).max(unknown);
        let pitch = (all * self.pitch_rad - own * view.pitch_rad) / (all - own);
        // a box that outweighs all others leaves nothing to go by
        if all - own > unknown {
            (pitch, 1.0 / rest)
        } else {
            (self.pitch_rad, UNKNOWN_RAD * UNKNOWN_RAD)
        }
    }
}

/// Huber's weight of a box at a pitch.
fn weight(view: PitchView, pitch_rad: f64) -> f64 {
    let residual = (view.pitch_rad - pitch_rad).abs() / view.variance.sqrt();
    (HUBER / residual).min(1.0) / view.variance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(pitch_rad: f64) -> PitchView {
        PitchView {
            pitch_rad,
            variance: 1e-4,
        }
    }

    #[test]
    fn boxes_that_agree_outvote_one_that_does_not() {
        let mut horizon = Horizon::unknown();
        let views = [0.02, 0.021, 0.019, 0.02, 0.4].map(view);
        horizon.update(0.0, views.into_iter());
        assert!((horizon.pitch_rad() - 0.02).abs() < 0.006, "{horizon:?}");
        assert!(horizon.deviation_rad() < 0.01);
        let later = horizon;
        horizon.update(1.0, std::iter::empty());
        assert!(horizon.deviation_rad() > later.deviation_rad());
    }

    #[test]
    fn a_given_pitch_stays() {
        let mut horizon = Horizon::given(0.05, 0.01);
        horizon.update(0.1, [view(0.3)].into_iter());
        assert_eq!(horizon, Horizon::given(0.05, 0.01));
        assert_eq!(horizon.without(view(0.3)), (0.05, 0.01 * 0.01));
    }

    #[test]
    fn a_single_box_tells_itself_nothing() {
        let mut horizon = Horizon::unknown();
        horizon.update(0.0, [view(0.03)].into_iter());
        let (_, variance) = horizon.without(view(0.03));
        assert!(variance > 0.9 * UNKNOWN_RAD * UNKNOWN_RAD, "{variance}");
    }
}
