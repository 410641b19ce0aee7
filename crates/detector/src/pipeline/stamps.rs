//! Stamps that are not what a camera should send: each is dealt with, and counted by name.

/// What is odd about a frame's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// 0: the camera does not stamp. Age is counted from reception.
    Zero,
    /// Later than the clock allows. Age is counted from reception.
    Future,
    /// So long ago that no transport held the frame up: it is of another clock, as in a recording that is played
    /// without its clock. Age is counted from reception.
    Past,
    /// That of the frame before. The frame is dropped.
    Duplicate,
    /// A little before that of the frame before: it was overtaken on its way. The frame is dropped.
    OutOfOrder,
    /// Far before that of the frame before: a recording began anew, or a clock was set. Counting begins anew,
    /// and the age of this frame is counted from reception.
    Jump,
}

impl Oddity {
    pub const ALL: [Oddity; 6] = [
        Oddity::Zero,
        Oddity::Future,
        Oddity::Past,
        Oddity::Duplicate,
        Oddity::OutOfOrder,
        Oddity::Jump,
    ];

    /// The name to count by.
    pub const fn name(self) -> &'static str {
        match self {
            Oddity::Zero => "stamp_zero",
            Oddity::Future => "stamp_in_future",
            Oddity::Past => "stamp_of_another_clock",
            Oddity::Duplicate => "stamp_duplicate",
            Oddity::OutOfOrder => "stamp_out_of_order",
            Oddity::Jump => "stamp_jump",
        }
    }

    /// Whether the stamp says how old the frame is.
    pub fn tells_age(self) -> bool {
        !matches!(
            self,
            Oddity::Zero | Oddity::Future | Oddity::Past | Oddity::Jump
        )
    }

    /// Whether such a frame is not worked on.
    pub fn drops(self) -> bool {
        matches!(self, Oddity::Duplicate | Oddity::OutOfOrder)
    }
}

/// A stamp that is further behind the last than this was not overtaken: time itself went back.
const JUMP_NS: i64 = 1_000_000_000;
/// Clocks of two computers differ by less than this.
const FUTURE_NS: i64 = 100_000_000;
/// No frame that is still worth anything is older than this.
const PAST_NS: i64 = 10_000_000_000;

/// The stamps of one camera.
#[derive(Debug, Clone, Copy, Default)]
pub struct StampCheck {
    last_ns: Option<i64>,
}

impl StampCheck {
    /// Looks at the next frame's stamp, at `now_ns` of the same clock.
    pub fn check(&mut self, stamp_ns: i64, now_ns: i64) -> Option<Oddity> {
        if stamp_ns == 0 {
            return Some(Oddity::Zero);
        }
        let oddity = match self.last_ns {
            Some(last) if stamp_ns == last => Some(Oddity::Duplicate),
            Some(last) if stamp_ns < last && last - stamp_ns < JUMP_NS => Some(Oddity::OutOfOrder),
            Some(last) if stamp_ns < last => Some(Oddity::Jump),
            _ if stamp_ns > now_ns.saturating_add(FUTURE_NS) => Some(Oddity::Future),
            _ if stamp_ns < now_ns.saturating_sub(PAST_NS) => Some(Oddity::Past),
            _ => None,
        };
        if !oddity.is_some_and(Oddity::drops) {
            self.last_ns = Some(stamp_ns);
        }
        oddity
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
        assert_eq!(check.check(999 * S, now), Some(Oddity::Duplicate));
        assert_eq!(check.check(999 * S - S / 10, now), Some(Oddity::OutOfOrder));
        assert_eq!(check.check(0, now), Some(Oddity::Zero));
        assert_eq!(check.check(999 * S + 1, now), None);
        assert_eq!(check.check(1001 * S, now), Some(Oddity::Future));
        assert_eq!(check.check(5 * S, now), Some(Oddity::Jump));
        assert_eq!(check.check(5 * S + 1, now), Some(Oddity::Past));
        assert_eq!(check.check(5 * S + 2, 5 * S + 3), None);
    }
}
