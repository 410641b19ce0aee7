//! The providers in order of preference, and how each stands: which serves, and why the better ones do not.

use super::{Provider, ProviderError};
use shuffledet_core::Cause;
use shuffledet_core::Placed;
use shuffledet_core::ProviderFate;

/// One session's providers.
pub(super) struct Ladder {
    rungs: Vec<Rung>,
    current: usize,
    /// Frames since the current one serves.
    frames: u64,
}

struct Rung {
    provider: Provider,
    /// Why it does not serve; `None` as long as nobody has tried it.
    problem: Option<ProviderError>,
    /// How often it failed while it ran.
    failures: u64,
    /// How often in a row, without a good while between.
    failures_in_a_row: u32,
}

/// A provider that ran so many frames is well again.
const GOOD_WHILE: u64 = 1000;

impl Ladder {
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
            // what comes after it need not be made any more
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

    /// The one that is being prepared.
    pub(super) fn preparing(&self) -> Option<Provider> {
        let mut rungs = self.rungs.iter();
        rungs
            .find(|rung| rung.cause() == Some(Cause::Preparing))
            .map(|rung| rung.provider)
    }

    /// Nobody prepares anything any more.
    pub(super) fn give_up_preparing(&mut self) {
        if let Some(provider) = self.preparing() {
            let text = "the thread that created its session ended unexpectedly; please report it";
            self.refuse(provider, ProviderError::new(Cause::Other, text));
        }
    }

    /// The current one failed while it ran.
    pub(super) fn fail(&mut self, error: ProviderError) {
        let rung = &mut self.rungs[self.current];
        rung.problem = Some(error);
        rung.failures += 1;
        rung.failures_in_a_row = rung.failures_in_a_row.saturating_add(1);
    }

    /// The next after the current one that nobody has tried, or that did well when it was left. One that builds slowly is
    /// left to be prepared.
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

    /// Those that failed while they ran and are no worse than the current one, and those to be prepared, the best first; and
    /// how often the best of them failed in a row.
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

    /// What became of each. `placement` is that of the session that serves.
    pub(super) fn fates(&self, placement: &[Placed]) -> Vec<ProviderFate> {
        let fate = |(index, rung): (usize, &Rung)| {
            let used = index == self.current && rung.problem.is_none();
            let not_needed = || {
                let better = self.current().name();
                let text = format!("{better} is preferred and works");
                ProviderError::new(Cause::NotNeeded, text)
            };
            let problem = (!used).then(|| rung.problem.clone().unwrap_or_else(not_needed));
            ProviderFate {
                provider: rung.provider.name().to_owned(),
                used,
                reason: problem.as_ref().map(ToString::to_string),
                cause: problem.map(|problem| problem.cause),
                failures: rung.failures,
                placement: if used { placement.to_vec() } else { Vec::new() },
            }
        };
        self.rungs.iter().enumerate().map(fate).collect()
    }

    /// Why each does not serve, as one text.
    pub(super) fn reasons(&self) -> String {
        let reason = |rung: &Rung| {
            let problem = rung.problem.as_ref()?;
            Some(format!("{}: {problem}", rung.provider.name()))
        };
        let reasons: Vec<_> = self.rungs.iter().filter_map(reason).collect();
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
