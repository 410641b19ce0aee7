//! Paced as recorded: drops are counted, and a run that is stopped leaves what it did.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use shuffledet_msg::DiagnosticArray;
use tempfile::tempdir;

use crate::replay::program::{Ended, replay, summary};
use crate::replay::recordings::{self, COMPRESSED_FRAMES, on, read_with_warnings};
use shuffledet_testing::python::python;

#[test]
fn frames_that_come_too_fast_are_dropped_and_add_up() {
    let Some(bag) = recordings::dashcam("frames_that_come_too_fast_are_dropped_and_add_up") else {
        return;
    };
    let folder = tempdir().unwrap();
    let output = folder.path().join("out");
    let mut command = replay(&bag);
    command.args(["--rate", "20", "--model", "nanodet_m_416"]);
    command.args([
        "--set",
        "input.max_age_ms=1",
        "--set",
        "runtime.workers=1",
        "--output",
    ]);
    let summary = summary(command.arg(&output), 0);
    let frames = &summary["frames"];
    assert_eq!(frames["received"], COMPRESSED_FRAMES);
    assert_eq!(frames["failed"], serde_json::json!({}));
    let dropped = frames["dropped"].as_object().unwrap();
    assert!(
        dropped
            .keys()
            .all(|reason| ["superseded", "too_old"].contains(&reason.as_str()))
    );
    assert!(dropped.contains_key("too_old"), "{frames}");
    let written = recordings::read(&output);
    assert_eq!(
        on(&written, "/detections").len(),
        frames["published"].as_u64().unwrap() as usize
    );
    let latency = on(&written, "/latency");
    assert_eq!(latency.len() as u64, COMPRESSED_FRAMES);
    for (reason, count) in dropped {
        let told = |data: &[u8]| {
            let array = DiagnosticArray::parse(data).unwrap();
            array.status[0].message == format!("dropped: {reason}")
        };
        let messages = latency.iter().filter(|message| told(&message.data)).count();
        assert_eq!(Some(messages as u64), count.as_u64(), "{reason}");
    }
}

#[test]
fn sixteen_of_twenty_five_frames_a_second_were_twelve() {
    let test = "sixteen_of_twenty_five_frames_a_second_were_twelve";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let mut command = replay(&bag);
    command.args(["--rate", "1", "--set", "input.max_rate_hz=16"]);
    let summary = summary(&mut command, 0);
    let frames = &summary["frames"];
    assert_eq!(frames["received"], COMPRESSED_FRAMES);
    let limited = frames["dropped"]["rate_limited"].as_u64().unwrap();
    let passed = (COMPRESSED_FRAMES - limited) as f64;
    let due = 16.0 * summary["wall_s"].as_f64().unwrap();
    assert!(
        (passed / due - 1.0).abs() < 0.03,
        "{passed}, expected {due}"
    );
}

/// Starts the command, and returns once it has written 1.5 s of a recording into `output`.
fn started(command: &mut Command, output: &Path) -> Child {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !output.exists() {
        assert!(
            Instant::now() < deadline,
            "{} was not begun",
            output.display()
        );
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_millis(2500));
    child
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn an_interrupted_run_ends_at_once_with_its_outputs_complete() {
    let test = "an_interrupted_run_ends_at_once_with_its_outputs_complete";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    for name in ["INT", "TERM"] {
        let folder = tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut command = replay(&bag);
        command
            .args(["--rate", "1", "--json", "--output"])
            .arg(path("out"));
        command
            .arg("--detections")
            .arg(path("out.json"))
            .arg("--report")
            .arg(path("out.html"));
        let child = started(&mut command, &path("out/out_0.mcap"));
        signal(&child, name);
        let signalled = Instant::now();
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert!(signalled.elapsed() < Duration::from_secs(5));
        let summary = ended.summary(130);
        let received = summary["frames"]["received"].as_u64().unwrap();
        assert!((25..COMPRESSED_FRAMES).contains(&received), "{received}");
        assert!(path("out/metadata.yaml").exists());
        let latency = on(&recordings::read(&path("out")), "/latency").len();
        assert_eq!(latency as u64, received);
        let rows: Vec<Value> =
            serde_json::from_slice(&fs::read(path("out.json")).unwrap()).unwrap();
        let detections = summary["detections"].as_object().unwrap().values();
        assert_eq!(
            rows.len() as u64,
            detections.map(|n| n.as_u64().unwrap()).sum::<u64>()
        );
        assert!(
            fs::read_to_string(path("out.html"))
                .unwrap()
                .trim_end()
                .ends_with("</html>")
        );
    }
}

/// Counts the messages of an MCAP that may end anywhere, record by record.
const COUNT: &str = "
import sys
from mcap.exceptions import McapError
from mcap.records import Message
from mcap.stream_reader import StreamReader
count = 0
try:
    with open(sys.argv[1], 'rb') as file:
        for record in StreamReader(file).records:
            count += isinstance(record, Message)
except McapError:
    pass
print(count)
";

#[test]
fn a_killed_run_leaves_a_recording_that_lacks_the_last_second_only() {
    let test = "a_killed_run_leaves_a_recording_that_lacks_the_last_second_only";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let output = folder.path().join("out/out_0.mcap");
    let mut command = replay(&bag);
    command
        .args(["--rate", "1", "--output"])
        .arg(folder.path().join("out"));
    let mut child = started(&mut command, &output);
    child.kill().unwrap();
    child.wait().unwrap();
    let (messages, warnings) = read_with_warnings(&output);
    let (latency, detections) = (
        on(&messages, "/latency").len(),
        on(&messages, "/detections").len(),
    );
    // 2.5 s at 25 Hz, of which a chunk of 1 s may be missing
    assert!(latency >= 25 && detections >= 25, "{latency} {detections}");
    assert!(!warnings.is_empty());
    if let Some(mut python) = python(test) {
        let counted = python.arg("-c").arg(COUNT).arg(&output).output().unwrap();
        assert!(
            counted.status.success(),
            "{}",
            String::from_utf8_lossy(&counted.stderr)
        );
        let counted = String::from_utf8(counted.stdout).unwrap();
        assert_eq!(counted.trim().parse(), Ok(messages.len()));
    }
}
