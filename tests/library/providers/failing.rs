//! Providers that fail while they run.

use std::sync::Arc;
use std::time::Duration;

use shuffledet_core::Cause;
use shuffledet_infer::{Provider, ProviderStatuses, WhileBuilding};

use crate::providers::scripted::{
    Behaviour, GOOD, Scripted, fate, frame, frames_until, open, refusal, session,
};

/// Takes the self-test and two frames, then no more.
fn breaks(error: Cause) -> Behaviour {
    Behaviour {
        fails_at: 3,
        error,
        ..GOOD
    }
}

#[test]
fn one_frame_fails_and_the_next_runs_on_the_next_provider() {
    let backend = Scripted::new(|provider, nth| match (provider, nth) {
        (Provider::Cuda, 0) => Ok(breaks(Cause::OutOfMemory)),
        (Provider::Cuda, _) => Err(refusal(Cause::DeviceLost)),
        _ => Ok(GOOD),
    });
    let mut session = session(
        &backend,
        &[Provider::Cuda, Provider::Cpu],
        WhileBuilding::Wait,
    );
    assert_eq!(fate(&session, Provider::Cuda).placement[0].nodes, 7);
    let results: Vec<_> = (0..5).map(|_| frame(&mut session)).collect();
    let failed: Vec<_> = results
        .iter()
        .map(|r| r.as_ref().err().map(|e| e.reason()))
        .collect();
    assert_eq!(failed, [None, None, Some("provider_failed"), None, None]);
    assert_eq!(session.provider(), Provider::Cpu);
    let cuda = fate(&session, Provider::Cuda);
    assert_eq!((cuda.used, cuda.failures), (false, 1));
    assert!(matches!(
        cuda.cause,
        Some(Cause::OutOfMemory | Cause::DeviceLost)
    ));
    assert!(fate(&session, Provider::Cpu).used);
}

#[test]
fn a_provider_that_works_again_is_taken_back() {
    let backend = Scripted::new(|provider, nth| match (provider, nth) {
        (Provider::Cuda, 0) => Ok(breaks(Cause::DeviceLost)),
        (Provider::Cuda, 1 | 2) => Err(refusal(Cause::NoDevice)),
        _ => Ok(GOOD),
    });
    let mut session = session(
        &backend,
        &[Provider::Cuda, Provider::Cpu],
        WhileBuilding::Wait,
    );
    assert_eq!(frames_until(&mut session, Provider::Cpu), 1);
    assert_eq!(frames_until(&mut session, Provider::Cuda), 0);
    let cuda = fate(&session, Provider::Cuda);
    assert_eq!((cuda.reason, cuda.failures), (None, 1));
    // 20, then 40, then 80 ms
    let builds = backend.builds(Provider::Cuda);
    let waits: Vec<_> = builds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 3);
    for (wait, least) in waits.iter().zip([20, 40, 80]) {
        assert!(*wait >= Duration::from_millis(least), "{waits:?}");
    }
}

#[test]
fn what_fails_again_and_again_costs_one_frame_each_time() {
    let backend = Scripted::new(|provider, _| match provider {
        Provider::Cuda => Ok(breaks(Cause::DeviceLost)),
        _ => Ok(GOOD),
    });
    let mut session = session(
        &backend,
        &[Provider::Cuda, Provider::Cpu],
        WhileBuilding::Wait,
    );
    let mut failed = 0;
    for _ in 0..3 {
        failed += frames_until(&mut session, Provider::Cpu);
        failed += frames_until(&mut session, Provider::Cuda);
    }
    assert_eq!(failed, 3);
    assert_eq!(fate(&session, Provider::Cuda).failures, 3);
}

