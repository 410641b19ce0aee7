//! `builtin_interfaces/msg/Time`.

use super::cdr::{CdrError, Reader, Writer};

const NS_PER_S: i64 = 1_000_000_000;

/// A point in time since the epoch of its clock. Kept unchanged, even if `nanosec` is a second or
/// more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    pub sec: i32,
    /// Nanoseconds after `sec`, in [0, 1e9) in a valid stamp.
    pub nanosec: u32,
}

impl Stamp {
    /// Returns nanoseconds since the epoch.
    pub fn to_ns(self) -> i64 {
        i64::from(self.sec) * NS_PER_S + i64::from(self.nanosec)
    }

    /// Returns the stamp of `ns` nanoseconds since the epoch; `None` if its seconds do not fit 32
    /// bits (before 1901 and after 2038).
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

/// Formats a ROS stamp as `seconds.nanoseconds`. Before the epoch only the seconds are negative, as
/// in `builtin_interfaces/msg/Time`.
pub fn stamp(ns: i64) -> String {
    let (seconds, nanoseconds) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    format!("{seconds}.{nanoseconds:09}")
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

    #[test]
    fn stamps_split_as_ros_splits_them() {
        assert_eq!(stamp(1_700_000_000_000_000_005), "1700000000.000000005");
        assert_eq!(stamp(-1), "-1.999999999");
    }

    proptest! {
        #[test]
        fn from_ns_inverts_to_ns(sec: i32, nanosec in 0..1_000_000_000u32) {
            let stamp = Stamp { sec, nanosec };
            prop_assert_eq!(Stamp::from_ns(stamp.to_ns()), Some(stamp));
        }
    }
}
