//! Tests every execution provider with the model: availability, placement, time and output.

use std::path::Path;
use std::time::Instant;

use super::check::{Check, Report};
use shuffledet_core::ProviderStatus;
use shuffledet_core::{Cause, NodePlacement};
use shuffledet_detector::model::Model;
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::gpu::Nvidia;
use shuffledet_infer::self_test::{Probe, Reference};
use shuffledet_infer::{Backend, OrtBackend, Provider, ProviderError, Runtime, SessionOptions};

/// The test result of one provider.
struct ProviderTrial {
    placement: Vec<NodePlacement>,
    /// Median time of a run in milliseconds.
    run_ms: f64,
}

pub(super) fn check(
    runtime: &Runtime,
    model: &Model,
    options: &SessionOptions,
    report: &mut Report,
) {
    let probe = Probe::new(&model.description.input);
    let backend = match OrtBackend::new(runtime, model.file(), options, Profiled::All) {
        Ok(backend) => backend,
        // the check of the model reports it
        Err(_) => return,
    };
    let reference = backend
        .build(Provider::Cpu)
        .and_then(|mut cpu| Reference::take(&mut *cpu, probe));
    let reference = match reference {
        Ok(reference) => reference,
        Err(error) => {
            let fix = "the model or ONNX Runtime is damaged: reinstall ONNX Runtime and fetch the model again";
            report.add(Check::fail("provider cpu", error.to_string(), fix));
            return;
        }
    };
    let mut served = false;
    for provider in order(&options.providers) {
        let asked = options.providers.contains(&provider);
        // without a GPU it fails at once
        let is_quick = !provider.builds_slowly() || Nvidia::find(Path::new("/")).is_none();
        let tried = if asked || is_quick {
            try_out(&backend, provider, &reference)
        } else {
            let text = "not tested because the test may take minutes; to test it: --set runtime.providers=[tensorrt,cpu]";
            Err(ProviderError::new(Cause::NotNeeded, text))
        };
        let used = asked && !served && tried.is_ok();
        report.add(describe(provider, asked, served, options.strict, &tried));
        report.providers.push(status(provider, used, &tried));
        served |= used;
    }
}

/// Returns the configured providers in their order, then the others.
fn order(asked: &[Provider]) -> Vec<Provider> {
    let others = Provider::ALL.iter().filter(|other| !asked.contains(other));
    asked.iter().chain(others).copied().collect()
}

fn try_out(
    backend: &OrtBackend,
    provider: Provider,
    reference: &Reference,
) -> Result<ProviderTrial, ProviderError> {
    const RUNS: usize = 15;
    let mut runner = backend.build(provider)?;
    reference.check(&mut *runner, backend.tolerance(provider))?;
    let mut times_ms = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = Instant::now();
        runner.run(reference.probe.shape, &reference.probe.tensor)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times_ms.sort_by(f64::total_cmp);
    Ok(ProviderTrial {
        placement: runner.placement().to_vec(),
        run_ms: times_ms[RUNS / 2],
    })
}

fn describe(
    provider: Provider,
    asked: bool,
    served: bool,
    strict: bool,
    tried: &Result<ProviderTrial, ProviderError>,
) -> Check {
    let name = format!("provider {}", provider.name());
    let role = match (asked, served) {
        (true, false) => "used",
        (true, true) => "fallback",
        (false, _) => "not configured",
    };
    match tried {
        Ok(tried) => {
            let found = format!("{role}; {:.2} ms per run; {}", tried.run_ms, nodes(tried));
            let own = tried
                .placement
                .iter()
                .find(|own| own.provider == provider.name());
            if asked && own.is_none_or(|own| own.time_share < 0.5) {
                let fix = "list the operators that it does not support with --log-level debug, or put another provider first";
                return Check::warn(name, found, fix);
            }
            Check::ok(name, found)
        }
        Err(error) if !asked => Check::ok(name, format!("not configured; {error}")),
        Err(error) if served => {
            let found = format!("not usable as a fallback: {error}");
            Check::warn(
                name,
                found,
                "fix the problem above, or remove the provider from runtime.providers",
            )
        }
        Err(error) => {
            let fix = "fix the problem above, or remove the provider from runtime.providers";
            if strict {
                return Check::fail(
                    name,
                    format!("required because runtime.strict is true: {error}"),
                    fix,
                );
            }
            Check::warn(name, error.to_string(), fix)
        }
    }
}

fn nodes(tried: &ProviderTrial) -> String {
    let parts: Vec<_> = tried.placement.iter().map(ToString::to_string).collect();
    parts.join("; ")
}

fn status(
    provider: Provider,
    used: bool,
    tried: &Result<ProviderTrial, ProviderError>,
) -> ProviderStatus {
    let error = tried.as_ref().err();
    let not_used = (!used).then(|| "not needed".to_owned());
    ProviderStatus {
        provider: provider.name().to_owned(),
        used,
        reason: error.map(ToString::to_string).or(not_used),
        cause: error
            .map(|error| error.cause)
            .or((!used).then_some(Cause::NotNeeded)),
        failures: 0,
        placement: tried
            .as_ref()
            .map(|tried| tried.placement.clone())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;

    fn placed(provider: &str, time_share: f64) -> NodePlacement {
        NodePlacement {
            provider: provider.to_owned(),
            nodes: 3,
            time_share,
        }
    }

    #[test]
    fn only_what_was_asked_for_is_a_problem() {
        let refused = Err(ProviderError::new(Cause::NoDevice, "none"));
        let level =
            |asked, served, strict| describe(Provider::Cuda, asked, served, strict, &refused).level;
        assert_eq!(level(false, false, true), Level::Ok);
        assert_eq!(level(true, false, false), Level::Warn);
        assert_eq!(level(true, false, true), Level::Fail);
        assert_eq!(level(true, true, true), Level::Warn);
    }

    #[test]
    fn a_provider_that_leaves_most_to_the_cpu_is_a_problem() {
        let tried = |share| {
            let placement = vec![placed("cuda", share), placed("cpu", 1.0 - share)];
            let run_ms = 2.0;
            Ok(ProviderTrial { placement, run_ms })
        };
        let check = |share| describe(Provider::Cuda, true, false, false, &tried(share));
        assert_eq!(check(0.4).level, Level::Warn);
        assert_eq!(
            check(0.975),
            Check::ok(
                "provider cuda",
                "used; 2.00 ms per run; 3 nodes on cuda, 97.5 % of the time; 3 nodes on cpu, 2.5 % of the time"
            )
        );
    }

    #[test]
    fn what_is_asked_for_comes_first() {
        let order = order(&[Provider::Cpu, Provider::Cuda]);
        assert_eq!(order[..2], [Provider::Cpu, Provider::Cuda]);
        assert_eq!(order.len(), Provider::ALL.len());
    }
}
