//! Prepares a better session: creates and tests it in a separate thread while another one serves.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::backoff::Backoff;
use super::runner::{Backend, Runner};
use super::self_test::Reference;
use super::{Provider, ProviderError};
use shuffledet_core::Cause;

/// The messages of the thread.
pub(super) enum UpgradeEvent {
    /// The session is ready and its outputs are right.
    Ready(Provider, Box<dyn Runner>),
    Refused(Provider, ProviderError),
}

/// A session in preparation. Dropping it ends the thread, or detaches it if it does not end soon:
/// building an engine cannot be interrupted.
pub(super) struct Upgrade {
    event: Receiver<UpgradeEvent>,
    cancel: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Providers that failed while running, to be tried repeatedly.
pub(super) struct Retry {
    pub backoff: Backoff,
    /// Failures in a row, at least one.
    pub failures: u32,
}

impl Upgrade {
    /// Creates the first of `candidates` that works: once and immediately, or with `retry` after
    /// each delay until one works.
    pub(super) fn start(
        backend: Arc<dyn Backend>,
        candidates: Vec<Provider>,
        reference: Arc<Reference>,
        retry: Option<Retry>,
    ) -> io::Result<Self> {
        let (tell, event) = channel();
        let (cancel, cancelled) = channel();
        let work = move || make_better(&*backend, candidates, &reference, retry, &tell, &cancelled);
        let thread = thread::Builder::new().name("upgrade".into()).spawn(work)?;
        Ok(Self {
            event,
            cancel: Some(cancel),
            thread: Some(thread),
        })
    }

    /// Returns a new message without waiting. An error means that there will be no more.
    pub(super) fn poll(&self) -> Result<Option<UpgradeEvent>, UpgradeEnded> {
        match self.event.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(UpgradeEnded),
        }
    }

    /// Waits for the next message.
    pub(super) fn wait(&self) -> Result<UpgradeEvent, UpgradeEnded> {
        self.event.recv().map_err(|_| UpgradeEnded)
    }
}

/// The thread has ended.
pub(super) struct UpgradeEnded;

impl Drop for Upgrade {
    fn drop(&mut self) {
        // a node that is told to end has one second for several workers
        const GRACE: Duration = Duration::from_millis(100);
        self.cancel = None;
        loop {
            match self.event.recv_timeout(GRACE) {
                Ok(_unwanted) => {}
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(thread) = self.thread.take() {
            // a panic in it affects nothing any more
            let _ = thread.join();
        }
    }
}

fn make_better(
    backend: &dyn Backend,
    mut candidates: Vec<Provider>,
    reference: &Reference,
    mut retry: Option<Retry>,
    tell: &Sender<UpgradeEvent>,
    cancelled: &Receiver<()>,
) {
    loop {
        if let Some(retry) = &mut retry {
            let wait = retry.backoff.wait(retry.failures);
            if cancelled.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            retry.failures = retry.failures.saturating_add(1);
        }
        let mut hopeless = Vec::new();
        for &provider in &candidates {
            let event = match make(backend, provider, Some(reference)) {
                Ok(runner) => UpgradeEvent::Ready(provider, runner),
                Err(error) => {
                    if error.cause == Cause::SelfTestFailed {
                        hopeless.push(provider);
                    }
                    UpgradeEvent::Refused(provider, error)
                }
            };
            let done = matches!(event, UpgradeEvent::Ready(..));
            if tell.send(event).is_err() || done {
                return;
            }
        }
        candidates.retain(|provider| !hopeless.contains(provider));
        if retry.is_none() || candidates.is_empty() {
            return;
        }
    }
}

/// Creates a session on `provider` and runs the self-test if there is a reference. If a cached
/// session does not work, it is built once more.
pub(super) fn make(
    backend: &dyn Backend,
    provider: Provider,
    reference: Option<&Reference>,
) -> Result<Box<dyn Runner>, ProviderError> {
    // the first of several workers builds, and the others load its cache
    static SLOW: Mutex<()> = Mutex::new(());
    let slow = || SLOW.lock().unwrap_or_else(PoisonError::into_inner);
    let _one_at_a_time = provider.builds_slowly().then(slow);
    let attempt = || {
        let mut runner = backend.build(provider)?;
        if let Some(reference) = reference {
            reference.check(&mut *runner, backend.tolerance(provider))?;
        }
        backend.approve(provider);
        Ok(runner)
    };
    match attempt() {
        Err(error) if backend.discard(provider) => {
            let name = provider.name();
            tracing::warn!("{name}: starting from the cache failed ({error}); building it again");
            attempt()
        }
        made => made,
    }
}
