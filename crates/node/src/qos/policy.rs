//! The policies that are chosen by name.

use thiserror::Error;

/// Whether lost messages are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    BestEffort,
    Reliable,
}

/// Whether late subscriptions get earlier messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Volatile,
    TransientLocal,
}

/// How a publisher shows that it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveliness {
    Automatic,
    ManualByTopic,
}

/// Which messages wait for a slow reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    KeepLast,
    KeepAll,
}

/// A policy that has a name for each of its values.
pub(super) trait Policy: Copy + PartialEq + 'static {
    /// As in `qos_overrides`.
    const NAME: &'static str;
    /// From weak to strong, by the names of `qos_overrides`.
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

/// An override that names no policy.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("qos_overrides: {policy}: expected one of {expected}, found {found:?}")]
pub struct QosError {
    pub policy: &'static str,
    pub expected: String,
    pub found: String,
}

/// The policy called `name`; `None` where that leaves it to the middleware.
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
