//! The policies with named values.

use thiserror::Error;

/// Whether lost messages are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    BestEffort,
    Reliable,
}

/// Whether late subscriptions receive earlier messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Volatile,
    TransientLocal,
}

/// How a publisher asserts that it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveliness {
    Automatic,
    ManualByTopic,
}

/// Which messages are kept for a slow reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    KeepLast,
    KeepAll,
}

/// A policy whose values have names.
pub(super) trait Policy: Copy + PartialEq + 'static {
    /// The policy's name in `qos_overrides`.
    const NAME: &'static str;
    /// The values from weak to strong, with their names in `qos_overrides`.
    const VALUES: &'static [(&'static str, Self)];
}

impl Policy for Reliability {
    const NAME: &'static str = "reliability";
    const VALUES: &'static [(&'static str, Self)] = &[
        ("best_effort", Self::BestEffort),
        ("reliable", Self::Reliable),
    ];
}

impl Policy for Durability {
    const NAME: &'static str = "durability";
    const VALUES: &'static [(&'static str, Self)] = &[
        ("volatile", Self::Volatile),
        ("transient_local", Self::TransientLocal),
    ];
}

impl Policy for Liveliness {
    const NAME: &'static str = "liveliness";
    const VALUES: &'static [(&'static str, Self)] = &[
        ("automatic", Self::Automatic),
        ("manual_by_topic", Self::ManualByTopic),
    ];
}

impl Policy for History {
    const NAME: &'static str = "history";
    const VALUES: &'static [(&'static str, Self)] =
        &[("keep_last", Self::KeepLast), ("keep_all", Self::KeepAll)];
}

/// An override with an unknown value.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("qos_overrides: {policy}: expected one of {expected}, found {found:?}")]
pub struct QosError {
    pub policy: &'static str,
    pub expected: String,
    pub found: String,
}

/// Returns the value named `name`; `None` if the name leaves it to the middleware.
pub(super) fn named<T: Policy>(name: &str) -> Result<Option<T>, QosError> {
    const LEFT_OPEN: [&str; 2] = ["system_default", "best_available"];
    if LEFT_OPEN.contains(&name) {
        return Ok(None);
    }
    let known = T::VALUES.iter().find(|(known, _)| *known == name);
    known.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let names = T::VALUES.iter().map(|(known, _)| *known);
        QosError {
            policy: T::NAME,
            expected: names.chain(LEFT_OPEN).collect::<Vec<_>>().join(", "),
            found: name.to_owned(),
        }
    })
}
