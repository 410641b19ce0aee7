//! Quality of service: what the node asks for by default, what `qos_overrides` make of it, and whether a publisher's offer
//! meets it by the rules of DDS.

mod matching;
mod policy;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use matching::Mismatch;
use policy::named;
pub use policy::{Durability, History, Liveliness, QosError, Reliability};

use shuffledet_detector::config::raw::{RawQosOverrides, ReliabilityChoice};

/// The policies of one subscription or publisher. A policy that is `None` is the middleware's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    pub reliability: Option<Reliability>,
    pub durability: Option<Durability>,
    pub history: Option<History>,
    /// Of [`History::KeepLast`].
    pub depth: usize,
    /// The longest time between two messages; `None`: any.
    pub deadline: Option<Duration>,
    /// How long a message is worth delivering; `None`: for ever.
    pub lifespan: Option<Duration>,
    pub liveliness: Option<Liveliness>,
    /// How long a publisher may show no sign of life; `None`: for ever.
    pub lease: Option<Duration>,
}

/// One end of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Subscription,
    Publisher,
}

impl Qos {
    /// For results: nothing is lost.
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
    /// For images: what is lost is not sent again. The node takes them at once and drops what is old itself; the depth is for
    /// images that come in bursts, which would be lost where nobody counts them. Of large images fewer are kept.
    pub const IMAGES: Self = Self {
        reliability: Some(Reliability::BestEffort),
        depth: 64,
        ..Self::RESULTS
    };
    /// For what is published once and every later subscription gets.
    pub const LATCHED: Self = Self {
        durability: Some(Durability::TransientLocal),
        depth: 1,
        ..Self::RESULTS
    };

    /// [`Qos::IMAGES`], reliable where that is chosen.
    pub fn images(reliability: ReliabilityChoice) -> Self {
        Self {
            reliability: Some(match reliability {
                ReliabilityChoice::BestEffort => Reliability::BestEffort,
                ReliabilityChoice::Reliable => Reliability::Reliable,
            }),
            ..Self::IMAGES
        }
    }

    /// With the policies that `overrides` name for this end of the topic in place of the defaults. As in rclcpp, they stand
    /// under the topic's full name, remapped. `best_available`, which r2r has for some distributions only, is taken as
    /// `system_default`: that too asks publishers for the least, and offers subscriptions the most. Errors: a policy's value is none of its names.
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

/// Of nanoseconds, as the parameters have them, where 0 means that there is no limit.
fn period(nanoseconds: i64) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or_default();
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}
