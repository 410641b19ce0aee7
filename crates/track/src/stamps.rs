//! The order of a camera's stamps.

/// How far back a stamp may be without a new beginning, in nanoseconds.
const LATE_NS: i64 = 100_000_000;

/// How a stamp follows the latest one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The first stamp.
    First,
    /// Later, by these seconds.
    Forward(f64),
    /// Equal or earlier by up to 0.1 s: these seconds, not above 0.
    Late(f64),
    /// Earlier by more: a recording began again, or a clock was set back.
    Restart,
}

/// Returns how `stamp_ns` follows the latest stamp.
pub fn step(latest_ns: Option<i64>, stamp_ns: i64) -> Step {
    let Some(latest_ns) = latest_ns else {
        return Step::First;
    };
    let by_ns = i128::from(stamp_ns) - i128::from(latest_ns);
    let by_s = by_ns as f64 * 1e-9;
    if by_ns > 0 {
        Step::Forward(by_s)
    } else if by_ns >= -i128::from(LATE_NS) {
        Step::Late(by_s)
    } else {
        Step::Restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_a_second_is_late_and_more_is_a_restart() {
        let latest = Some(1_000_000_000);
        assert_eq!(step(None, 5), Step::First);
        assert_eq!(step(latest, 1_500_000_000), Step::Forward(0.5));
        assert_eq!(step(latest, 1_000_000_000), Step::Late(0.0));
        assert_eq!(step(latest, 900_000_000), Step::Late(-0.1));
        assert_eq!(step(latest, 899_999_999), Step::Restart);
        assert_eq!(step(Some(i64::MAX), i64::MIN), Step::Restart);
    }
}
