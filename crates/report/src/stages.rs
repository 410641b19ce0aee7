//! The times of the stages as a page shows them: a row of a table and a small plot for each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::distribution;
use super::format::{figure, ms_column};
use shuffledet_core::Stage;
use shuffledet_core::{Bin, Quantiles, StageHistograms};

const HISTOGRAM_BINS: usize = 30;

/// What `stages.html` and `distributions.html` show of a stage.
#[derive(Serialize)]
pub struct StageRow {
    name: &'static str,
    meaning: &'static str,
    /// `total` and `latency` are made of the others.
    aggregate: bool,
    /// min, p50, p90, p99, max.
    cells: [String; 5],
    median: String,
    p99: String,
    range_svg: String,
    histogram_svg: String,
}

/// By name of the stage.
pub fn bins(
    quantiles: &[(Stage, Quantiles)],
    histograms: &StageHistograms,
) -> BTreeMap<&'static str, Vec<Bin>> {
    let stages = quantiles.iter().map(|&(stage, _)| stage);
    stages
        .map(|stage| (stage.name(), histograms.bins(stage, HISTOGRAM_BINS)))
        .collect()
}

/// A row for each stage.
pub fn stage_rows(quantiles: &[(Stage, Quantiles)], histograms: &StageHistograms) -> Vec<StageRow> {
    let waits = |stage| matches!(stage, Stage::Queue | Stage::Latency);
    let working = quantiles.iter().filter(|&&(stage, _)| !waits(stage));
    let longest = working.map(|(_, q)| q.p99).fold(0.0, f64::max);
    quantiles
        .iter()
        .map(|&(stage, q)| {
            let bins = histograms.bins(stage, HISTOGRAM_BINS);
            StageRow {
                name: stage.name(),
                meaning: meaning(stage),
                aggregate: matches!(stage, Stage::Total | Stage::Latency),
                cells: [q.min, q.p50, q.p90, q.p99, q.max].map(ms_column),
                median: figure(q.p50),
                p99: figure(q.p99),
                range_svg: if waits(stage) {
                    String::new()
                } else {
                    distribution::range_bar(stage, &q, longest)
                },
                histogram_svg: distribution::stage_histogram(stage, &q, &bins),
            }
        })
        .collect()
}

fn meaning(stage: Stage) -> &'static str {
    match stage {
        Stage::Read => "message from the recording",
        Stage::Queue => "waiting for a worker, then for earlier frames",
        Stage::Decode => "bytes to image",
        Stage::Letterbox => "resize, normalise, lay out",
        Stage::Infer => "ONNX Runtime session",
        Stage::Boxes => "raw outputs to boxes",
        Stage::Nms => "non-maximum suppression",
        Stage::Classify => "second stage on the boxes",
        Stage::Draw => "annotated pictures",
        Stage::Track => "tracks of objects",
        Stage::Publish => "messages to the sinks",
        Stage::Total => "all stages except queue and draw",
        Stage::Latency => "received to published",
    }
}
