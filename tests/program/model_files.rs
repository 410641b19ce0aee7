//! A model file that changes while a command runs.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shuffledet_testing::asset;
use shuffledet_testing::ended::Ended;
use shuffledet_testing::variants::write_cut;

fn shuffledet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuffledet"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the command, and returns once it has begun to write `output`.
fn started(command: &mut Command, output: &Path) -> Child {
    let child = command.spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(30);
    while !output.exists() {
        assert!(Instant::now() < limit, "{} was not begun", output.display());
        sleep(Duration::from_millis(5));
    }
    child
}

fn end(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

#[test]
fn replay_and_eval_refuse_a_model_that_changes_under_them() {
    let test = "replay_and_eval_refuse_a_model_that_changes_under_them";
    let (Some(bag), Some(annotations)) = (
        asset(test, "bags/dashcam_compressed_mcap"),
        asset(test, "images/instances_coco_part.json"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [model, sidecar] = ["cut.onnx", "cut.yaml"].map(path);
    let refused = |ended: Ended, file: &Path| {
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
        let name = file.display().to_string();
        let told = ended
            .stderr
            .contains(&format!("error: {name}: the file changed"));
        assert!(
            told && ended.stderr.contains("no results were kept"),
            "{ended:?}"
        );
        assert_eq!(ended.stderr.matches("error:").count(), 1, "{ended:?}");
    };
    let replay = || {
        let mut command = shuffledet();
        command
            .arg("replay")
            .arg(&bag)
            .args(["--rate", "4", "--quiet", "--force"]);
        command.arg("--model").arg(&model);
        command.arg("--output").arg(path("out.mcap"));
        command.arg("--detections").arg(path("found.json"));
        command
    };
    write_cut(&model, 3);
    let running = started(&mut replay(), &path("out.mcap"));
    write_cut(&model, 2);
    refused(end(running), &model);
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["cut.onnx", "cut.yaml"]);

    // the same content in another file is the same model
    let running = started(&mut replay(), &path("out.mcap"));
    for file in [&model, &sidecar] {
        fs::copy(file, path("copy")).unwrap();
        fs::rename(path("copy"), file).unwrap();
    }
    let ended = end(running);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(path("found.json").exists());

    let mut eval = shuffledet();
    eval.arg("eval")
        .arg("--images")
        .arg(annotations.parent().unwrap())
        .arg("--annotations")
        .arg(&annotations)
        .arg("--model")
        .arg(&model)
        // slow enough to change the file meanwhile
        .args([
            "--set",
            "model.input_size=960x960",
            "--set",
            "runtime.workers=1",
            "--quiet",
        ])
        .arg("--output")
        .arg(path("e.json"));
    let running = started(&mut eval, &path("e.json.journal"));
    let described = fs::read_to_string(&sidecar).unwrap();
    fs::write(&sidecar, format!("{described}# another\n")).unwrap();
    refused(end(running), &sidecar);
    assert!(!path("e.json").exists());
}
