//! The current state of the providers over all sessions of a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use shuffledet_core::Cause;
use shuffledet_core::ProviderFate;

/// Shared by the sessions, which update it, and by the readers that report it.
#[derive(Debug, Default)]
pub struct Standing {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entered: usize,
    /// By session, in order of preference.
    sessions: BTreeMap<usize, Vec<ProviderFate>>,
    /// Provider and reason: what was logged for one session is not logged again for the next.
    told: BTreeSet<(String, String)>,
}

impl Standing {
    /// Returns the state of each provider in the list, in order of preference; empty without
    /// sessions. A provider that only some sessions use counts as used and has a reason.
    pub fn fates(&self) -> Vec<ProviderFate> {
        let inner = self.lock();
        let count = inner.sessions.len();
        let mut all = inner.sessions.values();
        let Some(first) = all.next() else {
            return Vec::new();
        };
        let mut merged = first.clone();
        for fates in all {
            for (merged, fate) in merged.iter_mut().zip(fates) {
                merged.used |= fate.used;
                merged.failures += fate.failures;
                if merged.reason.is_none() {
                    (merged.reason, merged.cause) = (fate.reason.clone(), fate.cause);
                }
                if merged.placement.is_empty() {
                    merged.placement.clone_from(&fate.placement);
                }
            }
        }
        for (index, merged) in merged.iter_mut().enumerate() {
            if let (true, Some(reason)) = (merged.used, &merged.reason) {
                let using = inner.sessions.values().filter(|fates| fates[index].used);
                let using = using.count();
                merged.reason = Some(format!("in {using} of {count} sessions only: {reason}"));
            }
        }
        merged
    }

    /// Returns a new session's number.
    pub(super) fn enter(&self) -> usize {
        let mut inner = self.lock();
        inner.entered += 1;
        inner.entered
    }

    /// Updates the states of the session `number`. Logs what no session has logged yet.
    pub(super) fn tell(&self, number: usize, fates: Vec<ProviderFate>) {
        let mut inner = self.lock();
        let used = fates.iter().find(|fate| fate.used);
        let used = used.map_or("none", |fate| &fate.provider).to_owned();
        for fate in &fates {
            let Some(reason) = &fate.reason else {
                continue;
            };
            let key = (fate.provider.clone(), reason.clone());
            let unwanted = matches!(fate.cause, Some(Cause::NotNeeded | Cause::Forbidden));
            // each failure while running is logged when it happens
            if unwanted || fate.failures > 0 || !inner.told.insert(key) {
                continue;
            }
            let line = format!("runs on {used}, not on {}: {reason}", fate.provider);
            match fate.cause {
                Some(Cause::SelfTestFailed) => tracing::error!("{line}"),
                Some(Cause::Preparing) => tracing::info!("{line}"),
                _ => tracing::warn!("{line}"),
            }
        }
        inner.sessions.insert(number, fates);
    }

    pub(super) fn leave(&self, number: usize) {
        self.lock().sessions.remove(&number);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // each change is one step
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(provider: &str, reason: Option<&str>, failures: u64) -> ProviderFate {
        ProviderFate {
            provider: provider.to_owned(),
            used: reason.is_none(),
            reason: reason.map(str::to_owned),
            failures,
            ..ProviderFate::default()
        }
    }

    #[test]
    fn sessions_are_seen_as_one() {
        let standing = Standing::default();
        assert!(standing.fates().is_empty());
        let (one, two) = (standing.enter(), standing.enter());
        let cuda = [fate("cuda", None, 1), fate("cpu", Some("not needed"), 0)];
        let cpu = [fate("cuda", Some("out of memory"), 2), fate("cpu", None, 0)];
        standing.tell(one, cuda.to_vec());
        assert_eq!(standing.fates(), cuda);
        standing.tell(two, cpu.to_vec());
        let fates = standing.fates();
        assert!(fates[0].used && fates[1].used);
        assert_eq!(fates[0].failures, 3);
        let reason = fates[0].reason.as_deref();
        assert_eq!(reason, Some("in 1 of 2 sessions only: out of memory"));
        standing.leave(one);
        assert_eq!(standing.fates(), cpu);
    }
}
