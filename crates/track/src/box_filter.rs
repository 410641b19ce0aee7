//! A Kalman filter of a box: its centre, the logarithms of its sides, and their rates, in seconds.
//!
//! The four coordinates are filtered one by one. A rate returns to zero with a time constant
//! (Ornstein-Uhlenbeck process), so that a prediction over a long time neither runs away nor claims
//! to be sure. Sides are logarithms, because an error of a box is a share of its size, and an object
//! that comes nearer grows by a share.

use nalgebra::{Matrix2, Vector2};
use shuffledet_core::BBox;

use crate::CameraMotion;
use crate::calibration::Calibration;
use crate::common_shift::Shift;

/// How exact boxes are, and how objects move. Shares are of the box's side, or of the square root of
/// its area for motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The standard deviation of a detected centre, as a share of the side.
    pub centre: f64,
    /// The standard deviation of a detected side, as a share of it.
    pub side: f64,
    /// The standard deviation of the speed of a new track, in sizes per second.
    pub speed: f64,
    /// The random change of the speed over one second, in sizes per second.
    pub acceleration: f64,
    /// The standard deviation of the rate of growth of a new track, per second.
    pub growth: f64,
    /// The random change of the rate of growth over one second, per second.
    pub growth_change: f64,
    /// The time constant with which a speed returns to zero, in seconds.
    pub speed_lasts_s: f64,
    /// The time constant with which the rate of growth returns to zero, in seconds.
    pub growth_lasts_s: f64,
}

/// What holds for the boxes of small networks, and for cars and people seen from cars and from walls.
pub(crate) const NOISE: Noise = Noise {
    centre: 0.05,
    side: 0.07,
    speed: 2.5,
    acceleration: 1.0,
    growth: 1.0,
    growth_change: 0.5,
    speed_lasts_s: 3.0,
    growth_lasts_s: 1.5,
};

/// The time for which the errors of a box last, in seconds: boxes that follow each other faster tell
/// less than as many boxes at leisure.
const ERRORS_LAST_S: f64 = 0.1;

/// A coordinate and its rate, with their covariance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coordinate {
    state: Vector2<f64>,
    covariance: Matrix2<f64>,
}

impl Coordinate {
    fn new(value: f64, deviation: f64, rate_deviation: f64) -> Self {
        let variances = Vector2::new(deviation.powi(2), rate_deviation.powi(2));
        Self {
            state: Vector2::new(value, 0.0),
            covariance: Matrix2::from_diagonal(&variances),
        }
    }

    /// Predicts over `dt` seconds. `change` is the random change of the rate over one second.
    fn predict(&mut self, dt: f64, lasts_s: f64, change: f64) {
        let kept = (-dt / lasts_s).exp();
        let reach = lasts_s * (1.0 - kept);
        let step = Matrix2::new(1.0, reach, 0.0, kept);
        let density = change * change;
        let own = dt - lasts_s * (1.0 - kept) * (3.0 - kept) / 2.0;
        let both = lasts_s / 2.0 * (1.0 - kept).powi(2);
        let rate = (1.0 - kept * kept) / 2.0;
        let noise = Matrix2::new(
            lasts_s * lasts_s * own.max(0.0),
            lasts_s * both,
            lasts_s * both,
            lasts_s * rate,
        ) * density;
        self.state = step * self.state;
        self.covariance = step * self.covariance * step.transpose() + noise;
    }

    /// Takes a measurement with this standard deviation. One beyond three standard deviations of
    /// its prediction counts as less exact, so that it lies at three.
    /// Returns the error of the prediction in standard deviations.
    fn correct(&mut self, measured: f64, deviation: f64) -> f64 {
        let error = measured - self.state.x;
        let expected = self.covariance.m11 + deviation * deviation;
        let innovation = expected.max(error * error / 9.0);
        if innovation <= 0.0 {
            return 0.0;
        }
        let gain = self.covariance.column(0) / innovation;
        self.state += gain * error;
        self.covariance -= gain * gain.transpose() * innovation;
        error / expected.max(f64::MIN_POSITIVE).sqrt()
    }
}

/// The filtered box of a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxFilter {
    x: Coordinate,
    y: Coordinate,
    /// The logarithms of width and height.
    width: Coordinate,
    height: Coordinate,
}

/// A box as its centre and sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CentreAndSides {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl CentreAndSides {
    /// Returns the centre and sides of a box. A side is at least a hundredth of a pixel.
    pub fn from_bbox(bbox: &BBox) -> Self {
        let (x1, y1) = (f64::from(bbox.x1), f64::from(bbox.y1));
        let (x2, y2) = (f64::from(bbox.x2), f64::from(bbox.y2));
        Self {
            x: (x1 + x2) / 2.0,
            y: (y1 + y2) / 2.0,
            width: (x2 - x1).max(0.01),
            height: (y2 - y1).max(0.01),
        }
    }

    /// Returns the square root of the area.
    pub fn size(&self) -> f64 {
        (self.width * self.height).sqrt()
    }

    /// Returns the box, made wider and higher by these lengths on each side.
    pub fn bbox(&self, wider: f64, higher: f64) -> BBox {
        let (half_width, half_height) = (self.width / 2.0 + wider, self.height / 2.0 + higher);
        BBox {
            x1: (self.x - half_width) as f32,
            y1: (self.y - half_height) as f32,
            x2: (self.x + half_width) as f32,
            y2: (self.y + half_height) as f32,
        }
    }
}

