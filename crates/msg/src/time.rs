//! `builtin_interfaces/msg/Time`.

use super::cdr::{CdrError, Reader, Writer};

const NS_PER_S: i64 = 1_000_000_000;

/// A point in time, since the epoch of the clock that made it. Kept as it came, even where `nanosec` is a second or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    pub sec: i32,
    /// Nanoseconds after `sec`, in [0, 1e9) in a valid stamp.
    pub nanosec: u32,
}

impl Stamp {
    /// Nanoseconds since the epoch.
    pub fn to_ns(self) -> i64 {
        i64::from(self.sec) * NS_PER_S + i64::from(self.nanosec)
    }

    /// The stamp of `ns` nanoseconds since the epoch; `None` where its seconds do not fit 32 bits (before 1901 and
    /// after 2038).
    pub fn from_ns(ns: i64) -> Option<Self> {
        Some(Stamp {
            sec: i32::try_from(ns.div_euclid(NS_PER_S)).ok()?,
            // a remainder is in [0, 1e9), which fits
            nanosec: ns.rem_euclid(NS_PER_S) as u32,
        })
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        Ok(Stamp {
            sec: r.i32("header.stamp.sec")?,
            nanosec: r.u32("header.stamp.nanosec")?,
        })
    }

    pub(super) fn write(self, w: &mut Writer<'_>) {
        w.i32(self.sec);
        w.u32(self.nanosec);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nanoseconds_count_upwards_before_the_epoch_too() {
        let stamp = Stamp::from_ns(-1).unwrap();
        assert_eq!((stamp.sec, stamp.nanosec), (-1, 999_999_999));
        assert_eq!(stamp.to_ns(), -1);
    }

    #[test]
    fn seconds_beyond_32_bits_have_no_stamp() {
        assert_eq!(Stamp::from_ns(i64::MAX), None);
        assert_eq!(Stamp::from_ns(i64::MIN), None);
    }

    proptest! {
        #[test]
        fn from_ns_inverts_to_ns(sec: i32, nanosec in 0..1_000_000_000u32) {
            let stamp = Stamp { sec, nanosec };
            prop_assert_eq!(Stamp::from_ns(stamp.to_ns()), Some(stamp));
        }
    }
}
