//! The diagnostic status of the detector, which all cameras share.

use std::fs;

use super::{Problems, Status, Values};
use crate::model_change::ModelChangeNote;
use shuffledet_core::Cause;
use shuffledet_core::{ModelIdentity, ProviderStatus};
use shuffledet_detector::config::Threads;
use shuffledet_msg::Level;

/// The facts about the detector.
#[derive(Debug, Clone, Copy)]
pub struct DetectorFacts<'a> {
    /// The node's name without its namespace.
    pub node: &'a str,
    /// The lifecycle state's label: `active`, ...
    pub state: &'a str,
    /// Why it cannot run, with a fix; `None` if it can.
    pub unable: Option<&'a str>,
    /// The parts that are stuck or were replaced lately.
    pub stuck: &'a [String],
    /// The model; `None` until one is loaded.
    pub model: Option<&'a ModelIdentity>,
    /// What became of the latest change of the model.
    pub model_change: Option<&'a ModelChangeNote>,
    /// The providers in order of preference; empty until a model is loaded.
    pub providers: &'a [ProviderStatus],
    pub threads: Threads,
    /// Why the model does not run at input sizes that the parameters ask for.
    pub input_problems: &'a [String],
    /// Number of parameter changes since the start.
    pub parameters_changed: u64,
    /// Resident memory of the process, if known.
    pub resident_bytes: Option<u64>,
}

/// Returns the detector's status.
pub fn detector_status(facts: &DetectorFacts<'_>) -> Status {
    let mut problems = Problems::default();
    if let Some(unable) = facts.unable {
        problems.add(Level::Error, unable.to_owned());
    }
    for stuck in facts.stuck {
        problems.add(Level::Error, stuck.clone());
    }
    if let Some(problem) = facts.model_change.and_then(ModelChangeNote::problem) {
        problems.add(Level::Warn, problem);
    }
    let used = facts.providers.iter().position(|status| status.used);
    let provider = used.map_or("none", |used| &facts.providers[used].provider);
    // if no provider is used, all of them are problems
    let better = used.unwrap_or(facts.providers.len());
    let own_fault = |status: &&ProviderStatus| {
        !matches!(status.cause, Some(Cause::NotNeeded | Cause::Forbidden))
    };
    for status in facts.providers[..better].iter().filter(own_fault) {
        let (preferred, reason) = (&status.provider, reason(status));
        let problem = format!(
            "runs on {provider} instead of {preferred}, which precedes it in runtime.providers: {reason}"
        );
        problems.add(severity(status), problem);
    }
    if let Some(status) = used.map(|used| &facts.providers[used]) {
        if let Some(reason) = &status.reason {
            problems.add(severity(status), format!("{provider} is used {reason}"));
        }
        let own = status
            .placement
            .iter()
            .find(|own| own.provider == *provider);
        let share = own.map_or(1.0, |own| own.time_share);
        if share < LEAST_SHARE {
            let share = 100.0 * share;
            let problem =
                format!("{provider} accounts for only {share:.0} % of the model's run time");
            problems.add(Level::Warn, problem);
        }
    }
    let fine = match facts.model {
        Some(model) => format!("{} on {provider}, {}", model.name, facts.state),
        None => format!("no model is loaded, {}", facts.state),
    };
    let (level, message) = problems.conclude(&fine);

    let mut values = Values::default();
    values.add("state", facts.state);
    if let Some(model) = facts.model {
        values.add("model", &model.name);
        values.add("model sha256", &model.sha256);
        values.add("model family", model.kind());
    }
    if let Some(change) = facts.model_change {
        values.add("model change", change);
    }
    values.add("provider", provider);
    for status in facts.providers {
        let key = format!("provider: {}", status.provider);
        values.add(key, if status.used { "used" } else { reason(status) });
        if status.failures > 0 {
            values.add(format!("failures: {}", status.provider), status.failures);
        }
        for placed in status.placement.iter().filter(|_| status.used) {
            let share = 100.0 * placed.time_share;
            let placed_on = format!("nodes on {}", placed.provider);
            values.add(
                placed_on,
                format_args!("{}, {share:.1} % of the time", placed.nodes),
            );
        }
    }
    for problem in facts.input_problems {
        values.add("input size not used", problem);
    }
    values.add("workers", facts.threads.workers);
    values.add("threads of a worker", facts.threads.intra_op);
    values.add("parameters changed", facts.parameters_changed);
    if let Some(bytes) = facts.resident_bytes {
        values.number("resident memory (MB)", bytes as f64 / 1e6);
    }
    Status {
        level,
        name: format!("{}: detector", facts.node),
        message,
        hardware_id: provider.to_owned(),
        values: values.0,
    }
}

