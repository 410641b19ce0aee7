//! The current state of the providers over all sessions of a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use shuffledet_core::Cause;
use shuffledet_core::ProviderStatus;

/// Shared by the sessions, which update it, and by the readers that report it.
#[derive(Debug, Default)]
pub struct ProviderStatuses {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entered: usize,
    /// By session, in order of preference.
    sessions: BTreeMap<usize, Vec<ProviderStatus>>,
    /// Provider and reason: what was logged for one session is not logged again for the next.
    told: BTreeSet<(String, String)>,
}

impl ProviderStatuses {
    /// Returns the state of each provider in the list, in order of preference; empty without
    /// sessions. A provider that only some sessions use counts as used and has a reason.
    pub fn statuses(&self) -> Vec<ProviderStatus> {
        let inner = self.lock();
        let count = inner.sessions.len();
        let mut all = inner.sessions.values();
        let Some(first) = all.next() else {
            return Vec::new();
        };
        let mut merged = first.clone();
        for statuses in all {
            for (merged, status) in merged.iter_mut().zip(statuses) {
                merged.used |= status.used;
                merged.failures += status.failures;
                if merged.reason.is_none() {
                    (merged.reason, merged.cause) = (status.reason.clone(), status.cause);
                }
                if merged.placement.is_empty() {
                    merged.placement.clone_from(&status.placement);
                }
            }
        }
        for (index, merged) in merged.iter_mut().enumerate() {
            if let (true, Some(reason)) = (merged.used, &merged.reason) {
                let using = inner
                    .sessions
                    .values()
                    .filter(|statuses| statuses[index].used);
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
    pub(super) fn tell(&self, number: usize, statuses: Vec<ProviderStatus>) {
        let mut inner = self.lock();
        let used = statuses.iter().find(|status| status.used);
        let used = used.map_or("none", |status| &status.provider).to_owned();
        for status in &statuses {
            let Some(reason) = &status.reason else {
                continue;
            };
            let key = (status.provider.clone(), reason.clone());
            let unwanted = matches!(status.cause, Some(Cause::NotNeeded | Cause::Forbidden));
            // each failure while running is logged when it happens
            if unwanted || status.failures > 0 || !inner.told.insert(key) {
                continue;
            }
            let line = format!("runs on {used}, not on {}: {reason}", status.provider);
            match status.cause {
                Some(Cause::SelfTestFailed) => tracing::error!("{line}"),
                Some(Cause::Preparing) => tracing::info!("{line}"),
                _ => tracing::warn!("{line}"),
            }
        }
        inner.sessions.insert(number, statuses);
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

    fn status(provider: &str, reason: Option<&str>, failures: u64) -> ProviderStatus {
        ProviderStatus {
            provider: provider.to_owned(),
            used: reason.is_none(),
            reason: reason.map(str::to_owned),
            failures,
            ..ProviderStatus::default()
        }
    }

    #[test]
    fn sessions_are_seen_as_one() {
        let provider_statuses = ProviderStatuses::default();
        assert!(provider_statuses.statuses().is_empty());
        let (one, two) = (provider_statuses.enter(), provider_statuses.enter());
        let cuda = [
            status("cuda", None, 1),
            status("cpu", Some("not needed"), 0),
        ];
        let cpu = [
            status("cuda", Some("out of memory"), 2),
            status("cpu", None, 0),
        ];
        provider_statuses.tell(one, cuda.to_vec());
        assert_eq!(provider_statuses.statuses(), cuda);
        provider_statuses.tell(two, cpu.to_vec());
        let statuses = provider_statuses.statuses();
        assert!(statuses[0].used && statuses[1].used);
        assert_eq!(statuses[0].failures, 3);
        let reason = statuses[0].reason.as_deref();
        assert_eq!(reason, Some("in 1 of 2 sessions only: out of memory"));
        provider_statuses.leave(one);
        assert_eq!(provider_statuses.statuses(), cpu);
    }
}
