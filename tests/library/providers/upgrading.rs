//! A better session that comes later.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shuffledet_core::Cause;
use shuffledet_infer::{Provider, ProviderStatuses, WhileBuilding};

use crate::providers::scripted::{
    Behaviour, GOOD, Scripted, fate, frame, frames_until, open, refusal, session,
};

const TENSORRT_CPU: [Provider; 2] = [Provider::TensorRt, Provider::Cpu];

#[test]
fn frames_are_served_while_the_better_session_is_made() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let backend = Scripted::new(move |provider, _| {
        if provider == Provider::TensorRt {
            released.lock().unwrap().recv().unwrap();
            // right within the tolerance, and not the same: one can see which it is
            return Ok(Behaviour {
                scale: 1.005,
                ..GOOD
            });
        }
        Ok(GOOD)
    });
    let provider_statuses = Arc::<ProviderStatuses>::default();
    let while_building = WhileBuilding::ServeMeanwhile;
    let mut session = open(
        &backend,
        &TENSORRT_CPU,
        false,
        while_building,
        &provider_statuses,
    )
    .unwrap()
    .0;
    for _ in 0..5 {
        assert_eq!(frame(&mut session).unwrap(), 1.0);
    }
    assert_eq!(
        fate(&session, Provider::TensorRt).cause,
        Some(Cause::Preparing)
    );
    assert!(provider_statuses.statuses()[1].used);
    release.send(()).unwrap();
    assert_eq!(frames_until(&mut session, Provider::TensorRt), 0);
    assert_eq!(frame(&mut session).unwrap(), 1.005);
    assert_eq!(*backend.approved.lock().unwrap(), [Provider::TensorRt]);
    let statuses = provider_statuses.statuses();
    assert!(statuses[0].used && statuses[0].reason.is_none());
    assert_eq!(statuses[1].cause, Some(Cause::NotNeeded));
}

#[test]
fn who_waits_has_the_better_session_for_every_frame() {
    let backend = Scripted::new(|provider, _| {
        if provider == Provider::TensorRt {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(GOOD)
    });
    let mut session = session(&backend, &TENSORRT_CPU, WhileBuilding::Wait);
    assert_eq!(session.provider(), Provider::TensorRt);
    frame(&mut session).unwrap();
    assert_eq!(session.provider(), Provider::TensorRt);
}

#[test]
fn other_outputs_never_take_over() {
    for scale in [1.02, 0.0, -1.0, f32::NAN, f32::INFINITY] {
        let backend = Scripted::new(move |provider, _| {
            let scale = if provider == Provider::TensorRt {
                scale
            } else {
                1.0
            };
            Ok(Behaviour { scale, ..GOOD })
        });
        for while_building in [WhileBuilding::Wait, WhileBuilding::ServeMeanwhile] {
            let mut session = session(&backend, &TENSORRT_CPU, while_building);
            let deadline = Instant::now() + Duration::from_secs(10);
            while fate(&session, Provider::TensorRt).cause != Some(Cause::SelfTestFailed) {
                assert!(Instant::now() < deadline, "{:?}", session.statuses());
                assert_eq!(frame(&mut session).unwrap(), 1.0);
                std::thread::sleep(Duration::from_millis(2));
            }
            assert_eq!(session.provider(), Provider::Cpu);
            let reason = fate(&session, Provider::TensorRt).reason.unwrap();
            assert!(reason.starts_with("self-test failed: output 0"), "{reason}");
        }
        // it is not tried again: it would compute the same
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(backend.builds(Provider::TensorRt).len(), 2);
        assert!(backend.approved.lock().unwrap().is_empty());
    }
}

#[test]
fn what_was_cached_and_does_not_work_is_built_anew_once() {
    let stale = [
        Ok(Behaviour { scale: 2.0, ..GOOD }),
        Err(refusal(Cause::Other)),
    ];
    for stale in stale {
        let backend = Scripted::new(move |provider, nth| match (provider, nth) {
            (Provider::TensorRt, 0) => stale.clone(),
            _ => Ok(GOOD),
        });
        *backend.cached.lock().unwrap() = true;
        let session = session(&backend, &TENSORRT_CPU, WhileBuilding::Wait);
        assert_eq!(session.provider(), Provider::TensorRt);
        assert_eq!(backend.builds(Provider::TensorRt).len(), 2);
        assert_eq!(*backend.approved.lock().unwrap(), [Provider::TensorRt]);
    }
}

#[test]
fn a_builder_that_fails_or_panics_leaves_the_one_that_serves() {
    for panics in [false, true] {
        let backend = Scripted::new(move |provider, _| match provider {
            Provider::TensorRt if panics => panic!("as the script says"),
            Provider::TensorRt => Err(refusal(Cause::LibraryMissing)),
            _ => Ok(GOOD),
        });
        let mut session = session(&backend, &TENSORRT_CPU, WhileBuilding::Wait);
        assert_eq!(frame(&mut session).unwrap(), 1.0);
        let expected = if panics {
            Cause::Other
        } else {
            Cause::LibraryMissing
        };
        assert_eq!(fate(&session, Provider::TensorRt).cause, Some(expected));
    }
}

#[test]
fn a_better_session_that_fails_comes_back_by_itself() {
    let backend = Scripted::new(|provider, nth| match (provider, nth) {
        (Provider::TensorRt, 0) => Ok(Behaviour {
            fails_at: 2,
            error: Cause::DeviceLost,
            ..GOOD
        }),
        _ => Ok(GOOD),
    });
    let providers = [Provider::TensorRt, Provider::Cuda, Provider::Cpu];
    let mut session = session(&backend, &providers, WhileBuilding::ServeMeanwhile);
    assert_eq!(session.provider(), Provider::Cuda);
    assert_eq!(frames_until(&mut session, Provider::TensorRt), 0);
    assert_eq!(frames_until(&mut session, Provider::Cuda), 1);
    assert_eq!(frames_until(&mut session, Provider::TensorRt), 0);
    assert!(backend.builds(Provider::Cpu).is_empty());
}

#[test]
fn the_one_that_serves_may_fail_while_a_better_one_is_made() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let backend = Scripted::new(move |provider, nth| match (provider, nth) {
        (Provider::TensorRt, _) => {
            released.lock().unwrap().recv().unwrap();
            Ok(GOOD)
        }
        (Provider::Cuda, 0) => Ok(Behaviour {
            fails_at: 2,
            error: Cause::OutOfMemory,
            ..GOOD
        }),
        _ => Ok(GOOD),
    });
    let providers = [Provider::TensorRt, Provider::Cuda, Provider::Cpu];
    let mut session = session(&backend, &providers, WhileBuilding::ServeMeanwhile);
    assert_eq!(frames_until(&mut session, Provider::Cpu), 1);
    release.send(()).unwrap();
    assert_eq!(frames_until(&mut session, Provider::TensorRt), 0);
    assert_eq!(backend.builds(Provider::TensorRt).len(), 1);
}

#[test]
fn a_session_can_go_while_another_is_made() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let backend = Scripted::new(move |provider, _| {
        if provider == Provider::TensorRt {
            // ends when the test does
            let _ = released.lock().unwrap().recv();
        }
        Ok(GOOD)
    });
    let session = session(&backend, &TENSORRT_CPU, WhileBuilding::ServeMeanwhile);
    let began = Instant::now();
    drop(session);
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(release);
}
