//! The providers in order of preference, with the state of each: which one serves, and why better
//! ones do not.

use super::{Provider, ProviderError};
use shuffledet_core::Cause;
use shuffledet_core::NodePlacement;
use shuffledet_core::ProviderStatus;

/// The providers of one session.
pub(super) struct ProviderSelection {
    rungs: Vec<Rung>,
    current: usize,
    /// The frames since the current provider took over.
    frames: u64,
}

struct Rung {
    provider: Provider,
    /// Why it does not serve; `None` until it was tried.
    problem: Option<ProviderError>,
    /// How often it failed while running.
    failures: u64,
    /// How often it failed in a row, without [`GOOD_WHILE`] frames in between.
    failures_in_a_row: u32,
}

/// The number of frames after which a provider counts as recovered.
const GOOD_WHILE: u64 = 1000;

impl ProviderSelection {
    pub(super) fn new(providers: &[Provider]) -> Self {
        let rung = |&provider| Rung {
            provider,
            problem: None,
            failures: 0,
            failures_in_a_row: 0,
        };
        Self {
            rungs: providers.iter().map(rung).collect(),
            current: 0,
            frames: 0,
        }
    }

    pub(super) fn current(&self) -> Provider {
        self.rungs[self.current].provider
    }

    pub(super) fn ran(&mut self) {
        self.frames += 1;
        if self.frames == GOOD_WHILE {
            self.rungs[self.current].failures_in_a_row = 0;
        }
    }

    pub(super) fn serve(&mut self, provider: Provider) {
        if let Some(index) = self.find(provider) {
            self.current = index;
            self.frames = 0;
            self.rungs[index].problem = None;
            // providers after this one need not be created any more
            let below = self.rungs[index..].iter_mut();
            below
                .filter(|rung| rung.cause() == Some(Cause::Preparing))
                .for_each(|rung| rung.problem = None);
        }
    }

    pub(super) fn refuse(&mut self, provider: Provider, error: ProviderError) {
        if let Some(index) = self.find(provider) {
            self.rungs[index].problem = Some(error);
        }
    }

    pub(super) fn forbid(&mut self, provider: Provider) {
        let text = "runtime.strict allows only the first provider";
        self.refuse(provider, ProviderError::new(Cause::Forbidden, text));
    }

    pub(super) fn prepare(&mut self, provider: Provider) {
        let text = "its session is created in the background and takes over when it is ready";
        self.refuse(provider, ProviderError::new(Cause::Preparing, text));
    }

    /// Returns the provider in preparation.
    pub(super) fn preparing(&self) -> Option<Provider> {
        let mut rungs = self.rungs.iter();
        rungs
            .find(|rung| rung.cause() == Some(Cause::Preparing))
            .map(|rung| rung.provider)
    }

    /// Stops all preparation.
    pub(super) fn give_up_preparing(&mut self) {
        if let Some(provider) = self.preparing() {
            let text = "the thread that created its session ended unexpectedly; please report it";
            self.refuse(provider, ProviderError::new(Cause::Other, text));
        }
    }

    /// Records that the current provider failed while running.
    pub(super) fn fail(&mut self, error: ProviderError) {
        let rung = &mut self.rungs[self.current];
        rung.problem = Some(error);
        rung.failures += 1;
        rung.failures_in_a_row = rung.failures_in_a_row.saturating_add(1);
    }

    /// Returns the next provider after the current one that was not tried yet, or that worked when
    /// it was left. A provider that builds slowly is left for preparation.
    pub(super) fn next_quick(&mut self) -> Option<Provider> {
        let below = self.current + 1..self.rungs.len();
        for index in below {
            let provider = self.rungs[index].provider;
            if self.rungs[index].problem.is_some() {
                continue;
            } else if provider.builds_slowly() {
                self.prepare(provider);
            } else {
                return Some(provider);
            }
        }
        None
    }

    /// Returns the providers to try again, the best first: those that failed while running and are
    /// no worse than the current one, and those to prepare. Also returns how often the best of them
    /// failed in a row.
    pub(super) fn to_retry(&self) -> (Vec<Provider>, u32) {
        let wanted = |index: usize, rung: &Rung| match rung.cause() {
            None | Some(Cause::SelfTestFailed) => false,
            Some(Cause::Preparing) => true,
            Some(_) => rung.failures > 0 && index <= self.current,
        };
        let rungs = self.rungs.iter().enumerate();
        let rungs: Vec<_> = rungs
            .filter_map(|(index, rung)| wanted(index, rung).then_some(rung))
            .collect();
        let failures = rungs.first().map_or(0, |rung| rung.failures_in_a_row);
        (rungs.iter().map(|rung| rung.provider).collect(), failures)
    }

    /// Returns the state of each provider. `placement` is the placement of the serving session.
    pub(super) fn statuses(&self, placement: &[NodePlacement]) -> Vec<ProviderStatus> {
        self.rungs
            .iter()
            .enumerate()
            .map(|(index, rung)| {
                let used = index == self.current && rung.problem.is_none();
                let not_needed = || {
                    let better = self.current().name();
                    let text = format!("{better} is preferred and works");
                    ProviderError::new(Cause::NotNeeded, text)
                };
                let problem = (!used).then(|| rung.problem.clone().unwrap_or_else(not_needed));
                ProviderStatus {
                    provider: rung.provider.name().to_owned(),
                    used,
                    reason: problem.as_ref().map(ToString::to_string),
                    cause: problem.map(|problem| problem.cause),
                    failures: rung.failures,
                    placement: if used { placement.to_vec() } else { Vec::new() },
                }
            })
            .collect()
    }

    /// Returns as one text why each provider does not serve.
    pub(super) fn reasons(&self) -> String {
        let reasons: Vec<_> = self
            .rungs
            .iter()
            .filter_map(|rung| {
                let problem = rung.problem.as_ref()?;
                Some(format!("{}: {problem}", rung.provider.name()))
            })
            .collect();
        reasons.join("; ")
    }

    fn find(&self, provider: Provider) -> Option<usize> {
        self.rungs.iter().position(|rung| rung.provider == provider)
    }
}

impl Rung {
    fn cause(&self) -> Option<Cause> {
        self.problem.as_ref().map(|problem| problem.cause)
    }
}
