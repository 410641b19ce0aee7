//! Opens a session: chooses the provider that serves first, and those to prepare.

use std::sync::Arc;

use super::backoff::Backoff;
use super::provider_statuses::ProviderStatuses;
use super::runner::{Backend, Runner, Signature};
use super::selection::ProviderSelection;
use super::self_test::{Probe, Reference};
use super::session::{Session, SessionOptions, WhileBuilding};
use super::{InferError, Provider, ProviderError, ShapeMismatch, upgrade};
use shuffledet_core::{Cause, InputSpec};

/// The inputs for opening a session.
pub struct Opening<'a> {
    pub backend: Arc<dyn Backend>,
    /// The model's name in error messages.
    pub model: &'a str,
    pub input: &'a InputSpec,
    pub options: &'a SessionOptions,
    pub while_building: WhileBuilding,
    pub backoff: Backoff,
    pub provider_statuses: Arc<ProviderStatuses>,
}

impl Opening<'_> {
    /// Opens a session on the best provider that is available now, or will be ([`WhileBuilding`]).
    ///
    /// # Errors
    /// No provider can run the model, or the first cannot and `strict` is set, or its inputs or
    /// outputs do not match its description. `outputs` checks the shapes of the outputs and returns
    /// their reader with the number of values in each.
    pub fn open<D>(
        self,
        outputs: impl FnOnce(&[Vec<i64>]) -> Result<(D, Vec<usize>), ShapeMismatch>,
    ) -> Result<(Session, D), InferError> {
        let SessionOptions {
            providers, strict, ..
        } = self.options;
        let mut selection = ProviderSelection::new(providers);
        let no_provider = |selection: &ProviderSelection| InferError::NoProvider {
            model: self.model.to_owned(),
            reasons: selection.reasons(),
        };
        let (serving, reference) = self
            .first(&mut selection)
            .ok_or_else(|| no_provider(&selection))?;
        let signature = serving.signature();
        check_input(signature, self.model, self.input)?;
        let (decoder, output_lengths) =
            outputs(&signature.outputs).map_err(|source| InferError::Outputs {
                model: self.model.to_owned(),
                source,
            })?;
        let mut session = Session {
            serving,
            output_lengths,
            selection,
            strict: *strict,
            backend: Arc::clone(&self.backend),
            backoff: self.backoff,
            reference: reference.map(Arc::new),
            upgrade: None,
            broken: None,
            number: None,
            provider_statuses: Arc::clone(&self.provider_statuses),
        };
        if let (Some(provider), Some(reference)) =
            (session.selection.preparing(), &session.reference)
        {
            let reference = Arc::clone(reference);
            session.start_upgrade(vec![provider], reference, None);
        }
        if *strict || self.while_building == WhileBuilding::Wait {
            session.wait_for_upgrade();
        }
        if *strict {
            if session.provider() != providers[0] {
                return Err(no_provider(&session.selection));
            }
            for &lesser in &providers[1..] {
                session.selection.forbid(lesser);
            }
        }
        session.number = Some(session.provider_statuses.enter());
        session.tell();
        Ok((session, decoder))
    }

    /// Returns the first session that serves: the best of those that are created quickly. Slower
    /// providers before it are left for preparation. If no other provider is available, a slow one
    /// is created now and compared with the CPU.
    fn first(&self, selection: &mut ProviderSelection) -> Option<First> {
        let SessionOptions {
            providers, strict, ..
        } = self.options;
        for (index, &provider) in providers.iter().enumerate() {
            if index > 0 && *strict && !providers[0].builds_slowly() {
                selection.forbid(provider);
            } else if provider.builds_slowly() {
                selection.prepare(provider);
            } else {
                match self.quick(provider) {
                    Ok(first) => {
                        selection.serve(provider);
                        return Some(first);
                    }
                    Err(error) => selection.refuse(provider, error),
                }
            }
        }
        let provider = selection.preparing()?;
        match self.slow(provider) {
            Ok(first) => {
                selection.serve(provider);
                Some(first)
            }
            Err(error) => {
                selection.refuse(provider, error);
                None
            }
        }
    }

    fn quick(&self, provider: Provider) -> Result<First, ProviderError> {
        let mut runner = self.backend.build(provider)?;
        if self.options.providers == [Provider::Cpu] {
            return Ok((runner, None));
        }
        let reference = Reference::take(&mut *runner, self.probe())?;
        // on the CPU the model itself is the cause, and each frame will fail with this reason
        if provider != Provider::Cpu && !reference.is_finite() {
            let text = "its outputs on the test card are not finite numbers";
            return Err(ProviderError::new(Cause::SelfTestFailed, text));
        }
        Ok((runner, Some(reference)))
    }

    fn slow(&self, provider: Provider) -> Result<First, ProviderError> {
        let mut cpu = self.backend.build(Provider::Cpu)?;
        let reference = Reference::take(&mut *cpu, self.probe())?;
        let runner = upgrade::make(&*self.backend, provider, Some(&reference))?;
        Ok((runner, Some(reference)))
    }

    fn probe(&self) -> Probe {
        Probe::new(self.input)
    }
}

/// The serving session, and the outputs that other sessions must reproduce to take over; `None` if
/// there are no others.
type First = (Box<dyn Runner>, Option<Reference>);

/// Checks that the model takes one tensor of the form of `input`.
fn check_input(signature: &Signature, model: &str, input: &InputSpec) -> Result<(), InferError> {
    let expected = [1, 3, i64::from(input.height), i64::from(input.width)];
    let fits = |shape: &[i64]| {
        shape.len() == expected.len() && shape.iter().zip(expected).all(|(&s, e)| s == e || s == -1)
    };
    if matches!(signature.inputs.as_slice(), [one] if fits(one)) {
        return Ok(());
    }
    Err(InferError::Input {
        model: model.to_owned(),
        expected: format!("one of f32 {expected:?}"),
        found: signature.described.clone(),
    })
}
