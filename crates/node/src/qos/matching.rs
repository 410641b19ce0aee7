//! Whether an offer meets a request, by the rules of DDS.

use std::time::Duration;

use super::Qos;
use super::policy::Policy;

/// A policy for which an offer is weaker than what is asked for: DDS then connects nothing, without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// As in `qos_overrides`.
    pub policy: &'static str,
    pub offered: String,
    pub requested: String,
    /// The parameter with which the subscription asks for no more than is offered.
    pub fix: String,
}

impl Qos {
    /// Where `self`, a publisher's, does not meet what a subscription to `topic` asks for. A policy that either does not name
    /// cannot be judged, and counts as met.
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
            // of nanoseconds; 0 asks for nothing
            let value = offered.unwrap_or_default().as_nanos().to_string();
            short.then(|| mismatch(policy, describe(offered), describe(most), value))
        });
        choices.chain(periods).collect()
    }
}

/// A policy's values by name.
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