#[test]
fn providers_that_do_not_start_are_passed_over() {
    let backend = Scripted::new(|provider, nth| match (provider, nth) {
        (Provider::Cuda, 0) => Ok(breaks(Cause::OutOfMemory)),
        (Provider::Cuda, _) => Err(refusal(Cause::OutOfMemory)),
        (Provider::OpenVino, _) => Err(refusal(Cause::LibraryMissing)),
        _ => Ok(GOOD),
    });
    let providers = [
        Provider::Cuda,
        Provider::OpenVino,
        Provider::Xnnpack,
        Provider::Cpu,
    ];
    let mut session = session(&backend, &providers, WhileBuilding::Wait);
    assert_eq!(frames_until(&mut session, Provider::Xnnpack), 1);
    let cause = |provider| fate(&session, provider).cause;
    assert_eq!(cause(Provider::OpenVino), Some(Cause::LibraryMissing));
    assert_eq!(cause(Provider::Cpu), Some(Cause::NotNeeded));
    assert!(backend.builds(Provider::Cpu).is_empty());
}

#[test]
fn without_another_frames_fail_until_it_works_again() {
    for (providers, strict) in [
        (vec![Provider::Cuda], false),
        (vec![Provider::Cuda, Provider::Cpu], true),
    ] {
        let backend = Scripted::new(|_, nth| match nth {
            0 => Ok(breaks(Cause::DeviceLost)),
            1 => Err(refusal(Cause::DeviceLost)),
            _ => Ok(GOOD),
        });
        let provider_statuses = Arc::<ProviderStatuses>::default();
        let opened = open(
            &backend,
            &providers,
            strict,
            WhileBuilding::Wait,
            &provider_statuses,
        );
        let mut session = opened.unwrap().0;
        for fails in [false, false, true, true] {
            assert_eq!(frame(&mut session).is_err(), fails);
        }
        let statuses = provider_statuses.statuses();
        assert!(statuses.iter().all(|fate| !fate.used), "{statuses:?}");
        assert!(frames_until(&mut session, Provider::Cuda) > 0);
        assert!(provider_statuses.statuses()[0].used);
        assert_eq!(frame(&mut session).unwrap(), 1.0);
        assert!(backend.builds(Provider::Cpu).is_empty());
    }
}

#[test]
fn the_cpu_alone_keeps_its_session() {
    let backend = Scripted::new(|_, _| Ok(breaks(Cause::Other)));
    let mut session = session(&backend, &[Provider::Cpu], WhileBuilding::Wait);
    let failed: Vec<_> = (0..5).map(|_| frame(&mut session).err()).collect();
    let reasons: Vec<_> = failed
        .iter()
        .map(|e| e.as_ref().map(|e| e.reason()))
        .collect();
    // no self-test: there is nothing to take over from it
    assert_eq!(
        reasons,
        [None, None, None, Some("inference"), Some("inference")]
    );
    assert!(fate(&session, Provider::Cpu).used);
    assert_eq!(backend.builds(Provider::Cpu).len(), 1);
}

#[test]
fn a_slow_one_in_reserve_is_made_in_the_background() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let backend = Scripted::new(move |provider, nth| match (provider, nth) {
        (Provider::Cuda, 0) => Ok(breaks(Cause::DeviceLost)),
        (Provider::Cuda, _) => Err(refusal(Cause::NoDevice)),
        (Provider::TensorRt, _) => {
            released.lock().unwrap().recv().unwrap();
            Ok(GOOD)
        }
        _ => Ok(GOOD),
    });
    let providers = [Provider::Cuda, Provider::TensorRt, Provider::Cpu];
    let mut session = session(&backend, &providers, WhileBuilding::ServeMeanwhile);
    assert_eq!(
        fate(&session, Provider::TensorRt).cause,
        Some(Cause::NotNeeded)
    );
    assert_eq!(frames_until(&mut session, Provider::Cpu), 1);
    let cause = fate(&session, Provider::TensorRt).cause;
    assert_eq!(cause, Some(Cause::Preparing));
    release.send(()).unwrap();
    assert_eq!(frames_until(&mut session, Provider::TensorRt), 0);
    assert_eq!(fate(&session, Provider::Cuda).failures, 1);
}
