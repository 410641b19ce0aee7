//! Frames per second as a fraction, so that the stamps of a long recording do not drift.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// A constant rate of `frames` in `seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    frames: u64,
    seconds: u64,
}

/// The valid range, from a frame in eleven days to one in a microsecond, in frames per second.
const RANGE: RangeInclusive<f64> = 1e-6..=1e6;
/// The maximum denominator. The error of the fraction is below the inverse of its square, and not
/// visible in stamps.
const MAX_SECONDS: u128 = 1_000_000_000;
const NS_PER_S: u128 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected frames per second, such as 25, 29.97 or 30000/1001, from 0.000001 to 1000000")]
pub struct FrameRateError;

impl FrameRate {
    /// Returns the simplest fraction equal to `fps`: 29.97002997... becomes 30000/1001. `None` if
    /// `fps` is not a number from 1e-6 to 1e6.
    pub fn from_fps(fps: f64) -> Option<Self> {
        if !RANGE.contains(&fps) {
            return None;
        }
        // the continued fraction of `fps`, up to the first convergent that rounds to it
        let (mut before, mut found) = ((0, 1), (1, 0));
        let mut rest = fps;
        loop {
            let whole = rest.floor() as u128;
            let next = (whole * found.0 + before.0, whole * found.1 + before.1);
            if next.1 > MAX_SECONDS {
                break;
            }
            (before, found) = (found, next);
            rest = (rest - rest.floor()).recip();
            if found.0 as f64 / found.1 as f64 == fps || !rest.is_finite() {
                break;
            }
        }
        // the limits above keep frames below 1e16
        Some(Self {
            frames: u64::try_from(found.0).ok()?,
            seconds: u64::try_from(found.1).ok()?,
        })
    }

    /// Returns the usual rate near a measured one: a whole number of frames per second, or 1000/1001
    /// of it, as in television; otherwise the measured rate to a tenth.
    pub(crate) fn near(fps: f64) -> Option<Self> {
        /// Times rounded to a millisecond give the rate of some seconds this exactly.
        const TOLERANCE: f64 = 5e-4;
        let usual = [fps.round(), (fps * 1.001).round() / 1.001];
        let usual = usual.into_iter().filter(|usual| *usual > 0.0);
        let nearest = usual.min_by(|a, b| (a - fps).abs().total_cmp(&(b - fps).abs()));
        let nearest = nearest.filter(|usual| (usual / fps - 1.0).abs() < TOLERANCE);
        Self::from_fps(nearest.unwrap_or((fps * 10.0).round() / 10.0)).or(Self::from_fps(fps))
    }

    /// Returns the nanoseconds from frame 0 to frame `index`, rounded once.
    pub fn time_ns(&self, index: u64) -> u64 {
        let frames = u128::from(self.frames);
        let ns = u128::from(index) * u128::from(self.seconds) * NS_PER_S;
        u64::try_from((ns + frames / 2) / frames).unwrap_or(u64::MAX)
    }
}

impl FromStr for FrameRate {
    type Err = FrameRateError;

    fn from_str(text: &str) -> Result<Self, FrameRateError> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| FrameRateError);
        let Some((frames, seconds)) = text.split_once('/') else {
            let fps = text.parse().map_err(|_| FrameRateError)?;
            return Self::from_fps(fps).ok_or(FrameRateError);
        };
        let (frames, seconds) = (number(frames)?, number(seconds)?);
        if !RANGE.contains(&(f64::from(frames) / f64::from(seconds))) {
            return Err(FrameRateError);
        }
        Ok(Self {
            frames: frames.into(),
            seconds: seconds.into(),
        })
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.frames),
            seconds => write!(f, "{}/{seconds}", self.frames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rates_of_television_are_found_again() {
        for (fps, text) in [
            (25.0, "25"),
            (30000.0 / 1001.0, "30000/1001"),
            (24000.0 / 1001.0, "24000/1001"),
            (29.97, "2997/100"),
            (12.5, "25/2"),
            (1.0 / 3600.0, "1/3600"),
            (1e-6, "1/1000000"),
        ] {
            let rate = FrameRate::from_fps(fps).unwrap();
            assert_eq!(rate.to_string(), text);
            assert_eq!(fps.to_string().parse(), Ok(rate));
        }
        let rate: FrameRate = "30000/1001".parse().unwrap();
        assert_eq!(FrameRate::from_fps(30000.0 / 1001.0), Some(rate));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for fps in [0.0, -25.0, 1e-7, 1e7, f64::NAN, f64::INFINITY] {
            assert_eq!(FrameRate::from_fps(fps), None);
        }
        for text in [
            "", "fast", "0", "nan", "1/0", "0/1", "0/0", "-1/2", "1/2/3", "25 ",
        ] {
            assert_eq!(text.parse::<FrameRate>(), Err(FrameRateError), "{text:?}");
        }
    }

    #[test]
    fn an_hour_of_ntsc_does_not_drift() {
        let rate = FrameRate::from_fps(30000.0 / 1001.0).unwrap();
        assert_eq!(rate.time_ns(1), 33_366_667);
        assert_eq!(rate.time_ns(30_000 * 3600), 1001 * 3600 * 1_000_000_000);
        assert_eq!(rate.time_ns(u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_fraction_is_as_good_as_its_number(fps in 1e-6..1e6f64) {
            let rate = FrameRate::from_fps(fps).unwrap();
            let error = rate.frames as f64 / rate.seconds as f64 / fps - 1.0;
            prop_assert!(error.abs() < 1e-12, "{rate}: {error}");
        }
    }
}
