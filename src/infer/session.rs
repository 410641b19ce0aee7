//! A model that runs on the best provider there is at the moment.
//!
//! A session serves on one provider at a time. What it does on failure and when a better one is ready happens between
//! two frames ([`Session::between_frames`]), so that a frame has one provider from beginning to end.

use std::sync::Arc;

use thiserror::Error;

use super::backend::{OrtBackend, Profiled};
use super::backoff::Backoff;
use super::ladder::Ladder;
use super::runner::{Backend, Outputs, Runner};
use super::self_test::{Probe, Reference};
use super::standing::Standing;
use super::upgrade::{self, Ended, News, Retry, Upgrade};
use super::{Provider, ProviderError, ProviderOptions, Runtime};
use crate::metrics::ProviderFate;
use crate::model::decoder::ShapeMismatch;
use crate::model::onnx::OnnxError;
use crate::model::{Model, ModelDescription, OutputDecoder};

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
    serving: Box<dyn Runner>,
    /// Of the model's outputs, as its decoder reads them.
    output_lengths: Vec<usize>,
    ladder: Ladder,
    strict: bool,
    backend: Arc<dyn Backend>,
    backoff: Backoff,
    /// What a session must compute to take over; `None` where there is no second provider.
    reference: Option<Arc<Reference>>,
    upgrade: Option<Upgrade>,
    /// What the last run ended with, if the provider failed.
    broken: Option<ProviderError>,
    standing: Arc<Standing>,
    /// Its number there; none as long as it is not open.
    number: Option<usize>,
}

/// Why a model cannot be loaded or run.
#[derive(Debug, Error)]
pub enum InferError {
    #[error("{path}: {source}")]
    Onnx { path: String, source: OnnxError },
    #[error("{model}: none of the providers takes it: {reasons}")]
    NoProvider { model: String, reasons: String },
    #[error("{model}: its inputs are {found}, but the model's description says {expected}")]
    Input {
        model: String,
        expected: String,
        found: String,
    },
    #[error("{model}: {source}")]
    Outputs {
        model: String,
        source: ShapeMismatch,
    },
    #[error("ONNX Runtime: {0}")]
    Run(#[from] ort::Error),
    #[error("the provider {} failed: {error}", provider.name())]
    Provider {
        provider: Provider,
        error: ProviderError,
    },
    #[error("output {index} of the model has {found} values, expected {expected}")]
    OutputLength {
        index: usize,
        expected: usize,
        found: usize,
    },
}

impl InferError {
    /// The name to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            InferError::Provider { provider, .. } if *provider != Provider::Cpu => {
                "provider_failed"
            }
            _ => "inference",
        }
    }
}

