//! Memory does not grow with the recording.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use crate::replay::program::{MODELS, replay};
use crate::replay::recordings::{self, Message, images};

/// What the command has resident, in KiB, every few milliseconds from its start to its end.
fn resident_kib(command: &mut Command) -> Vec<u64> {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut samples = Vec::new();
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        samples.extend(
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()),
        );
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            return samples;
        }
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn memory_does_not_grow_along_a_recording() {
    let Some(dashcam) = recordings::dashcam("memory_does_not_grow_along_a_recording") else {
        return;
    };
    let once = images(&dashcam);
    let length_ns = 9_000_000_000;
    let repeated = (0..5).flat_map(|round| {
        let later = move |m: &Message| m.log_time_ns + round * length_ns;
        once.iter().map(move |m| Message {
            log_time_ns: later(m),
            ..m.clone()
        })
    });
    let folder = tempdir().unwrap();
    let long = recordings::write(folder.path(), &repeated.collect::<Vec<_>>());
    for model in MODELS {
        let mut command = replay(&long);
        let workers = "runtime.workers=2";
        command.args(["--quiet", "--model", model, "--set", workers]);
        command.arg("--output").arg(folder.path().join(model));
        command
            .arg("--report")
            .arg(folder.path().join(model).with_extension("html"));
        let samples = resident_kib(&mut command);
        // of a third of the run each: after some hundred of the 1105 frames, and at the end
        let third = samples.len() / 3;
        let most = |part: &[u64]| part.iter().copied().max().unwrap();
        let (early, late) = (most(&samples[..third]), most(&samples[2 * third..]));
        assert!(
            late as f64 <= 1.1 * early as f64,
            "{model}: {early} KiB, then {late} KiB"
        );
        assert!(most(&samples) < 300_000, "{model}: {} KiB", most(&samples));
    }
}
