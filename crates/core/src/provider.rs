//! What became of the execution providers that were asked for.

use std::fmt;

use serde::Serialize;

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

/// Why a provider is not used, as far as a program can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Another before it in the list works.
    NotNeeded,
    /// `runtime.strict`.
    Forbidden,
    /// Its session is being made.
    Preparing,
    NotInBuild,
    LibraryMissing,
    NoDriver,
    DriverTooOld,
    NoDevice,
    OutOfMemory,
    DeviceLost,
    OperatorUnsupported,
    /// Its outputs are not those of the provider that serves.
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

/// What one provider runs of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// As in `runtime.providers` where it is one of them, else ONNX Runtime's name.
    pub provider: String,
    /// Nodes of the graph as it runs; a part of the model that the provider compiles into one counts as one.
    pub nodes: u64,
    /// Of the time of all nodes, in [0, 1].
    pub time_share: f64,
}

impl fmt::Display for Placed {
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