/// Minimum share of the model's run time on the provider in use.
const LEAST_SHARE: f64 = 0.5;

/// Returns the severity: a warning for a less preferred provider; an error for one that failed
/// while running or computes wrong results.
fn severity(status: &ProviderStatus) -> Level {
    let wrong = status.cause == Some(Cause::SelfTestFailed);
    if wrong || (status.failures > 0 && status.reason.is_some()) {
        Level::Error
    } else {
        Level::Warn
    }
}

fn reason(status: &ProviderStatus) -> &str {
    status.reason.as_deref().unwrap_or("not used")
}

/// Returns the resident memory of this process; `None` if the system does not state it.
pub fn resident_bytes() -> Option<u64> {
    resident_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use shuffledet_core::NodePlacement;

    fn provider_status(provider: &str, reason: Option<&str>) -> ProviderStatus {
        ProviderStatus {
            provider: provider.to_owned(),
            used: reason.is_none(),
            reason: reason.map(str::to_owned),
            ..ProviderStatus::default()
        }
    }

    fn facts<'a>(model: &'a ModelIdentity, providers: &'a [ProviderStatus]) -> DetectorFacts<'a> {
        DetectorFacts {
            node: "shuffledet",
            state: "active",
            unable: None,
            stuck: &[],
            model: Some(model),
            model_change: None,
            providers,
            threads: Threads {
                workers: NonZeroUsize::MIN,
                intra_op: NonZeroUsize::MIN,
            },
            input_problems: &[],
            parameters_changed: 3,
            resident_bytes: Some(123_456_789),
        }
    }

    fn model() -> ModelIdentity {
        ModelIdentity {
            name: "fastestdet_352".to_owned(),
            sha256: "ab12".to_owned(),
            family: "fastestdet".to_owned(),
            trained_at: Some("352x352".parse().unwrap()),
        }
    }

    #[test]
    fn ok_has_model_provider_and_state() {
        let providers = [
            provider_status("cpu", None),
            provider_status("cuda", Some("not needed: cpu comes before it and works")),
        ];
        let model = model();
        let status = detector_status(&facts(&model, &providers));
        assert_eq!(
            (status.level, &*status.name),
            (Level::Ok, "shuffledet: detector")
        );
        assert_eq!(status.message, "fastestdet_352 on cpu, active");
        assert_eq!(status.hardware_id, "cpu");
        let values: Vec<_> = status.values.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            values,
            [
                ("state", "active"),
                ("model", "fastestdet_352"),
                ("model sha256", "ab12"),
                ("model family", "fastestdet, trained at 352x352"),
                ("provider", "cpu"),
                ("provider: cpu", "used"),
                (
                    "provider: cuda",
                    "not needed: cpu comes before it and works"
                ),
                ("workers", "1"),
                ("threads of a worker", "1"),
                ("parameters changed", "3"),
                ("resident memory (MB)", "123.457"),
            ]
        );
    }

    #[test]
    fn warns_of_each_preferred_provider_that_is_not_used() {
        let providers = [
            provider_status("tensorrt", Some("not in this build")),
            provider_status("cuda", Some("no device")),
            provider_status("cpu", None),
        ];
        let model = model();
        let status = detector_status(&facts(&model, &providers));
        assert_eq!(status.level, Level::Warn);
        assert_eq!(
            status.message,
            "runs on cpu instead of tensorrt, which precedes it in runtime.providers: not in this build; \
             runs on cpu instead of cuda, which precedes it in runtime.providers: no device"
        );
    }

    #[test]
    fn what_failed_while_it_ran_is_an_error_until_it_works_again() {
        let failed = ProviderStatus {
            failures: 2,
            cause: Some(Cause::DeviceLost),
            ..provider_status("cuda", Some("device lost: CUDA failure 719"))
        };
        let model = model();
        let lost = [failed.clone(), provider_status("cpu", None)];
        let status = detector_status(&facts(&model, &lost));
        assert_eq!(status.level, Level::Error);
        let failures = ("failures: cuda".to_owned(), "2".to_owned());
        assert!(status.values.contains(&failures));
        // one session of two is back
        let half = [
            ProviderStatus {
                used: true,
                ..failed.clone()
            },
            provider_status("cpu", None),
        ];
        assert_eq!(detector_status(&facts(&model, &half)).level, Level::Error);
        let none = [failed.clone()];
        let status = detector_status(&facts(&model, &none));
        assert_eq!(status.level, Level::Error);
        assert!(status.message.starts_with("runs on none instead of cuda"));
        let well = [
            ProviderStatus {
                used: true,
                reason: None,
                cause: None,
                ..failed
            },
            provider_status("cpu", Some("not needed: cuda comes before it and works")),
        ];
        let status = detector_status(&facts(&model, &well));
        assert_eq!(status.level, Level::Ok);
        assert!(status.values.contains(&failures));
    }

    #[test]
    fn a_wrong_session_is_an_error_and_one_in_the_making_a_warning() {
        let model = model();
        let level = |cause| {
            let better = ProviderStatus {
                cause: Some(cause),
                ..provider_status("tensorrt", Some("as it says"))
            };
            detector_status(&facts(&model, &[better, provider_status("cuda", None)])).level
        };
        assert_eq!(level(Cause::SelfTestFailed), Level::Error);
        assert_eq!(level(Cause::Preparing), Level::Warn);
        assert_eq!(level(Cause::NotNeeded), Level::Ok);
    }

    #[test]
    fn a_provider_that_leaves_most_to_the_cpu_is_warned_of() {
        let model = model();
        let status = |share: f64| {
            let placed = |provider: &str, nodes, time_share| NodePlacement {
                provider: provider.to_owned(),
                nodes,
                time_share,
            };
            let cuda = ProviderStatus {
                placement: vec![placed("cuda", 190, share), placed("cpu", 9, 1.0 - share)],
                ..provider_status("cuda", None)
            };
            detector_status(&facts(&model, &[cuda]))
        };
        let fine = status(0.975);
        assert_eq!(fine.level, Level::Ok);
        let nodes = ("nodes on cpu".to_owned(), "9, 2.5 % of the time".to_owned());
        assert!(fine.values.contains(&nodes), "{:?}", fine.values);
        let slow = status(0.4);
        assert_eq!(slow.level, Level::Warn);
        assert_eq!(
            slow.message,
            "cuda accounts for only 40 % of the model's run time"
        );
    }

    #[test]
    fn a_model_that_was_rolled_back_is_warned_of() {
        let model = model();
        let note = ModelChangeNote::RolledBack {
            change: "b".to_owned(),
            reason: "frame 1 of it failed".to_owned(),
        };
        let status = detector_status(&DetectorFacts {
            model_change: Some(&note),
            ..facts(&model, &[provider_status("cpu", None)])
        });
        assert_eq!(status.level, Level::Warn);
        let value = ("model change".to_owned(), note.to_string());
        assert!(status.values.contains(&value), "{:?}", status.values);
    }

    #[test]
    fn a_part_that_is_stuck_is_an_error() {
        let model = model();
        let stuck = ["worker 0 has been at infer for 2.0 s".to_owned()];
        let status = detector_status(&DetectorFacts {
            stuck: &stuck,
            ..facts(&model, &[provider_status("cpu", None)])
        });
        assert_eq!(
            (status.level, status.message),
            (Level::Error, stuck[0].clone())
        );
    }

    #[test]
    fn is_in_error_when_it_cannot_run_and_ok_before_it_has_to() {
        let model = model();
        let unconfigured = DetectorFacts {
            state: "unconfigured",
            model: None,
            ..facts(&model, &[])
        };
        let status = detector_status(&unconfigured);
        assert_eq!(
            (status.level, &*status.message),
            (Level::Ok, "no model is loaded, unconfigured")
        );
        let status = detector_status(&DetectorFacts {
            unable: Some("model.name: no file x.onnx"),
            ..unconfigured
        });
        assert_eq!(
            (status.level, &*status.message),
            (Level::Error, "model.name: no file x.onnx")
        );
    }

    #[test]
    fn memory_is_read_where_the_system_says_it() {
        assert_eq!(
            resident_in("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"),
            Some(2_097_152)
        );
        for strange in [
            "",
            "VmRSS: 2048",
            "VmRSS: many kB",
            "VmRSS: 18446744073709551615 kB",
        ] {
            assert_eq!(resident_in(strange), None);
        }
    }
}
