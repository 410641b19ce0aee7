//! The results of a run as data. `docs/formats.md` documents the JSON form.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{ProviderStatus, Resolution, Stage};

/// The result of a run. Serialises to the object that `--json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub frames: FrameCounts,
    /// Published frames per second of wall-clock time.
    pub fps: f64,
    /// Seconds from the first read to the last publish.
    pub wall_s: f64,
    /// In the order of [`Stage::ALL`], without stages that no frame reached.
    #[serde(serialize_with = "stages_as_map")]
    pub stages_ms: Vec<(Stage, Quantiles)>,
    /// The execution provider that ran, by ONNX Runtime's name.
    pub provider: String,
    /// The states of all providers in `runtime.providers`, in order of preference.
    pub providers: Vec<ProviderStatus>,
    /// The number of frames processed in parallel.
    pub workers: usize,
    pub model: ModelIdentity,
    /// By topic: the runs of the model by the size of their input.
    pub input_sizes: BTreeMap<String, BTreeMap<Resolution, u64>>,
    /// Why the model did not run at an input size that the parameters ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_problems: Vec<String>,
    /// Published detections by label.
    pub detections: BTreeMap<String, u64>,
    /// The tracks by label, without labels that have none; `None` if objects are not tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracks: Option<BTreeMap<String, TrackFigures>>,
    /// The recording's path as given.
    pub recording: String,
    pub topics: Vec<String>,
    /// The warnings of the reader of the recording: truncated, unindexed, ...
    pub warnings: Vec<String>,
    /// The first failures, at most [`Summary::FAILURES_KEPT`].
    pub failures: Vec<FailureNote>,
    /// The versions of shuffledet, ONNX Runtime and OpenCV.
    pub versions: BTreeMap<String, String>,
}

impl Summary {
    /// The maximum number of listed failures; later ones are only counted.
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

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// The tracks of one class. A track has the class of its end, and lasts from its first detection to
/// its last, since it was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackFigures {
    /// The number of tracks.
    pub ids: u64,
    /// Tracks that end where another begins at once.
    pub breaks: u64,
    /// In seconds.
    pub median_s: f64,
    pub longest_s: f64,
    /// In frames with a detection of the track.
    pub median_frames: f64,
    pub longest_frames: u64,
}

/// The model that ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    pub name: String,
    /// The sha256 of the unmodified ONNX file, in lower-case hexadecimal.
    pub sha256: String,
    /// The family in its description; empty in results of older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub family: String,
    /// The input size at which it was trained; `None` in results of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_at: Option<Resolution>,
}

impl ModelIdentity {
    /// Returns the first twelve digits of the sha256.
    pub fn short_sha256(&self) -> String {
        self.sha256.chars().take(12).collect()
    }

    /// Returns the family and the input size of training, as far as they are known:
    /// `nanodet, trained at 416x416`.
    pub fn kind(&self) -> String {
        let trained_at = self.trained_at.map(|size| format!("trained at {size}"));
        let family = Some(self.family.clone()).filter(|family| !family.is_empty());
        let parts: Vec<_> = family.into_iter().chain(trained_at).collect();
        parts.join(", ")
    }
}

/// Prints what a person needs to recognise the model: `nanodet_m_416 (nanodet, trained at 416x416,
/// sha256 4b82da9944b8)`.
impl fmt::Display for ModelIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        let kind = self.kind();
        if !kind.is_empty() {
            write!(f, "{kind}, ")?;
        }
        write!(f, "sha256 {})", self.short_sha256())
    }
}

/// One frame that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureNote {
    pub topic: String,
    /// The header's stamp; the log time if the header could not be read.
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

/// Sorts by count, the highest first, then by name.
pub fn by_count<'a>(
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> Vec<(&'a str, u64)> {
    let mut sorted: Vec<(&str, u64)> = counts.into_iter().map(|(k, &n)| (k.as_str(), n)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sorted
}
