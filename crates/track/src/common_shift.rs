//! The shift that all tracks have in common and none predicted, as when the camera turns.

/// The fewest shifts from which a common one follows.
const FEWEST: usize = 3;
/// The share of the common shift that the speed takes, too: a camera that began to turn goes on.
const LASTS: f64 = 0.3;

/// A shift of the picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    pub x: f64,
    pub y: f64,
}

impl Shift {
    /// Returns the change of speed that the shift over `dt` seconds tells, in pixels per second.
    pub(crate) fn speed(&self, dt: f64) -> (f64, f64) {
        if dt > 0.0 {
            (LASTS * self.x / dt, LASTS * self.y / dt)
        } else {
            (0.0, 0.0)
        }
    }
}

/// The differences between boxes and predictions of one frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommonShift {
    x: Vec<f64>,
    y: Vec<f64>,
    scratch: Vec<f64>,
}

impl CommonShift {
    pub(crate) fn clear(&mut self) {
        self.x.clear();
        self.y.clear();
    }

    pub(crate) fn add(&mut self, x: f64, y: f64) {
        self.x.push(x);
        self.y.push(y);
    }

    /// Returns the shift that at least three boxes agree on, if it is clearly not zero.
    pub(crate) fn find(&mut self) -> Option<Shift> {
        if self.x.len() < FEWEST {
            return None;
        }
        let x = clear_median(&self.x, &mut self.scratch);
        let y = clear_median(&self.y, &mut self.scratch);
        (x != 0.0 || y != 0.0).then_some(Shift { x, y })
    }
}

/// Returns the median if it is twice its standard error from zero, else 0. The error follows from
/// the median of the deviations, so that a few objects that move by themselves do not count.
fn clear_median(values: &[f64], scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend_from_slice(values);
    let middle = scratch.len() / 2;
    let median = *scratch.select_nth_unstable_by(middle, f64::total_cmp).1;
    scratch
        .iter_mut()
        .for_each(|value| *value = (*value - median).abs());
    let deviation = 1.4826 * *scratch.select_nth_unstable_by(middle, f64::total_cmp).1;
    // the standard error of a median of normal values
    let error = 1.2533 * deviation / (scratch.len() as f64).sqrt();
    if median.abs() > 2.0 * error {
        median
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shifts: &[(f64, f64)]) -> Option<Shift> {
        let mut common = CommonShift::default();
        shifts.iter().for_each(|&(x, y)| common.add(x, y));
        common.find()
    }

    #[test]
    fn a_shift_that_all_but_one_share_is_common() {
        let shifts = [
            (20.0, 1.0),
            (21.0, -1.0),
            (19.0, 0.5),
            (20.5, -0.4),
            (-90.0, 40.0),
        ];
        let shift = found(&shifts).unwrap();
        assert!(
            (19.0..=21.0).contains(&shift.x) && shift.y == 0.0,
            "{shift:?}"
        );
    }

    #[test]
    fn noise_and_two_tracks_have_nothing_in_common() {
        assert_eq!(
            found(&[(3.0, 1.0), (-2.0, -1.5), (0.5, 1.0), (-1.0, 0.2)]),
            None
        );
        assert_eq!(found(&[(20.0, 0.0), (20.0, 0.0)]), None);
        assert_eq!(found(&[(0.0, 0.0); 5]), None);
    }
}
