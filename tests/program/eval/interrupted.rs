//! A run that is interrupted goes on from where it was.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::eval::program::{Ended, coco, ends, eval, refusal, without_times};

/// Starts a slow run and ends it by `signal` when it has finished some images.
fn stopped(mut command: Command, journal: &Path, signal: &str) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child: Child = command.spawn().unwrap();
    let begun = Instant::now();
    let lines = || {
        fs::read_to_string(journal)
            .unwrap_or_default()
            .lines()
            .count()
    };
    while lines() < 6 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no image in 30 s"
        );
        sleep(Duration::from_millis(2));
    }
    let killed = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_resumed_run_gives_the_same_file() {
    let Some(coco) = coco("a_resumed_run_gives_the_same_file") else {
        return;
    };
    let folder = tempdir().unwrap();
    let [whole, output, journal] =
        ["whole.json", "e.json", "e.json.journal"].map(|name| folder.path().join(name));
    let run = |output: &Path| {
        let mut command = eval(&coco);
        command.args([
            "--model",
            "nanodet_m_416",
            "--set",
            "runtime.workers=1",
            "--quiet",
        ]);
        command.arg("--output").arg(output);
        command
    };
    ends(&mut run(&whole), 0);
    assert!(!folder.path().join("whole.json.journal").exists());

    let ended = stopped(run(&output), &journal, "-INT");
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("of 64 images;"), "{ended:?}");
    assert!(!output.exists() && journal.exists());
    let error = refusal(&mut run(&output));
    assert!(error.contains("continue it with --resume"), "{error}");
    let mut other = run(&output);
    other.args(["--resume", "--set", "detector.nms_iou_threshold=0.5"]);
    let error = refusal(&mut other);
    assert!(
        error.contains("parameters.detector.nms_iou_threshold: none there, 0.5 here"),
        "{error}"
    );

    // killed in the middle of a line
    let ended = stopped_resuming(run(&output), &journal);
    assert_eq!(ended.code, None, "{ended:?}");
    let mut torn = fs::read(&journal).unwrap();
    torn.truncate(torn.len() - 3);
    fs::write(&journal, torn).unwrap();

    ends(run(&output).arg("--resume"), 0);
    assert!(!journal.exists());
    assert_eq!(without_times(&output), without_times(&whole));
    let error = refusal(run(&output).arg("--resume"));
    assert!(error.contains("exists; use --force"), "{error}");
}

fn stopped_resuming(mut command: Command, journal: &Path) -> Ended {
    command.arg("--resume");
    stopped(command, journal, "-KILL")
}
