//! Converts quality of service to and from r2r's types.

use std::time::Duration;

use r2r::QosProfile;
use r2r::qos::{DurabilityPolicy, HistoryPolicy, LivelinessPolicy, ReliabilityPolicy};

use shuffledet_node::qos::{Durability, History, Liveliness, Qos, Reliability};

/// rmw encodes an infinite period as at least this many seconds.
const INFINITE_S: u64 = i64::MAX as u64 / 1_000_000_000;

/// Returns the profile for a subscription or publisher.
pub fn profile(qos: &Qos) -> QosProfile {
    QosProfile {
        history: match qos.history {
            None => HistoryPolicy::SystemDefault,
            Some(History::KeepLast) => HistoryPolicy::KeepLast,
            Some(History::KeepAll) => HistoryPolicy::KeepAll,
        },
        depth: qos.depth,
        reliability: match qos.reliability {
            None => ReliabilityPolicy::SystemDefault,
            Some(Reliability::BestEffort) => ReliabilityPolicy::BestEffort,
            Some(Reliability::Reliable) => ReliabilityPolicy::Reliable,
        },
        durability: match qos.durability {
            None => DurabilityPolicy::SystemDefault,
            Some(Durability::Volatile) => DurabilityPolicy::Volatile,
            Some(Durability::TransientLocal) => DurabilityPolicy::TransientLocal,
        },
        // zero means no limit
        deadline: qos.deadline.unwrap_or_default(),
        lifespan: qos.lifespan.unwrap_or_default(),
        liveliness: match qos.liveliness {
            None => LivelinessPolicy::SystemDefault,
            Some(Liveliness::Automatic) => LivelinessPolicy::Automatic,
            Some(Liveliness::ManualByTopic) => LivelinessPolicy::ManualByTopic,
        },
        liveliness_lease_duration: qos.lease.unwrap_or_default(),
        avoid_ros_namespace_conventions: false,
    }
}

/// Returns the offer of a peer. Leaves open the policies that are unknown or not in every
/// distribution.
pub fn offered(profile: &QosProfile) -> Qos {
    Qos {
        history: match profile.history {
            HistoryPolicy::KeepLast => Some(History::KeepLast),
            HistoryPolicy::KeepAll => Some(History::KeepAll),
            _ => None,
        },
        depth: profile.depth,
        reliability: match profile.reliability {
            ReliabilityPolicy::BestEffort => Some(Reliability::BestEffort),
            ReliabilityPolicy::Reliable => Some(Reliability::Reliable),
            _ => None,
        },
        durability: match profile.durability {
            DurabilityPolicy::Volatile => Some(Durability::Volatile),
            DurabilityPolicy::TransientLocal => Some(Durability::TransientLocal),
            _ => None,
        },
        deadline: finite(profile.deadline),
        lifespan: finite(profile.lifespan),
        liveliness: match profile.liveliness {
            LivelinessPolicy::Automatic => Some(Liveliness::Automatic),
            LivelinessPolicy::ManualByTopic => Some(Liveliness::ManualByTopic),
            _ => None,
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
            durability: None,
            history: Some(History::KeepAll),
            deadline: Some(Duration::from_millis(100)),
            liveliness: Some(Liveliness::ManualByTopic),
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
