use std::time::Duration;

use super::policy::Policy;
use super::*;
use shuffledet_detector::config::raw::RawQos;

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

/// Matches every offer with every request and returns the mismatches with the value that fixes
/// each.
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
                let value = mismatch.fix.strip_prefix(&prefix).unwrap();
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
                fix: format!("qos_overrides.{TOPIC}.subscription.{policy}: {value}"),
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
