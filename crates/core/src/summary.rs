//! What a run came to, as data. `docs/formats.md` documents its JSON form.

use std::collections::BTreeMap;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::Stage;
use crate::{Cause, Placed};

/// The result of a run. Serialises to the object that `--json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub frames: FrameCounts,
    /// Published frames per second of wall-clock time.
    pub fps: f64,
    /// Seconds from the first read to the last publish.
    pub wall_s: f64,
    /// In the order of [`Stage::ALL`]; stages that no frame reached are absent.
    #[serde(serialize_with = "stages_as_map")]
    pub stages_ms: Vec<(Stage, Quantiles)>,
    /// The execution provider that ran, by ONNX Runtime's name.
    pub provider: String,
    /// Every provider that was asked for, in order of preference, and what became of it.
    pub providers: Vec<ProviderFate>,
    /// Whole frames worked on in parallel.
    pub workers: usize,
    pub model: ModelIdentity,
    /// Published detections by label.
    pub detections: BTreeMap<String, u64>,
    /// The recording's path as given.
    pub recording: String,
    pub topics: Vec<String>,
    /// What the reader had to say of the recording: truncated, unindexed, ...
    pub warnings: Vec<String>,
    /// The first failures, at most [`Summary::FAILURES_KEPT`].
    pub failures: Vec<FailureNote>,
    /// Of shuffledet, ONNX Runtime, OpenCV.
    pub versions: BTreeMap<String, String>,
}

impl Summary {
    /// Later failures are counted, and not listed.
    pub const FAILURES_KEPT: usize = 100;
}

/// Received = published + dropped + failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    pub received: u64,
    pub published: u64,
    /// By reason.
    pub dropped: BTreeMap<String, u64>,
    /// By reason.
    pub failed: BTreeMap<String, u64>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// Which model ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    pub name: String,
    /// Of the ONNX file as it was given, lower-case hexadecimal.
    pub sha256: String,
}

/// An execution provider that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ProviderFate {
    /// As in the parameter `runtime.providers`: `cpu`, `cuda`, `tensorrt`, ...
    pub provider: String,
    pub used: bool,
    /// Why it was not used, with the mend; `None` when it was, by every session.
    pub reason: Option<String>,
    /// `reason` as far as a program can act on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How often it failed while it ran.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// Which providers run the nodes of its session, the busiest first; empty where that was not measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<Placed>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One frame that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureNote {
    pub topic: String,
    /// The header's stamp; the log time where the header could not be read.
    pub stamp_ns: i64,
    pub reason: String,
}

fn stages_as_map<S: Serializer>(
    stages: &[(Stage, Quantiles)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(stages.len()))?;
    for (stage, quantiles) in stages {
        map.serialize_entry(stage.name(), quantiles)?;
    }
    map.end()
}