impl Session {
    /// Loads `model` into ONNX Runtime, for as long as the best provider takes, and checks that its inputs and outputs are
    /// what its description says.
    pub fn open(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<(Self, OutputDecoder), InferError> {
        let backend = OrtBackend::new(runtime, model, options, Profiled::Accelerated)?;
        let opening = Opening {
            backend: Arc::new(backend),
            model: &model.path.display().to_string(),
            description: &model.description,
            options,
            patience: Patience::Wait,
            backoff: Backoff::default(),
            standing: Arc::default(),
        };
        opening.open()
    }

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
        while let Some(next) = self.ladder.next_below().filter(|_| !self.strict) {
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
            tracing::error!("{what}; there is no other, frames fail until it works again");
        } else {
            tracing::error!("{what}; frames go on with {now}");
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

    fn start_upgrade(
        &mut self,
        candidates: Vec<Provider>,
        reference: Arc<Reference>,
        retry: Option<Retry>,
    ) {
        let backend = Arc::clone(&self.backend);
        match Upgrade::start(backend, candidates, reference, retry) {
            Ok(upgrade) => self.upgrade = Some(upgrade),
            Err(error) => tracing::error!("no thread for a better session: {error}"),
        }
    }

    fn tell(&self) {
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

/// What a session is opened with.
pub struct Opening<'a> {
    pub backend: Arc<dyn Backend>,
    /// What error messages call it.
    pub model: &'a str,
    pub description: &'a ModelDescription,
    pub options: &'a SessionOptions,
    pub patience: Patience,
    pub backoff: Backoff,
    pub standing: Arc<Standing>,
}

impl Opening<'_> {
    /// A session on the best provider that there is now, or will be ([`Patience`]).
    ///
    /// # Errors
    /// No provider takes the model, or the first does not and `strict` is set; or its inputs and outputs are not what its
    /// description says.
    pub fn open(self) -> Result<(Session, OutputDecoder), InferError> {
        let SessionOptions {
            providers, strict, ..
        } = self.options;
        let backend = &*self.backend;
        let probe = || Probe::new(&self.description.input);
        let mut ladder = Ladder::new(providers);
        let mut serving = None;
        for (index, &provider) in providers.iter().enumerate() {
            let lesser = index > 0;
            if serving.is_some() {
                continue;
            } else if lesser && *strict && !providers[0].builds_slowly() {
                ladder.forbid(provider);
            } else if provider.builds_slowly() {
                ladder.prepare(provider);
            } else {
                match backend.build(provider) {
                    Ok(runner) => {
                        serving = Some(runner);
                        ladder.serve(provider);
                    }
                    Err(error) => ladder.refuse(provider, error),
                }
            }
        }
        let no_provider = |ladder: &Ladder| InferError::NoProvider {
            model: self.model.to_owned(),
            reasons: ladder.reasons(),
        };
        // what is slow and has nothing to serve in its place is made now, and compared with the CPU
        if serving.is_none()
            && let Some(provider) = ladder.preparing()
        {
            let made = backend.build(Provider::Cpu).and_then(|mut cpu| {
                let reference = Reference::take(&mut *cpu, probe())?;
                upgrade::make(backend, provider, Some(&reference))
            });
            match made {
                Ok(runner) => {
                    serving = Some(runner);
                    ladder.serve(provider);
                }
                Err(error) => ladder.refuse(provider, error),
            }
        }
        let mut serving = serving.ok_or_else(|| no_provider(&ladder))?;
        let decoder = check_shapes(&*serving, self.model, self.description)?;
        let replaceable = providers.len() > 1 || providers[0] != Provider::Cpu;
        let reference = replaceable.then(|| Reference::take(&mut *serving, probe()));
        let reference = reference
            .transpose()
            .map_err(|error| InferError::Provider {
                provider: ladder.current(),
                error,
            })?;
        let mut session = Session {
            serving,
            output_lengths: decoder.output_lengths(),
            ladder,
            strict: *strict,
            backend: self.backend.clone(),
            backoff: self.backoff,
            reference: reference.map(Arc::new),
            upgrade: None,
            broken: None,
            number: None,
            standing: self.standing.clone(),
        };
        if let (Some(provider), Some(reference)) = (session.ladder.preparing(), &session.reference)
        {
            let reference = Arc::clone(reference);
            session.start_upgrade(vec![provider], reference, None);
        }
        if *strict || self.patience == Patience::Wait {
            session.wait_for_upgrade();
        }
        if *strict {
            if session.provider() != providers[0] {
                return Err(no_provider(&session.ladder));
            }
            let lesser = &providers[1..];
            lesser
                .iter()
                .for_each(|&lesser| session.ladder.forbid(lesser));
        }
        session.number = Some(session.standing.enter());
        session.tell();
        Ok((session, decoder))
    }
}

/// The decoder of a session's outputs, if its inputs and outputs are those of `description`.
fn check_shapes(
    session: &dyn Runner,
    model: &str,
    description: &ModelDescription,
) -> Result<OutputDecoder, InferError> {
    let input = &description.input;
    let expected = [1, 3, i64::from(input.height), i64::from(input.width)];
    let shapes = session.shapes();
    let fits = |shape: &[i64]| {
        shape.len() == expected.len() && shape.iter().zip(expected).all(|(&s, e)| s == e || s == -1)
    };
    if !matches!(shapes.inputs.as_slice(), [one] if fits(one)) {
        return Err(InferError::Input {
            model: model.to_owned(),
            expected: format!("one of f32 {expected:?}"),
            found: shapes.described.clone(),
        });
    }
    let classes = description.labels.count();
    let size = (input.width, input.height);
    OutputDecoder::new(description.family, size, classes, &shapes.outputs).map_err(|source| {
        InferError::Outputs {
            model: model.to_owned(),
            source,
        }
    })
}
