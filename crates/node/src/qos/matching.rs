//! Checks whether an offered quality of service meets a requested one, by the rules of DDS.

use std::time::Duration;

use super::Qos;
use super::policy::Policy;

/// A policy whose offered value is weaker than the requested one. DDS then makes no connection and
/// reports nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The policy's name in `qos_overrides`.
    pub policy: &'static str,
    pub offered: String,
    pub requested: String,
    /// The parameter that lowers the request to the offered value.
    pub fix: String,
}

impl Qos {
    /// Returns the policies for which `self`, a publisher's offer, does not meet the request of a
    /// subscription to `topic`. A policy that one side leaves open counts as met.
    pub fn mismatches(&self, requested: &Qos, topic: &str) -> Vec<Mismatch> {
        let mismatch = |policy, offered: String, requested: String, value: String| Mismatch {
            policy,
            offered,
            requested,
            fix: format!("qos_overrides.{topic}.subscription.{policy}: {value}"),
        };
        let choices = [
            weaker(self.reliability, requested.reliability),
            weaker(self.durability, requested.durability),
            weaker(self.liveliness, requested.liveliness),
        ];
        let periods = [
            ("deadline", self.deadline, requested.deadline),
            ("liveliness_lease_duration", self.lease, requested.lease),
        ];
        let choices = choices.into_iter().flatten();
        let choices = choices.map(|weaker| {
            let (offered, requested) = (weaker.offered.to_owned(), weaker.requested.to_owned());
            mismatch(weaker.policy, offered.clone(), requested, offered)
        });
        let periods = periods.into_iter().filter_map(|(policy, offered, most)| {
            let short = most.is_some_and(|most| offered.is_none_or(|offered| offered > most));
            // in nanoseconds; 0 requests nothing
            let value = offered.unwrap_or_default().as_nanos().to_string();
            short.then(|| mismatch(policy, describe(offered), describe(most), value))
        });
        choices.chain(periods).collect()
    }
}

/// The offered and requested value of a policy by name.
struct Weaker {
    policy: &'static str,
    offered: &'static str,
    requested: &'static str,
}

fn weaker<T: Policy>(offered: Option<T>, requested: Option<T>) -> Option<Weaker> {
    let rank = |value| T::VALUES.iter().position(|&(_, known)| known == value);
    let (offered, requested) = (rank(offered?)?, rank(requested?)?);
    (offered < requested).then(|| Weaker {
        policy: T::NAME,
        offered: T::VALUES[offered].0,
        requested: T::VALUES[requested].0,
    })
}

fn describe(period: Option<Duration>) -> String {
    period.map_or("any".to_owned(), |period| format!("{period:?}"))
}
