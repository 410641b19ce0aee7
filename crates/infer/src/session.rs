//! A model that runs on the best provider there is at the moment.
//!
//! A session serves on one provider at a time. What it does on failure and when a better one is ready happens between
//! two frames ([`Session::between_frames`]), so that a frame has one provider from beginning to end.

use std::sync::Arc;

use super::backoff::Backoff;
use super::ladder::Ladder;
use super::runner::{Backend, Outputs, Runner};
use super::self_test::Reference;
use super::standing::Standing;
use super::upgrade::{self, Ended, News, Retry, Upgrade};
use super::{InferError, Provider, ProviderError, ProviderOptions};
use shuffledet_core::ProviderFate;

/// How a session runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// In order of preference; not empty.
    pub providers: Vec<Provider>,
    /// Fail rather than run on another than the first of `providers`.
    pub strict: bool,
    /// Threads within one operator, at least 1.
    pub intra_op_threads: usize,
    pub options: ProviderOptions,
}

/// What to do while a provider builds its session for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Wait: every frame is to have the same provider.
    Wait,
    /// Serve on the next one meanwhile.
    ServeMeanwhile,
}

/// A model that is ready to run.
pub struct Session {
    pub(super) serving: Box<dyn Runner>,
    /// Of the model's outputs, as its decoder reads them.
    pub(super) output_lengths: Vec<usize>,
    pub(super) ladder: Ladder,
    pub(super) strict: bool,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) backoff: Backoff,
    /// What a session must compute to take over; `None` where there is no second provider.
    pub(super) reference: Option<Arc<Reference>>,
    pub(super) upgrade: Option<Upgrade>,
    /// What the last run ended with, if the provider failed.
    pub(super) broken: Option<ProviderError>,
    pub(super) standing: Arc<Standing>,
    /// Its number there; none as long as it is not open.
    pub(super) number: Option<usize>,
}

impl Session {
    /// The provider that the last frame ran on.
    pub fn provider(&self) -> Provider {
        self.ladder.current()
    }

    /// What became of each provider that was asked for.
    pub fn fates(&self) -> Vec<ProviderFate> {
        self.ladder.fates(self.serving.placement())
    }

    /// Runs the model on an NCHW tensor of the shape that it was opened with. An error of a provider is that of this one
    /// frame: there may be another provider at the next.
    pub fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Outputs<'_>, InferError> {
        let provider = self.ladder.current();
        match self.serving.run(shape, tensor) {
            Ok(tensors) => {
                self.ladder.ran();
                let lengths = &self.output_lengths;
                Ok(Outputs { tensors, lengths })
            }
            Err(error) => {
                if provider != Provider::Cpu {
                    self.broken = Some(error.clone());
                }
                Err(InferError::Provider { provider, error })
            }
        }
    }

    /// Takes over a better session that is ready, and leaves a provider that has failed. To be called before a frame.
    pub fn between_frames(&mut self) {
        if let Some(error) = self.broken.take() {
            self.fall_back(error);
        }
        while let Some(upgrade) = &self.upgrade {
            match upgrade.poll() {
                Ok(Some(news)) => self.hear(news),
                Ok(None) => return,
                Err(Ended) => self.end_upgrade(),
            }
        }
    }

    /// Repeats the self-test after outputs that made no sense, unless they are the CPU's: a provider that does not pass it
    /// any more has failed. One that does is not to blame, but the model.
    pub fn test_again(&mut self) {
        let provider = self.ladder.current();
        let Some(reference) = self
            .reference
            .as_ref()
            .filter(|_| provider != Provider::Cpu)
        else {
            return;
        };
        let tolerance = self.backend.tolerance(provider);
        if let Err(error) = reference.check(&mut *self.serving, tolerance) {
            self.broken.get_or_insert(error);
        }
    }

    /// Waits until nothing better is in the making.
    pub(super) fn wait_for_upgrade(&mut self) {
        while let Some(upgrade) = &self.upgrade {
            match upgrade.wait() {
                Ok(news) => self.hear(news),
                Err(Ended) => self.end_upgrade(),
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Ready(provider, runner) => {
                let before = self.ladder.current().name();
                tracing::info!("from {before} to {}: its session is ready", provider.name());
                self.serving = runner;
                self.broken = None;
                self.ladder.serve(provider);
                self.end_upgrade();
            }
            News::Refused(provider, error) => {
                self.ladder.refuse(provider, error);
                self.tell();
            }
        }
    }

    /// The thread is done; what failed and is better than what serves is tried again.
    fn end_upgrade(&mut self) {
        self.upgrade = None;
        self.ladder.give_up_preparing();
        self.retry();
        self.tell();
    }

    fn fall_back(&mut self, error: ProviderError) {
        let failed = self.ladder.current().name();
        let what = format!("{failed} failed while it ran: {error}");
        self.ladder.fail(error);
        // without one that is made at once, all that is left is to wait
        while let Some(next) = self.ladder.next_quick().filter(|_| !self.strict) {
            match upgrade::make(&*self.backend, next, self.reference.as_deref()) {
                Ok(runner) => {
                    self.serving = runner;
                    self.ladder.serve(next);
                    break;
                }
                Err(error) => self.ladder.refuse(next, error),
            }
        }
        let now = self.ladder.current().name();
        if now == failed {
            tracing::error!("{what}; no other provider is available, frames fail until it works again");
        } else {
            tracing::error!("{what}; continuing with {now}");
        }
        if self.upgrade.is_none() {
            self.retry();
        }
        self.tell();
    }

    /// Tries again, after a while and in a thread of its own, what failed while it ran.
    fn retry(&mut self) {
        let (candidates, failures) = self.ladder.to_retry();
        let (Some(reference), false) = (&self.reference, candidates.is_empty()) else {
            return;
        };
        let retry = Retry {
            backoff: self.backoff,
            failures,
        };
        self.start_upgrade(candidates, Arc::clone(reference), Some(retry));
    }

    pub(super) fn start_upgrade(
        &mut self,
        candidates: Vec<Provider>,
        reference: Arc<Reference>,
        retry: Option<Retry>,
    ) {
        let backend = Arc::clone(&self.backend);
        match Upgrade::start(backend, candidates, reference, retry) {
            Ok(upgrade) => self.upgrade = Some(upgrade),
            Err(error) => tracing::error!("cannot start a thread for a better session: {error}"),
        }
    }

    pub(super) fn tell(&self) {
        if let Some(number) = self.number {
            self.standing.tell(number, self.fates());
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.standing.leave(number);
        }
    }
}
