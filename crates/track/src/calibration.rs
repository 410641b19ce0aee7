//! How far the noise of a camera differs from the usual: learned from its own predictions.
//!
//! Objects of a camera on a wall move evenly, those of a camera in a turning car do not, and one
//! detector is more exact than another. Each track predicts itself half a second ahead, beside its
//! filter. If more than 68 % of such predictions are within their standard deviation, the motion is
//! quieter than assumed, and wilder otherwise. The errors of boxes follow in the same way from the
//! prediction of the next frame.

/// How far ahead a track predicts itself, in seconds.
pub(crate) const AHEAD_S: f64 = 0.5;
/// The share of errors beyond one standard deviation, if they are normally distributed.
const BEYOND: f64 = 0.3173;
/// How fast the logarithms of the factors follow: by predictions ahead, and of the next frame.
const AHEAD_RATE: f64 = 0.06;
const NEXT_RATE: f64 = 0.01;
/// The factors stay between the inverse of this and this.
const MOST: f64 = 6.0;

/// Factors of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Of the random change of the speed to the right and down.
    pub(crate) acceleration: [f64; 2],
    /// Of the random change of the growth.
    pub(crate) growth: f64,
    /// Of the errors of centres and of sides.
    pub(crate) centre: f64,
    pub(crate) side: f64,
}

impl Calibration {
    /// The usual noise.
    pub const USUAL: Calibration = Calibration {
        acceleration: [1.0; 2],
        growth: 1.0,
        centre: 1.0,
        side: 1.0,
    };

    /// Learns from the errors of a prediction over [`AHEAD_S`], in standard deviations: centre, width
    /// and height.
    pub(crate) fn ahead(&mut self, [x, y, width, height]: [f64; 4]) {
        follow(&mut self.acceleration[0], x, AHEAD_RATE);
        follow(&mut self.acceleration[1], y, AHEAD_RATE);
        follow(&mut self.growth, width, AHEAD_RATE / 2.0);
        follow(&mut self.growth, height, AHEAD_RATE / 2.0);
    }

    /// Learns from the errors of a prediction of the next frame, in standard deviations.
    pub(crate) fn next(&mut self, [x, y, width, height]: [f64; 4]) {
        for error in [x, y] {
            follow(&mut self.centre, error, NEXT_RATE);
        }
        for error in [width, height] {
            follow(&mut self.side, error, NEXT_RATE);
        }
    }
}

/// Raises the factor if the error is beyond one standard deviation, and lowers it otherwise, so that
/// it stays where the usual share is beyond.
fn follow(factor: &mut f64, error: f64, rate: f64) {
    let beyond = if error.abs() > 1.0 { 1.0 } else { 0.0 };
    *factor = (*factor * (rate * (beyond - BEYOND)).exp()).clamp(1.0 / MOST, MOST);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_finds_the_deviation_of_the_errors() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut factor = 1.0;
        for _ in 0..5000 {
            // nearly normal, with a deviation of 3
            let error = 3.0 * (0..12).map(|_| rng.f64() - 0.5).sum::<f64>();
            let known = factor;
            follow(&mut factor, error / known, NEXT_RATE);
        }
        assert!((2.6..3.4).contains(&factor), "{factor}");
    }
}
