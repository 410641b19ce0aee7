//! The states of the execution providers in `runtime.providers`.

use std::fmt;

use serde::Serialize;

/// The state of an execution provider in `runtime.providers`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ProviderStatus {
    /// The name in the parameter `runtime.providers`: `cpu`, `cuda`, `tensorrt`, ...
    pub provider: String,
    pub used: bool,
    /// Why it is not used, with a fix; `None` if every session uses it.
    pub reason: Option<String>,
    /// The cause in `reason`, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How often it failed while running.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// Which providers run the nodes of its session, the busiest first; empty if that was not
    /// measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<NodePlacement>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why a provider is not used, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A provider before it in the list works.
    NotNeeded,
    /// Excluded by `runtime.strict`.
    Forbidden,
    /// Its session is being created.
    Preparing,
    NotInBuild,
    LibraryMissing,
    NoDriver,
    DriverTooOld,
    NoDevice,
    OutOfMemory,
    DeviceLost,
    OperatorUnsupported,
    /// Its outputs differ from those of the serving provider.
    SelfTestFailed,
    Other,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::NotNeeded => "not needed",
            Cause::Forbidden => "not allowed",
            Cause::Preparing => "being prepared",
            Cause::NotInBuild => "not in this build of ONNX Runtime",
            Cause::LibraryMissing => "library missing",
            Cause::NoDriver => "no driver",
            Cause::DriverTooOld => "driver too old",
            Cause::NoDevice => "no device",
            Cause::OutOfMemory => "out of memory",
            Cause::DeviceLost => "device lost",
            Cause::OperatorUnsupported => "operators unsupported",
            Cause::SelfTestFailed => "self-test failed",
            Cause::Other => "refused",
        })
    }
}

/// The part of a session that one provider runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodePlacement {
    /// The name in `runtime.providers` if it is listed there, otherwise ONNX Runtime's name.
    pub provider: String,
    /// The nodes of the optimised graph; a part that the provider compiles into one node counts as
    /// one.
    pub nodes: u64,
    /// The share of the time of all nodes, in [0, 1].
    pub time_share: f64,
}

impl fmt::Display for NodePlacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, share) = (self.nodes, 100.0 * self.time_share);
        let plural = if nodes == 1 { "" } else { "s" };
        let provider = &self.provider;
        write!(
            f,
            "{nodes} node{plural} on {provider}, {share:.1} % of the time"
        )
    }
}
