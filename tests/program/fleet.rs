//! The example that evaluates recordings on a Ray cluster, with a worker that is killed while it works.

use shuffledet_testing::{self as support, python};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{asset, repository};

/// An interpreter that has Ray; `None`, and a line that says so, where there is none.
fn python_with_ray(test: &str) -> Option<Command> {
    let python = python::python(test)?;
    let program = python.get_program().to_owned();
    let has_ray = Command::new(&program)
        .args(["-c", "import ray, fsspec"])
        .output()
        .unwrap();
    if has_ray.status.success() {
        return Some(Command::new(program));
    }
    eprintln!("skipped: {test}: needs the Python packages ray and fsspec");
    None
}

fn succeeded(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{errors}");
    text
}

fn shuffledet(arguments: &[&str]) {
    let program = env!("CARGO_BIN_EXE_shuffledet");
    succeeded(Command::new(program).args(arguments).output().unwrap());
}

/// A folder with one recording and its annotations beside it.
fn drives(folder: &Path, bag: &Path) -> PathBuf {
    let drives = folder.join("drives");
    fs::create_dir_all(drives.join("drive")).unwrap();
    for entry in fs::read_dir(bag).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, drives.join("drive").join(file.file_name().unwrap())).unwrap();
    }
    let export = folder.join("export");
    let (bag, out) = (bag.to_str().unwrap(), export.to_str().unwrap());
    shuffledet(&["label", "export", bag, "--output", out, "--every", "10"]);
    let labels = export.join("annotations/instances_default.json");
    fs::copy(labels, drives.join("drive.json")).unwrap();
    drives
}

/// What must be the same whoever evaluated: everything but times and where things lie.
fn results(path: &Path) -> Value {
    let mut file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for key in [
        "latency_ms",
        "throughput",
        "machines",
        "parameters",
        "dataset",
    ] {
        file.as_object_mut().unwrap().remove(key);
    }
    for image in file["images"].as_array_mut().unwrap() {
        image.as_object_mut().unwrap().remove("stages_ms");
    }
    file
}

#[test]
fn a_killed_workers_shard_is_done_again() {
    const TEST: &str = "a_killed_workers_shard_is_done_again";
    let (Some(mut python), Some(bag)) = (
        python_with_ray(TEST),
        asset(TEST, "bags/dashcam_compressed_mcap"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let drives = drives(folder.path(), &bag);
    // the first that is run kills the worker that it works for, half a second into it
    let (program, killed) = (
        folder.path().join("shuffledet"),
        folder.path().join("killed"),
    );
    let real = env!("CARGO_BIN_EXE_shuffledet");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = eval ] && mkdir '{}' 2>/dev/null; then\n'{real}' \"$@\" & sleep 0.5; \
         kill -9 $PPID; wait; exit 1\nfi\nexec '{real}' \"$@\"\n",
        killed.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();

    let out = folder.path().join("out");
    python
        // else Ray leaves a token in the home folder
        .env("RAY_AUTH_MODE", "disabled")
        .arg(repository("examples/fleet_eval.py"))
        .arg(format!("file://{}", drives.display()))
        .arg(&out)
        .args(["--shards", "4", "--cluster-cpus", "2", "--shuffledet"])
        .arg(&program)
        .args(["--", "--model", "fastestdet_352"]);
    let text = succeeded(python.output().unwrap());
    assert!(killed.is_dir(), "no worker was killed");
    assert!(
        text.contains("drive: AP") && text.contains("23 images"),
        "{text}"
    );

    let whole = folder.path().join("whole.json");
    let (recording, annotations) = (drives.join("drive"), drives.join("drive.json"));
    let paths = [&recording, &annotations, &whole].map(|path| path.to_str().unwrap());
    let [recording, annotations, output] = paths;
    let model = ["--model", "fastestdet_352", "--quiet"];
    let run = [
        "eval",
        recording,
        "--annotations",
        annotations,
        "--output",
        output,
    ];
    shuffledet(&[&run[..], &model].concat());
    assert_eq!(results(&out.join("drive.json")), results(&whole));
}

#[test]
fn recordings_are_found_and_fetched_from_elsewhere() {
    const TEST: &str = "recordings_are_found_and_fetched_from_elsewhere";
    const CHECK: &str = "\
import os, sys, tempfile, fsspec
import fleet_eval
memory = fsspec.filesystem('memory')
for name in ['a/metadata.yaml', 'a/a_0.mcap', 'a.json', 'b.mcap', 'b.json', 'c/metadata.yaml', 'notes.txt', 'd/x.txt']:
    memory.pipe('/drives/' + name, name.encode())
found = fleet_eval.recordings('memory://drives')
assert sorted(found) == ['a', 'b'], found
with tempfile.TemporaryDirectory() as folder:
    for name, (recording, annotations) in found.items():
        assert open(fleet_eval.fetch(annotations, folder)).read() == name + '.json'
    path = fleet_eval.fetch(found['a'][0], folder)
    assert sorted(os.listdir(path)) == ['a_0.mcap', 'metadata.yaml'], os.listdir(path)
    assert fleet_eval.fetch('file://' + path, folder) == path
";
    let Some(mut python) = python_with_ray(TEST) else {
        return;
    };
    python
        .args(["-B", "-c", CHECK])
        .env("PYTHONPATH", repository("examples"));
    succeeded(python.output().unwrap());
}
