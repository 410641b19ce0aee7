//! Trainings by the program itself: one that is killed and resumed, and one that has to teach something.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns the path of a file of the test data: `SHUFFLEDET_ASSETS`, otherwise `shared/assets` beside the checkout.
fn asset(path: &str) -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/assets");
    let folder = std::env::var_os("SHUFFLEDET_ASSETS").map_or_else(|| beside.into(), PathBuf::from);
    let path = folder.join(path);
    assert!(path.exists(), "{}: test data is missing", path.display());
    path
}

fn detect(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet-train"));
    command.arg("detect").args(arguments).stderr(Stdio::piped());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn finish(mut command: Command) {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// Waits until a run has saved a checkpoint, and kills it.
fn kill_after_checkpoint(mut run: Child, checkpoint: &Path) {
    let begun = Instant::now();
    while !checkpoint.exists() {
        assert!(begun.elapsed() < Duration::from_secs(300), "no checkpoint");
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL
    run.kill().unwrap();
    run.wait().unwrap();
}

/// A few of the pictures, so that an evaluation is short.
fn small_data(folder: &Path) -> PathBuf {
    let labels = fs::read(asset("train/road/vehicles_val.json")).unwrap();
    let mut labels: serde_json::Value = serde_json::from_slice(&labels).unwrap();
    labels["images"].as_array_mut().unwrap().truncate(24);
    let path = folder.join("labels.json");
    fs::write(&path, labels.to_string()).unwrap();
    path
}

#[test]
fn a_killed_run_goes_on_to_the_same_weights_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (images, weights) = (
        asset("train/road/images"),
        asset("train/fastestdet_coco.pth"),
    );
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    let arguments = |output: &Path| {
        let options = [
            "--images",
            text(&images),
            "--from",
            text(&weights),
            "--output",
            text(output),
        ];
        let numbers = [
            "--steps",
            "12",
            "--batch",
            "4",
            "--seed",
            "3",
            "--threads",
            "1",
            "--input-size",
            "96x96",
        ];
        let all = [text(&data)].into_iter().chain(options).chain(numbers);
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |output: &Path| {
        let arguments = arguments(output);
        detect(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    finish(run(&whole));
    let mut cut = run(&broken);
    kill_after_checkpoint(
        cut.stderr(Stdio::null()).spawn().unwrap(),
        &broken.join("last.safetensors"),
    );
    assert!(
        !broken.join("result.safetensors").exists(),
        "it was killed too late"
    );
    finish(detect(&["--output", text(&broken), "--resume"]));
    for file in ["result.safetensors", "best.safetensors"] {
        let [a, b] = [&whole, &broken].map(|run| fs::read(run.join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
    let csv = fs::read_to_string(broken.join("log.csv")).unwrap();
    assert!(
        csv.starts_with("step,epoch,learning_rate,loss,box,objectness,class,"),
        "{csv}"
    );
    let page = fs::read_to_string(broken.join("report.html")).unwrap();
    assert!(page.contains("held-out pictures") && page.contains("</html>"));
}

/// FastestDet knows four of the five classes; two to three minutes on two cores teach it the fifth.
#[test]
fn a_short_fine_tuning_raises_the_ap50_and_teaches_a_new_class() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let (train, val) = (
        asset("train/road/vehicles_train.json"),
        asset("train/road/vehicles_val.json"),
    );
    let (images, weights) = (
        asset("train/road/images"),
        asset("train/fastestdet_coco.pth"),
    );
    finish(detect(&[
        text(&train),
        "--val",
        text(&val),
        "--images",
        text(&images),
        "--from",
        text(&weights),
        "--output",
        text(&run),
        // a slower machine takes longer and learns the same
        "--steps",
        "300",
        "--blend",
        "1",
        "--seed",
        "1",
    ]));
    let figures = fs::read(run.join("figures.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&figures).unwrap();
    let ap50 = |which: &str| figures["val"][which]["ap50"].as_f64().unwrap();
    // 63 pictures leave some to chance on other processors
    assert!(ap50("trained") >= ap50("start") + 0.10, "{figures}");
    let ambulance = &figures["val"]["trained"]["classes"][0];
    assert_eq!(ambulance[0], "ambulance");
    assert!(ambulance[1].as_f64() > Some(0.25), "{figures}");
}
