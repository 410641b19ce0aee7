//! Do two samples of latencies differ by more than chance? The rank-sum test of Mann and Whitney.

use serde::{Deserialize, Serialize};

/// What the test says of samples A and B.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankTest {
    /// How often a value of B is greater than one of A, ties by half: the U of B.
    pub u: f64,
    /// Two-sided, by the normal approximation with corrections for ties and continuity.
    pub p_value: f64,
    /// Effect size: how likely a value of B is greater than one of A, ties by half; 0.5 is no difference.
    pub superiority: f64,
    pub median_a: f64,
    pub median_b: f64,
    /// `median_b / median_a`.
    pub ratio: f64,
}

/// Tests whether values of one sample tend to be greater; values that are not numbers are left out. `None` where a
/// sample is empty.
pub fn rank_test(a: &[f64], b: &[f64]) -> Option<RankTest> {
    todo!()
}
