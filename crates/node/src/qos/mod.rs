//! Quality of service: the node's defaults, `qos_overrides`, and the match with a publisher's offer
//! by the rules of DDS.

mod matching;
mod policy;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use matching::Mismatch;
use policy::named;
pub use policy::{Durability, History, Liveliness, QosError, Reliability};

use shuffledet_detector::config::raw::{RawQosOverrides, ReliabilityChoice};

/// The policies of one subscription or publisher. `None` leaves a policy to the middleware's
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    pub reliability: Option<Reliability>,
    pub durability: Option<Durability>,
    pub history: Option<History>,
    /// Number of messages for [`History::KeepLast`].
    pub depth: usize,
    /// The maximum time between two messages; `None` means no limit.
    pub deadline: Option<Duration>,
    /// How long a message may be delivered; `None` means no limit.
    pub lifespan: Option<Duration>,
    pub liveliness: Option<Liveliness>,
    /// The maximum time without a sign of life from a publisher; `None` means no limit.
    pub lease: Option<Duration>,
}

/// One end of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Subscription,
    Publisher,
}

impl Qos {
    /// For results: reliable.
    pub const RESULTS: Self = Self {
        reliability: Some(Reliability::Reliable),
        durability: Some(Durability::Volatile),
        history: Some(History::KeepLast),
        depth: 10,
        deadline: None,
        lifespan: None,
        liveliness: Some(Liveliness::Automatic),
        lease: None,
    };
    /// For images: lost ones are not sent again. The node takes images at once and drops old ones
    /// itself. The depth holds bursts, so that the node counts every drop. Fewer large images are
    /// kept.
    pub const IMAGES: Self = Self {
        reliability: Some(Reliability::BestEffort),
        depth: 64,
        ..Self::RESULTS
    };
    /// For messages that are published once and delivered to later subscriptions.
    pub const LATCHED: Self = Self {
        durability: Some(Durability::TransientLocal),
        depth: 1,
        ..Self::RESULTS
    };

    /// Returns [`Qos::IMAGES`] with the chosen reliability.
    pub fn images(reliability: ReliabilityChoice) -> Self {
        Self {
            reliability: Some(match reliability {
                ReliabilityChoice::BestEffort => Reliability::BestEffort,
                ReliabilityChoice::Reliable => Reliability::Reliable,
            }),
            ..Self::IMAGES
        }
    }

    /// Replaces the policies that `overrides` names for this end of the topic. As in rclcpp, the
    /// key is the full, remapped topic name. `best_available`, which r2r supports for some
    /// distributions only, means `system_default`, which also requests the least and offers the
    /// most. Fails if a value is unknown.
    pub fn overridden(
        mut self,
        overrides: Option<&RawQosOverrides>,
        end: End,
    ) -> Result<Self, QosError> {
        let Some(raw) = overrides.and_then(|overrides| match end {
            End::Subscription => overrides.subscription.as_ref(),
            End::Publisher => overrides.publisher.as_ref(),
        }) else {
            return Ok(self);
        };
        if let Some(name) = &raw.reliability {
            self.reliability = named(name)?;
        }
        if let Some(name) = &raw.durability {
            self.durability = named(name)?;
        }
        if let Some(name) = &raw.liveliness {
            self.liveliness = named(name)?;
        }
        if let Some(name) = &raw.history {
            self.history = named(name)?;
        }
        self.depth = raw.depth.unwrap_or(self.depth);
        self.deadline = raw.deadline.map_or(self.deadline, period);
        self.lifespan = raw.lifespan.map_or(self.lifespan, period);
        self.lease = raw.liveliness_lease_duration.map_or(self.lease, period);
        Ok(self)
    }
}

/// Converts nanoseconds of a parameter, where 0 means no limit.
fn period(nanoseconds: i64) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or_default();
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}
