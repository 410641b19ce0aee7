//! A share of a data set that several machines evaluate together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Share `index` of `count`: the images whose index, divided by `count`, leaves `index - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 1 to `count`.
    pub index: u64,
    /// At least 1.
    pub count: u64,
}

impl Shard {
    /// Whether the image of that index is in this share.
    pub fn has(self, index: u64) -> bool {
        // a count of 0, which only a file that somebody wrote by hand can have, has no image
        index.checked_rem(self.count) == self.index.checked_sub(1)
            && (1..=self.count).contains(&self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err("expected I/N with I from 1 to N, as 2/4".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_share_is_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { index: 2, count: 4 }));
        for wrong in ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert!(!Shard { index: 0, count: 0 }.has(3));
    }

    proptest! {
        #[test]
        fn every_image_is_in_one_share(index: u64, count in 1u64..50) {
            let shares = (1..=count).map(|index| Shard { index, count });
            prop_assert_eq!(shares.filter(|shard| shard.has(index)).count(), 1);
        }
    }
}
