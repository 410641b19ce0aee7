//! A model that runs on the best provider currently available.
//!
//! A session serves on one provider at a time. It handles failures and takes over better sessions
//! between two frames ([`Session::between_frames`]), so that each frame has one provider.

use std::sync::Arc;

use super::backoff::Backoff;
use super::provider_statuses::ProviderStatuses;
use super::runner::{Backend, Outputs, Runner};
use super::selection::ProviderSelection;
use super::self_test::Reference;
use super::upgrade::{self, Retry, Upgrade, UpgradeEnded, UpgradeEvent};
use super::{InferError, Provider, ProviderError, ProviderOptions};
use shuffledet_core::ProviderStatus;

/// The options of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// In order of preference; not empty.
    pub providers: Vec<Provider>,
    /// Whether to fail instead of running on another provider than the first.
    pub strict: bool,
    /// The threads within one operator, at least 1.
    pub intra_op_threads: usize,
    pub options: ProviderOptions,
}

/// What to do while a provider builds its session for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileBuilding {
    /// Wait, so that every frame has the same provider.
    Wait,
    /// Serve on the next provider until then.
    ServeMeanwhile,
}

/// A model that is ready to run.
pub struct Session {
    pub(super) serving: Box<dyn Runner>,
    /// The lengths of the model's outputs, for its decoder.
    pub(super) output_lengths: Vec<usize>,
    pub(super) selection: ProviderSelection,
    pub(super) strict: bool,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) backoff: Backoff,
    /// The outputs that another session must reproduce to take over; `None` if there is no second
    /// provider.
    pub(super) reference: Option<Arc<Reference>>,
    pub(super) upgrade: Option<Upgrade>,
    /// The error of the last run, if the provider failed.
    pub(super) broken: Option<ProviderError>,
    pub(super) provider_statuses: Arc<ProviderStatuses>,
    /// The session's number there; `None` until it is open.
    pub(super) number: Option<usize>,
}

impl Session {
    /// Returns the provider of the last frame.
    pub fn provider(&self) -> Provider {
        self.selection.current()
    }

    /// Returns the state of each provider in the list.
    pub fn statuses(&self) -> Vec<ProviderStatus> {
        self.selection.statuses(self.serving.placement())
    }

    /// Runs the model on an NCHW tensor of the shape given at opening. A provider's error concerns
    /// this frame only: the next frame may have another provider.
    pub fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Outputs<'_>, InferError> {
        let provider = self.selection.current();
        match self.serving.run(shape, tensor) {
            Ok(tensors) => {
                self.selection.ran();
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

    /// Takes over a better session that is ready, and leaves a provider that has failed. Call it
    /// before each frame.
    pub fn between_frames(&mut self) {
        if let Some(error) = self.broken.take() {
            self.fall_back(error);
        }
        while let Some(upgrade) = &self.upgrade {
            match upgrade.poll() {
                Ok(Some(event)) => self.apply(event),
                Ok(None) => return,
                Err(UpgradeEnded) => self.end_upgrade(),
            }
        }
    }

    /// Repeats the self-test after invalid outputs, except on the CPU. A provider that no longer
    /// passes it has failed. If it passes, the model is the cause.
    pub fn test_again(&mut self) {
        let provider = self.selection.current();
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

    /// Waits until no better session is being created.
    pub(super) fn wait_for_upgrade(&mut self) {
        while let Some(upgrade) = &self.upgrade {
            match upgrade.wait() {
                Ok(event) => self.apply(event),
                Err(UpgradeEnded) => self.end_upgrade(),
            }
        }
    }

    fn apply(&mut self, event: UpgradeEvent) {
        match event {
            UpgradeEvent::Ready(provider, runner) => {
                let before = self.selection.current().name();
                tracing::info!("from {before} to {}: its session is ready", provider.name());
                self.serving = runner;
                self.broken = None;
                self.selection.serve(provider);
                self.end_upgrade();
            }
            UpgradeEvent::Refused(provider, error) => {
                self.selection.refuse(provider, error);
                self.tell();
            }
        }
    }

    /// Ends the thread. Providers that failed and are better than the serving one are tried again.
    fn end_upgrade(&mut self) {
        self.upgrade = None;
        self.selection.give_up_preparing();
        self.retry();
        self.tell();
    }

    fn fall_back(&mut self, error: ProviderError) {
        let failed = self.selection.current().name();
        let what = format!("{failed} failed while it ran: {error}");
        self.selection.fail(error);
        // without a provider that is created quickly, the session can only wait
        while let Some(next) = self.selection.next_quick().filter(|_| !self.strict) {
            match upgrade::make(&*self.backend, next, self.reference.as_deref()) {
                Ok(runner) => {
                    self.serving = runner;
                    self.selection.serve(next);
                    break;
                }
                Err(error) => self.selection.refuse(next, error),
            }
        }
        let now = self.selection.current().name();
        if now == failed {
            tracing::error!(
                "{what}; no other provider is available, frames fail until it works again"
            );
        } else {
            tracing::error!("{what}; continuing with {now}");
        }
        if self.upgrade.is_none() {
            self.retry();
        }
        self.tell();
    }

    /// Tries failed providers again, after a delay and in a separate thread.
    fn retry(&mut self) {
        let (candidates, failures) = self.selection.to_retry();
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
            self.provider_statuses.tell(number, self.statuses());
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.provider_statuses.leave(number);
        }
    }
}
