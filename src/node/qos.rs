//! Quality of service: what the node asks for by default, what `qos_overrides` make of it, and whether a publisher's offer
//! meets it by the rules of DDS.

use std::time::Duration;

use thiserror::Error;

use crate::config::raw::RawQosOverrides;

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
trait Policy: Copy + PartialEq + 'static {
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

/// One end of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Subscription,
    Publisher,
}

/// A policy for which an offer is weaker than what is asked for: DDS then connects nothing, without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// As in `qos_overrides`.
    pub policy: &'static str,
    pub offered: String,
    pub requested: String,
    /// The parameter with which the subscription asks for no more than is offered.
    pub mend: String,
}

/// An override that names no policy.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("qos_overrides: {policy}: expected one of {expected}, found {found:?}")]
pub struct QosError {
    pub policy: &'static str,
    pub expected: String,
    pub found: String,
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
    /// For images: only the newest is worth having.
    pub const IMAGES: Self = Self {
        reliability: Some(Reliability::BestEffort),
        depth: 1,
        ..Self::RESULTS
    };
    /// For what is published once and every later subscription gets.
    pub const LATCHED: Self = Self {
        durability: Some(Durability::TransientLocal),
        depth: 1,
        ..Self::RESULTS
    };

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

    /// Where `self`, a publisher's, does not meet what a subscription to `topic` asks for. A policy that either does not name
    /// cannot be judged, and counts as met.
    pub fn mismatches(&self, requested: &Qos, topic: &str) -> Vec<Mismatch> {
        let mismatch = |policy, offered: String, requested: String, value: String| Mismatch {
            policy,
            offered,
            requested,
            mend: format!("qos_overrides.{topic}.subscription.{policy}: {value}"),
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

/// The policy called `name`; `None` where that leaves it to the middleware.
fn named<T: Policy>(name: &str) -> Result<Option<T>, QosError> {
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

fn describe(period: Option<Duration>) -> String {
    period.map_or("any".to_owned(), |period| format!("{period:?}"))
}

/// Of nanoseconds, as the parameters have them, where 0 means that there is no limit.
fn period(nanoseconds: i64) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or_default();
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw::RawQos;

    const MS: Duration = Duration::from_millis(1);
    const TOPIC: &str = "/camera/front/image_raw";

    fn over(raw: RawQos) -> RawQosOverrides {
        RawQosOverrides {
            subscription: Some(raw),
            publisher: None,
        }
    }

    #[test]
    fn overrides_replace_what_they_name_at_their_end() {
        let overrides = over(RawQos {
            reliability: Some("reliable".to_owned()),
            durability: Some("best_available".to_owned()),
            history: Some("keep_all".to_owned()),
            depth: Some(5),
            deadline: Some(100_000_000),
            lifespan: Some(0),
            liveliness: Some("manual_by_topic".to_owned()),
            liveliness_lease_duration: Some(-1),
        });
        let expected = Qos {
            reliability: Some(Reliability::Reliable),
            durability: None,
            history: Some(History::KeepAll),
            depth: 5,
            deadline: Some(100 * MS),
            lifespan: None,
            liveliness: Some(Liveliness::ManualByTopic),
            lease: None,
        };
        let apply = |end| Qos::IMAGES.overridden(Some(&overrides), end);
        assert_eq!(apply(End::Subscription), Ok(expected));
        assert_eq!(apply(End::Publisher), Ok(Qos::IMAGES));
        assert_eq!(
            Qos::IMAGES.overridden(None, End::Publisher),
            Ok(Qos::IMAGES)
        );
        let empty = over(RawQos::default());
        let unchanged = Qos::LATCHED.overridden(Some(&empty), End::Subscription);
        assert_eq!(unchanged, Ok(Qos::LATCHED));
    }

    #[test]
    fn a_value_of_no_name_is_refused() {
        for (raw, expected) in [
            (
                RawQos {
                    reliability: Some("fast".to_owned()),
                    ..RawQos::default()
                },
                "qos_overrides: reliability: expected one of best_effort, reliable, system_default, best_available, \
                 found \"fast\"",
            ),
            (
                RawQos {
                    history: Some("all".to_owned()),
                    ..RawQos::default()
                },
                "qos_overrides: history: expected one of keep_last, keep_all, system_default, best_available, \
                 found \"all\"",
            ),
        ] {
            let refused = Qos::IMAGES.overridden(Some(&over(raw)), End::Subscription);
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
    }

    /// Offers every value to every request for it, and names the pairs that do not fit, with the value that mends them.
    fn misfits<T: Policy>(
        values: &[(&str, Option<T>)],
        set: impl Fn(&mut Qos, Option<T>),
    ) -> Vec<String> {
        let mut found = Vec::new();
        for &(offered_name, offered) in values {
            for &(requested_name, requested) in values {
                let (mut publisher, mut subscription) = (Qos::RESULTS, Qos::RESULTS);
                set(&mut publisher, offered);
                set(&mut subscription, requested);
                for mismatch in publisher.mismatches(&subscription, TOPIC) {
                    assert_eq!(mismatch.policy, T::NAME);
                    let prefix = format!("qos_overrides.{TOPIC}.subscription.{}: ", T::NAME);
                    let value = mismatch.mend.strip_prefix(&prefix).unwrap();
                    set(&mut subscription, named(value).unwrap());
                    assert_eq!(publisher.mismatches(&subscription, TOPIC), []);
                    found.push(format!("{offered_name} < {requested_name}: {value}"));
                }
            }
        }
        found
    }

    #[test]
    fn every_pair_of_choices_is_judged_as_dds_does() {
        let reliability = [
            ("best_effort", Some(Reliability::BestEffort)),
            ("reliable", Some(Reliability::Reliable)),
            ("open", None),
        ];
        assert_eq!(
            misfits(&reliability, |qos, value| qos.reliability = value),
            ["best_effort < reliable: best_effort"]
        );
        let durability = [
            ("volatile", Some(Durability::Volatile)),
            ("transient_local", Some(Durability::TransientLocal)),
            ("open", None),
        ];
        assert_eq!(
            misfits(&durability, |qos, value| qos.durability = value),
            ["volatile < transient_local: volatile"]
        );
        let liveliness = [
            ("automatic", Some(Liveliness::Automatic)),
            ("by_topic", Some(Liveliness::ManualByTopic)),
            ("open", None),
        ];
        assert_eq!(
            misfits(&liveliness, |qos, value| qos.liveliness = value),
            ["automatic < by_topic: automatic"]
        );
    }

    #[test]
    fn every_pair_of_periods_is_judged_as_dds_does() {
        let any = None;
        let table = [
            (any, any, None),
            (any, Some(100 * MS), Some(("any", "100ms", "0"))),
            (Some(100 * MS), any, None),
            (Some(100 * MS), Some(100 * MS), None),
            (Some(50 * MS), Some(100 * MS), None),
            (
                Some(200 * MS),
                Some(100 * MS),
                Some(("200ms", "100ms", "200000000")),
            ),
        ];
        for (offered, requested, expected) in table {
            let deadline = |deadline| Qos {
                deadline,
                ..Qos::RESULTS
            };
            let lease = |lease| Qos {
                lease,
                ..Qos::RESULTS
            };
            for (policy, publisher, subscription) in [
                ("deadline", deadline(offered), deadline(requested)),
                (
                    "liveliness_lease_duration",
                    lease(offered),
                    lease(requested),
                ),
            ] {
                let expected = expected.map(|(offered, requested, value)| Mismatch {
                    policy,
                    offered: offered.to_owned(),
                    requested: requested.to_owned(),
                    mend: format!("qos_overrides.{TOPIC}.subscription.{policy}: {value}"),
                });
                let found = publisher.mismatches(&subscription, TOPIC);
                assert_eq!(found, Vec::from_iter(expected));
            }
        }
    }

    #[test]
    fn what_is_not_negotiated_never_mismatches_and_several_policies_can() {
        let publisher = Qos {
            history: Some(History::KeepAll),
            lifespan: Some(MS),
            ..Qos::IMAGES
        };
        assert_eq!(publisher.mismatches(&Qos::IMAGES, TOPIC), []);
        let policies = publisher.mismatches(&Qos::LATCHED, TOPIC);
        let policies: Vec<_> = policies.iter().map(|found| found.policy).collect();
        assert_eq!(policies, ["reliability", "durability"]);
    }
}
