//! Detects invalid stamps, handles each kind, and counts them by name.

use shuffledet_core::StampAnomaly;

/// A stamp further behind the last one than this means that the clock was set back.
const JUMP_NS: i64 = 1_000_000_000;
/// The maximum offset between the clocks of two computers.
const FUTURE_NS: i64 = 100_000_000;
/// The maximum age of a useful frame.
const PAST_NS: i64 = 10_000_000_000;

/// The stamps of one camera.
#[derive(Debug, Clone, Copy, Default)]
pub struct StampCheck {
    last_ns: Option<i64>,
}

impl StampCheck {
    /// Checks the next frame's stamp at `now_ns` of the same clock.
    pub fn check(&mut self, stamp_ns: i64, now_ns: i64) -> Option<StampAnomaly> {
        if stamp_ns == 0 {
            return Some(StampAnomaly::Zero);
        }
        let anomaly = match self.last_ns {
            Some(last) if stamp_ns == last => Some(StampAnomaly::Duplicate),
            Some(last) if stamp_ns < last && last - stamp_ns < JUMP_NS => {
                Some(StampAnomaly::OutOfOrder)
            }
            Some(last) if stamp_ns < last => Some(StampAnomaly::Jump),
            _ if stamp_ns > now_ns.saturating_add(FUTURE_NS) => Some(StampAnomaly::Future),
            _ if stamp_ns < now_ns.saturating_sub(PAST_NS) => Some(StampAnomaly::Past),
            _ => None,
        };
        if !anomaly.is_some_and(StampAnomaly::drops) {
            self.last_ns = Some(stamp_ns);
        }
        anomaly
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn each_oddity_has_its_name() {
        let mut check = StampCheck::default();
        let now = 1000 * S;
        assert_eq!(check.check(999 * S, now), None);
        assert_eq!(check.check(999 * S, now), Some(StampAnomaly::Duplicate));
        assert_eq!(
            check.check(999 * S - S / 10, now),
            Some(StampAnomaly::OutOfOrder)
        );
        assert_eq!(check.check(0, now), Some(StampAnomaly::Zero));
        assert_eq!(check.check(999 * S + 1, now), None);
        assert_eq!(check.check(1001 * S, now), Some(StampAnomaly::Future));
        assert_eq!(check.check(5 * S, now), Some(StampAnomaly::Jump));
        assert_eq!(check.check(5 * S + 1, now), Some(StampAnomaly::Past));
        assert_eq!(check.check(5 * S + 2, 5 * S + 3), None);
    }
}
