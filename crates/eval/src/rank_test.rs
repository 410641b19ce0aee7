//! Do two samples of latencies differ by more than chance? The rank-sum test of Mann and Whitney.
//!
//! It assumes that the values of a sample do not depend on one another. Latencies of frames that follow one another do,
//! so a small p-value alone is no reason to call a build slower: look at the effect size and the medians, too.

use serde::{Deserialize, Serialize};

/// What the test says of samples A and B.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankTest {
    /// In how many pairs the value of B is the greater one, ties by half: the U of B.
    pub u: f64,
    /// How likely a difference of this size or more is by chance: two-sided, by the normal approximation with
    /// corrections for ties and continuity.
    pub p_value: f64,
    /// Effect size: how likely a value of B is greater than one of A, ties by half; 0.5 is no difference.
    pub superiority: f64,
    pub median_a: f64,
    pub median_b: f64,
    /// `median_b / median_a`; 1 where both are 0, and absent where only the median of A is.
    pub ratio: Option<f64>,
}

/// Tests whether values of one sample tend to be greater; values that are not finite are left out. `None` where a sample
/// is empty.
pub fn rank_test(a: &[f64], b: &[f64]) -> Option<RankTest> {
    let (a, b) = (finite_sorted(a), finite_sorted(b));
    let (median_a, median_b) = (median(&a)?, median(&b)?);
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let n = n_a + n_b;
    let (rank_sum, ties) = rank_sum(&a, &b);
    let u = rank_sum - n_b * (n_b + 1.0) / 2.0;
    let variance = n_a * n_b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    let beyond = (u - n_a * n_b / 2.0).abs() - 0.5;
    let p_value = if variance > 0.0 && beyond > 0.0 {
        libm::erfc(beyond / (2.0 * variance).sqrt())
    } else {
        1.0
    };
    Some(RankTest {
        u,
        p_value,
        superiority: u / (n_a * n_b),
        median_a,
        median_b,
        ratio: match (median_a == 0.0, median_b == 0.0) {
            (true, true) => Some(1.0),
            (true, false) => None,
            _ => Some(median_b / median_a),
        },
    })
}

fn finite_sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<_> = values.iter().copied().filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(if sorted.len() % 2 == 1 {
        upper
    } else {
        // halved first, so that no sum is infinite
        sorted[sorted.len() / 2 - 1] / 2.0 + upper / 2.0
    })
}

/// Returns the sum of the ranks of `b` among both, where equal values share their mean rank, and
/// the sum of t^3 - t over the sizes t of groups of equal values.
fn rank_sum(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (mut a, mut b) = (a, b);
    let (mut sum, mut ties, mut below) = (0.0, 0.0, 0.0);
    while let Some(&least) = [a.first(), b.first()]
        .into_iter()
        .flatten()
        .min_by(|x, y| x.total_cmp(y))
    {
        let equal_a = a.partition_point(|&v| v <= least);
        let equal_b = b.partition_point(|&v| v <= least);
        let equal = (equal_a + equal_b) as f64;
        sum += equal_b as f64 * (below + (equal + 1.0) / 2.0);
        ties += equal * equal * equal - equal;
        below += equal;
        (a, b) = (&a[equal_a..], &b[equal_b..]);
    }
    (sum, ties)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn test(a: &[f64], b: &[f64]) -> RankTest {
        rank_test(a, b).unwrap()
    }

    /// From `scipy.stats.mannwhitneyu(b, a, method="asymptotic")` 1.17.
    #[test]
    fn the_figures_are_scipys() {
        let spread = |n: u32, step: u32, shift: f64| -> Vec<f64> {
            let values = (0..n).map(|i| f64::from(i * step % n) / 10.0 + shift);
            values.collect()
        };
        let up = |from: u32| (from..from + 10).map(f64::from).collect::<Vec<_>>();
        for (a, b, u, p_value) in [
            (
                vec![19.1, 19.3, 19.2, 20.0, 19.1],
                vec![19.4, 19.3, 21.0, 22.5, 19.9, 20.0],
                26.0,
                0.05357774928971018,
            ),
            (
                vec![1.0, 1.0, 2.0, 2.0, 2.0, 3.0],
                vec![2.0, 3.0, 3.0, 3.0],
                20.0,
                0.08696432431499454,
            ),
            (up(1), up(11), 100.0, 0.00018267179110955002),
            (
                spread(101, 37, 0.0),
                spread(97, 53, 2.0),
                6516.5,
                5.993722593254776e-05,
            ),
            (
                spread(1009, 37, 0.0),
                spread(997, 53, 40.0),
                820532.5,
                2.351984335829531e-132,
            ),
        ] {
            let ours = test(&a, &b);
            assert_eq!(ours.u, u);
            assert!(
                (ours.p_value / p_value - 1.0).abs() < 1e-9,
                "{ours:?} {p_value}"
            );
        }
    }

    #[test]
    fn what_says_nothing_is_no_difference() {
        assert_eq!(rank_test(&[], &[1.0]), None);
        assert_eq!(rank_test(&[1.0], &[f64::NAN, f64::INFINITY]), None);
        assert_eq!(test(&[2.0; 50], &[2.0; 70]).p_value, 1.0);
        assert_eq!(test(&[1.0], &[5.0]).p_value, 1.0);
        assert_eq!(test(&[0.0], &[5.0]).ratio, None);
        assert_eq!(test(&[0.0], &[0.0]).ratio, Some(1.0));
    }

    #[test]
    fn twice_as_slow_is_seen() {
        let ours = test(&[10.0, 11.0, 12.0, 13.0], &[20.0, 22.0, 24.0, 26.0]);
        assert_eq!((ours.median_a, ours.median_b), (11.5, 23.0));
        assert_eq!((ours.ratio, ours.superiority), (Some(2.0), 1.0));
        assert!(ours.p_value < 0.05);
    }

    proptest! {
        #[test]
        fn the_sides_are_alike(
            a in prop::collection::vec((0_u8..20).prop_map(f64::from), 1..40),
            b in prop::collection::vec((0_u8..20).prop_map(f64::from), 1..40),
        ) {
            let (there, back) = (test(&a, &b), test(&b, &a));
            prop_assert!((0.0..=1.0).contains(&there.p_value));
            prop_assert!((there.p_value - back.p_value).abs() < 1e-12);
            prop_assert!((there.superiority + back.superiority - 1.0).abs() < 1e-12);
        }
    }
}
