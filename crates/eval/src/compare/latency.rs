//! Whether a stage became slower by more than chance, and by enough to matter.

use serde::Serialize;

use super::super::{ImageRecord, RankTest, rank_test};
use super::Verdict;
use shuffledet_core::Stage;

/// When a difference in latency counts: all three must hold. Frames that follow one another are alike, and two runs of
/// one thing differ by whatever else the machine did; a small p alone says nothing then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyRule {
    /// The rank test's p is less.
    pub p_value: f64,
    /// The ratio of the medians is beyond 1 + `margin`, or below 1 / (1 + `margin`).
    pub margin: f64,
    /// The medians are further apart, in milliseconds.
    pub least_ms: f64,
}

impl Default for LatencyRule {
    fn default() -> Self {
        Self {
            p_value: 0.01,
            margin: 0.1,
            least_ms: 0.05,
        }
    }
}

/// One stage, over the images that neither run failed on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyRow {
    pub stage: Stage,
    pub images: usize,
    pub p99_a: f64,
    pub p99_b: f64,
    #[serde(flatten)]
    pub test: RankTest,
    pub verdict: Verdict,
}

impl LatencyRule {
    fn verdict(&self, test: &RankTest) -> Verdict {
        let apart = (test.median_b - test.median_a).abs() > self.least_ms;
        if test.p_value >= self.p_value || !apart {
            return Verdict::NoDifference;
        }
        let limit = 1.0 + self.margin;
        // where only the median of A is 0, the ratio is infinite
        match test.ratio.unwrap_or(f64::INFINITY) {
            ratio if ratio > limit => Verdict::Worse,
            ratio if ratio < 1.0 / limit => Verdict::Better,
            _ => Verdict::NoDifference,
        }
    }
}

/// Whether a stage is judged. Waiting does not depend on what is compared, and reading depends on
/// the machine's cache.
fn is_judged(stage: Stage) -> bool {
    match stage {
        Stage::Decode | Stage::Letterbox | Stage::Infer | Stage::Boxes | Stage::Nms => true,
        Stage::Classify | Stage::Total => true,
        Stage::Read
        | Stage::Queue
        | Stage::Draw
        | Stage::Track
        | Stage::Publish
        | Stage::Latency => false,
    }
}

pub(super) fn rows(
    a: &[&ImageRecord],
    b: &[&ImageRecord],
    rule: &LatencyRule,
    same_machine: bool,
) -> Vec<LatencyRow> {
    Stage::ALL
        .iter()
        .filter_map(|&stage| {
            let times = |image: &ImageRecord| image.stages_ms.get(stage.name()).copied();
            let pairs = a
                .iter()
                .zip(b)
                .filter_map(|(a, b)| Some((times(a)?, times(b)?)));
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
            let test = rank_test(&a, &b)?;
            let verdict = if same_machine && is_judged(stage) {
                rule.verdict(&test)
            } else {
                Verdict::NotJudged
            };
            Some(LatencyRow {
                stage,
                images: a.len(),
                p99_a: p99(a),
                p99_b: p99(b),
                test,
                verdict,
            })
        })
        .collect()
}

/// Returns the value that 99 of 100 do not exceed; `values` is not empty.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * 0.99).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}
