//! Quality of service as r2r has it.

use std::time::Duration;

use r2r::QosProfile;
use r2r::qos::{DurabilityPolicy, HistoryPolicy, LivelinessPolicy, ReliabilityPolicy};

use crate::node::qos::{Choice, Durability, History, Liveliness, Qos, Reliability};

/// What rmw calls an infinite period is this many seconds and some.
const INFINITE_S: u64 = i64::MAX as u64 / 1_000_000_000;

/// To make a subscription or publisher with.
pub fn profile(qos: &Qos) -> QosProfile {
    QosProfile {
        history: match qos.history {
            History::SystemDefault => HistoryPolicy::SystemDefault,
            History::KeepLast => HistoryPolicy::KeepLast,
            History::KeepAll => HistoryPolicy::KeepAll,
        },
        depth: qos.depth,
        reliability: match qos.reliability {
            Choice::SystemDefault => ReliabilityPolicy::SystemDefault,
            Choice::BestAvailable => ReliabilityPolicy::BestAvailable,
            Choice::Is(Reliability::BestEffort) => ReliabilityPolicy::BestEffort,
            Choice::Is(Reliability::Reliable) => ReliabilityPolicy::Reliable,
        },
        durability: match qos.durability {
            Choice::SystemDefault => DurabilityPolicy::SystemDefault,
            Choice::BestAvailable => DurabilityPolicy::BestAvailable,
            Choice::Is(Durability::Volatile) => DurabilityPolicy::Volatile,
            Choice::Is(Durability::TransientLocal) => DurabilityPolicy::TransientLocal,
        },
        // zero: without a limit
        deadline: qos.deadline.unwrap_or_default(),
        lifespan: qos.lifespan.unwrap_or_default(),
        liveliness: match qos.liveliness {
            Choice::SystemDefault => LivelinessPolicy::SystemDefault,
            Choice::BestAvailable => LivelinessPolicy::BestAvailable,
            Choice::Is(Liveliness::Automatic) => LivelinessPolicy::Automatic,
            Choice::Is(Liveliness::ManualByNode) => LivelinessPolicy::ManualByNode,
            Choice::Is(Liveliness::ManualByTopic) => LivelinessPolicy::ManualByTopic,
        },
        liveliness_lease_duration: qos.lease.unwrap_or_default(),
        avoid_ros_namespace_conventions: false,
    }
}

/// What a peer is known to offer. What the middleware does not tell counts as its default.
pub fn offered(profile: &QosProfile) -> Qos {
    Qos {
        history: match profile.history {
            HistoryPolicy::KeepLast => History::KeepLast,
            HistoryPolicy::KeepAll => History::KeepAll,
            HistoryPolicy::SystemDefault | HistoryPolicy::Unknown => History::SystemDefault,
        },
        depth: profile.depth,
        reliability: match profile.reliability {
            ReliabilityPolicy::BestEffort => Choice::Is(Reliability::BestEffort),
            ReliabilityPolicy::Reliable => Choice::Is(Reliability::Reliable),
            ReliabilityPolicy::BestAvailable => Choice::BestAvailable,
            ReliabilityPolicy::SystemDefault | ReliabilityPolicy::Unknown => Choice::SystemDefault,
        },
        durability: match profile.durability {
            DurabilityPolicy::Volatile => Choice::Is(Durability::Volatile),
            DurabilityPolicy::TransientLocal => Choice::Is(Durability::TransientLocal),
            DurabilityPolicy::BestAvailable => Choice::BestAvailable,
            DurabilityPolicy::SystemDefault | DurabilityPolicy::Unknown => Choice::SystemDefault,
        },
        deadline: finite(profile.deadline),
        lifespan: finite(profile.lifespan),
        liveliness: match profile.liveliness {
            LivelinessPolicy::Automatic => Choice::Is(Liveliness::Automatic),
            LivelinessPolicy::ManualByNode => Choice::Is(Liveliness::ManualByNode),
            LivelinessPolicy::ManualByTopic => Choice::Is(Liveliness::ManualByTopic),
            LivelinessPolicy::BestAvailable => Choice::BestAvailable,
            LivelinessPolicy::SystemDefault | LivelinessPolicy::Unknown => Choice::SystemDefault,
        },
        lease: finite(profile.liveliness_lease_duration),
    }
}

fn finite(period: Duration) -> Option<Duration> {
    (!period.is_zero() && period.as_secs() < INFINITE_S).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_would_be_offered() {
        let odd = Qos {
            durability: Choice::BestAvailable,
            history: History::KeepAll,
            deadline: Some(Duration::from_millis(100)),
            liveliness: Choice::Is(Liveliness::ManualByTopic),
            lease: Some(Duration::from_secs(2)),
            ..Qos::RESULTS
        };
        for qos in [Qos::IMAGES, Qos::RESULTS, Qos::LATCHED, odd] {
            assert_eq!(offered(&profile(&qos)), qos);
        }
    }

    #[test]
    fn an_infinite_period_is_none() {
        let infinite = Duration::new(9_223_372_036, 854_775_807);
        let profile = profile(&Qos::RESULTS).deadline(infinite);
        assert_eq!(offered(&profile).deadline, None);
    }
}