impl BoxFilter {
    /// Starts at a detected box with unknown rates.
    pub fn new(bbox: &BBox) -> Self {
        let (seen, noise) = (CentreAndSides::from_bbox(bbox), &NOISE);
        let speed = noise.speed * seen.size();
        let side = |value: f64| Coordinate::new(value.ln(), noise.side, noise.growth);
        Self {
            x: Coordinate::new(seen.x, noise.centre * seen.width, speed),
            y: Coordinate::new(seen.y, noise.centre * seen.height, speed),
            width: side(seen.width),
            height: side(seen.height),
        }
    }

    /// Predicts over `dt` seconds, at least 0.
    pub fn predict(&mut self, dt: f64, calibration: &Calibration) {
        let noise = &NOISE;
        let change = noise.acceleration * self.centre_and_sides().size();
        let [x, y] = calibration.acceleration.map(|factor| factor * change);
        self.x.predict(dt, noise.speed_lasts_s, x);
        self.y.predict(dt, noise.speed_lasts_s, y);
        let growth_change = calibration.growth * noise.growth_change;
        self.width.predict(dt, noise.growth_lasts_s, growth_change);
        self.height.predict(dt, noise.growth_lasts_s, growth_change);
    }

    /// Follows the motion of the picture. The covariance of a turned picture is approximated: it
    /// scales, and does not turn.
    pub fn follow(&mut self, motion: &CameraMotion) {
        let (x, y) = motion.point(self.x.state.x, self.y.state.x);
        let (vx, vy) = motion.direction(self.x.state.y, self.y.state.y);
        let scale = motion.scale();
        for (coordinate, value, rate) in [(&mut self.x, x, vx), (&mut self.y, y, vy)] {
            coordinate.state = Vector2::new(value, rate);
            coordinate.covariance *= scale * scale;
        }
        self.width.state.x += scale.ln();
        self.height.state.x += scale.ln();
    }

    /// Shifts the centre by what all tracks have in common over `dt` seconds, and its rates.
    pub fn shift(&mut self, shift: Shift, dt: f64) {
        let (vx, vy) = shift.speed(dt);
        self.x.state += Vector2::new(shift.x, vx);
        self.y.state += Vector2::new(shift.y, vy);
    }

    /// Takes a box, detected `dt` seconds after the frame before, whose errors are `errors` times
    /// the usual ones of the camera. Returns how far the prediction was from it, in standard
    /// deviations: centre, width and height.
    pub fn correct(
        &mut self,
        bbox: &BBox,
        dt: f64,
        errors: f64,
        calibration: &Calibration,
    ) -> [f64; 4] {
        let seen = CentreAndSides::from_bbox(bbox);
        let now = self.centre_and_sides();
        let errors = errors * (1.0 + ERRORS_LAST_S / dt.max(0.01)).sqrt();
        let centre = NOISE.centre * errors * calibration.centre;
        let side = NOISE.side * errors * calibration.side;
        [
            self.x.correct(seen.x, centre * now.width),
            self.y.correct(seen.y, centre * now.height),
            self.width.correct(seen.width.ln(), side),
            self.height.correct(seen.height.ln(), side),
        ]
    }

    /// Returns how far this prediction is from what a filter knows later, in standard deviations of
    /// the prediction: centre, width and height.
    pub fn errors(&self, later: &BoxFilter) -> [f64; 4] {
        let error = |own: &Coordinate, later: &Coordinate| {
            (later.state.x - own.state.x) / own.covariance.m11.max(1e-12).sqrt()
        };
        [
            error(&self.x, &later.x),
            error(&self.y, &later.y),
            error(&self.width, &later.width),
            error(&self.height, &later.height),
        ]
    }

    /// Returns the centre and sides as they are `dt` seconds later, with the present rates;
    /// negative: earlier.
    pub fn centre_and_sides_after(&self, dt: f64) -> CentreAndSides {
        let mut later = *self;
        for coordinate in [
            &mut later.x,
            &mut later.y,
            &mut later.width,
            &mut later.height,
        ] {
            coordinate.state.x += coordinate.state.y * dt;
        }
        later.centre_and_sides()
    }

    /// Returns the centre and sides in pixels.
    pub fn centre_and_sides(&self) -> CentreAndSides {
        // sides between a hundredth of a pixel and a million, so that nothing becomes infinite
        let side = |logarithm: f64| logarithm.clamp(-5.0, 14.0).exp();
        CentreAndSides {
            x: self.x.state.x,
            y: self.y.state.x,
            width: side(self.width.state.x),
            height: side(self.height.state.x),
        }
    }

    /// Returns the rates: pixels per second of the centre, and the growth of width and height as
    /// shares per second.
    pub fn rates(&self) -> [f64; 4] {
        [self.x, self.y, self.width, self.height].map(|coordinate| coordinate.state.y)
    }

    /// Returns the standard deviations of centre and sides, in pixels.
    pub fn deviations(&self) -> CentreAndSides {
        let now = self.centre_and_sides();
        let of = |coordinate: &Coordinate| coordinate.covariance.m11.max(0.0).sqrt();
        CentreAndSides {
            x: of(&self.x),
            y: of(&self.y),
            width: of(&self.width) * now.width,
            height: of(&self.height) * now.height,
        }
    }
}
