//! Models made from networks of ncnn, and the model that is used by default.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use shuffledet_testing::asset;
use shuffledet_testing::ended::Ended;

/// Runs the program with `folder` as the folder of fetched models, and no mirror.
fn run(folder: &Path, arguments: &[&str]) -> Ended {
    Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .args(arguments)
        .env("SHUFFLEDET_MODEL_DIR", folder)
        .env_remove("SHUFFLEDET_MODEL_MIRROR")
        .output()
        .unwrap()
        .into()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_network_of_ncnn_becomes_an_onnx_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (param, bin, onnx) = (path("net.param"), path("net.bin"), path("net.onnx"));
    fs::write(
        &param,
        "7767517\n2 2\nInput in 0 1 in\nScale s 1 1 in out 0=3\n",
    )
    .unwrap();
    fs::write(&bin, [0; 12]).unwrap();
    let import = |more: &[&str]| {
        let files = [text(&param), text(&bin), "--output", text(&onnx)];
        run(
            folder.path(),
            &[&["models", "import-ncnn"], &files[..], more].concat(),
        )
    };
    let unsized_input = import(&[]);
    assert_eq!(unsized_input.code, Some(1));
    for expected in [
        "net.param with",
        "line 3: Input `in`",
        "--input-size WIDTHxHEIGHT",
    ] {
        assert!(unsized_input.stderr.contains(expected), "{unsized_input:?}");
    }
    assert!(!onnx.exists());

    let size = ["--input-size", "64x32"];
    let made = import(&size);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.contains("float [1, 3, 32, 64]"), "{made:?}");
    let bytes = fs::read(&onnx).unwrap();
    let refused = import(&size);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("use --force"),
        "{refused:?}"
    );
    assert_eq!(import(&[&size[..], &["--force"]].concat()).code, Some(0));
    assert_eq!(fs::read(&onnx).unwrap(), bytes);

    fs::write(&bin, [0; 8]).unwrap();
    let short = import(&["--input-size", "64x32", "--force"]);
    let expected =
        "line 4: Scale `s`: the .bin file is too short: expected 12 bytes from byte 0 on, found 8";
    assert!(
        short.code == Some(1) && short.stderr.contains(expected),
        "{short:?}"
    );
    assert_eq!(fs::read(&onnx).unwrap(), bytes);
    let wrong = import(&["--input-size", "64"]);
    assert!(
        wrong.code == Some(1) && wrong.stderr.contains("a width and a height"),
        "{wrong:?}"
    );
}

#[test]
fn nanodet_plus_is_made_when_it_is_fetched_and_used_by_name() {
    let test = "nanodet_plus_is_made_when_it_is_fetched_and_used_by_name";
    let (Some(mirror), Some(picture)) = (
        asset(test, "models"),
        asset(test, "golden/png/udacity_vd_test1.png"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let detect = ["detect", "--json", text(&picture)];
    let fetch = |name: &str| {
        let fetched = run(&["models", "fetch", name, "--from", text(&mirror)]);
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        fetched.stdout
    };
    let used = || {
        let listed = run(&["models", "list"]).stdout;
        let line = listed
            .lines()
            .find(|line| line.ends_with(", used by default"));
        line.unwrap_or_default()
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    fetch("fastestdet_352");
    let made = fetch("nanodet_plus_m_416");
    assert!(
        made.contains("made from ") && made.contains("nanodet_plus_m_416.bin"),
        "{made}"
    );
    assert_eq!(used(), "road");
    assert!(fetch("nanodet_plus_m_416").contains("already fetched"));
    assert_eq!(run(&["models", "verify"]).code, Some(0));

    let found = |model: &[&str]| {
        let ended = run(&[&detect[..], model].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["detections"].clone()
    };
    let default = found(&[]);
    assert_eq!(found(&["--model", "auto"]), default);
    assert_eq!(found(&["--model", "road"]), default);
    assert_ne!(found(&["--model", "nanodet_plus_m_416"]), default);
    assert_ne!(found(&["--model", "fastestdet_352"]), default);
    // a name never stands for another model
    let missing = run(&[&detect[..], &["--model", "nanodet_m_416"]].concat());
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("models fetch nanodet_m_416"),
        "{missing:?}"
    );
}

#[test]
fn the_figures_of_the_manifest_are_those_of_the_files() {
    let test = "the_figures_of_the_manifest_are_those_of_the_files";
    let Some(mirror) = asset(test, "models") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let fetched = run(folder.path(), &["models", "fetch", "--from", text(&mirror)]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    let manifest = shuffledet_detector::model::Manifest::shipped().unwrap();
    for model in &manifest.models {
        let path = folder.path().join(&model.file.name);
        let bytes = fs::read(path).unwrap();
        assert_eq!(bytes.len() as u64, model.file.size_bytes);
        let inspected = shuffledet_onnx::inspect::inspect(&bytes).unwrap();
        let found = (inspected.parameters, inspected.multiply_adds.count);
        let figures = model.figures;
        assert_eq!(
            found,
            (figures.parameters, figures.multiply_adds),
            "{}",
            model.name
        );
    }
}
