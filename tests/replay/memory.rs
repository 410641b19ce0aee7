//! Memory does not grow with the recording.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use crate::program::{MODELS, replay};
use crate::recordings::{self, Message, images};

/// The most memory that the command had resident, in KiB. The kernel's own high-water mark is read as long as the
/// process lives, so that only the last milliseconds are missed.
fn peak_kib(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            return peak;
        }
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn five_times_the_recording_takes_no_more_memory() {
    let Some(dashcam) = recordings::dashcam("five_times_the_recording_takes_no_more_memory") else {
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
    let peak_kib = |model: &str, bag: &Path| {
        let mut command = replay(bag);
        let workers = "runtime.workers=2";
        command.args(["--quiet", "--force", "--model", model, "--set", workers]);
        command.arg("--output").arg(folder.path().join("out"));
        peak_kib(command.arg("--report").arg(folder.path().join("out.html")))
    };
    let [fast, slow] = MODELS;
    // how the allocator shares out its arenas differs by a tenth from run to run; growth is in every run
    let least = |bag| (0..3).map(|_| peak_kib(fast, bag)).min().unwrap();
    let (one, five) = (least(&dashcam), least(&long));
    assert!(
        five as f64 <= 1.1 * one as f64,
        "{one} KiB, then {five} KiB"
    );
    for peak in [five, peak_kib(slow, &long)] {
        assert!(peak < 300_000, "{peak} KiB");
    }
}
