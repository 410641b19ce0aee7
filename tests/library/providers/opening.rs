//! Which provider a session starts on, and what is refused.

use std::sync::Arc;

use shuffledet_core::Cause;
use shuffledet_infer::{InferError, Provider, ProviderStatuses, WhileBuilding};

use crate::providers::scripted::{GOOD, Scripted, fate, open, refusal, session};

#[test]
fn the_first_that_works_serves_and_each_has_its_fate() {
    let backend = Scripted::new(|provider, _| match provider {
        Provider::TensorRt => Err(refusal(Cause::NoDriver)),
        Provider::Cuda => Err(refusal(Cause::NotInBuild)),
        _ => Ok(GOOD),
    });
    let session = session(&backend, &Provider::ALL, WhileBuilding::Wait);
    let statuses: Vec<_> = session
        .statuses()
        .iter()
        .map(|fate| (fate.used, fate.cause))
        .collect();
    assert_eq!(
        statuses,
        [
            (false, Some(Cause::NoDriver)),
            (false, Some(Cause::NotInBuild)),
            (true, None),
            (false, Some(Cause::NotNeeded)),
            (false, Some(Cause::NotNeeded)),
        ]
    );
    assert!(backend.builds(Provider::Xnnpack).is_empty());
    let reason = fate(&session, Provider::Cpu).reason.unwrap();
    assert_eq!(reason, "not needed: openvino is preferred and works");
}

#[test]
fn a_slow_provider_alone_is_compared_with_the_cpu() {
    for while_building in [WhileBuilding::Wait, WhileBuilding::ServeMeanwhile] {
        let backend = Scripted::new(|_, _| Ok(GOOD));
        let session = session(&backend, &[Provider::TensorRt], while_building);
        assert_eq!(session.provider(), Provider::TensorRt);
        assert_eq!(backend.builds(Provider::Cpu).len(), 1);
    }
}

#[test]
fn strict_refuses_to_start_on_a_lesser_one() {
    for first in [Provider::Cuda, Provider::TensorRt] {
        let backend = Scripted::new(move |provider, _| match provider {
            Provider::Cpu => Ok(GOOD),
            _ => Err(refusal(Cause::NoDevice)),
        });
        let provider_statuses = Arc::<ProviderStatuses>::default();
        let providers = [first, Provider::Cpu];
        let opened = open(
            &backend,
            &providers,
            true,
            WhileBuilding::ServeMeanwhile,
            &provider_statuses,
        );
        let error = opened.err().unwrap();
        assert!(matches!(error, InferError::NoProvider { .. }), "{error}");
        let expected = format!("{}: no device: as the script says", first.name());
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(provider_statuses.statuses().is_empty());
    }
}

#[test]
fn strict_waits_for_a_slow_first_one() {
    let backend = Scripted::new(|_, _| Ok(GOOD));
    let providers = [Provider::TensorRt, Provider::Cpu];
    let provider_statuses = Arc::<ProviderStatuses>::default();
    let opened = open(
        &backend,
        &providers,
        true,
        WhileBuilding::ServeMeanwhile,
        &provider_statuses,
    );
    assert_eq!(opened.unwrap().0.provider(), Provider::TensorRt);
}

#[test]
fn when_none_works_every_reason_is_told() {
    let backend = Scripted::new(|_, _| Err(refusal(Cause::LibraryMissing)));
    let providers = [Provider::TensorRt, Provider::Cuda, Provider::Cpu];
    let opened = open(
        &backend,
        &providers,
        false,
        WhileBuilding::Wait,
        &Arc::default(),
    );
    let error = opened.err().unwrap().to_string();
    for name in ["tensorrt", "cuda", "cpu"] {
        let expected = format!("{name}: library missing: as the script says");
        assert!(error.contains(&expected), "{error}");
    }
}
