//! What a package installs beside the program: completions, manual pages, layouts for viewers, and where all of it goes.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use shuffledet_bag::Recording;
use shuffledet_core::locations;
use shuffledet_testing::python::python;
use shuffledet_testing::{asset, repository};
use tempfile::tempdir;

fn shuffledet(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_shuffledet");
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn bash_completes_subcommands_and_options() {
    let folder = tempdir().unwrap();
    let script = folder.path().join("shuffledet");
    fs::write(&script, shuffledet(&["completions", "bash"]).stdout).unwrap();
    for (words, expected) in [
        ("shuffledet rep", "replay"),
        ("shuffledet replay --with", "--with-images"),
    ] {
        let complete = format!(
            "source '{}' && words=({words}) && complete -p shuffledet >/dev/null && COMP_WORDS=(\"${{words[@]}}\") && \
             COMP_CWORD=$(( ${{#words[@]}} - 1 )) && _shuffledet shuffledet \"${{words[-1]}}\" \"${{words[-2]}}\" && \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &complete])
            .output()
            .unwrap();
        let (found, said) = (text(&output.stdout), text(&output.stderr));
        assert!(
            found.lines().any(|line| line == expected),
            "{words}: {found} {said}"
        );
        assert_eq!(said, "");
    }
}

#[test]
fn other_shells_have_completions() {
    for (shell, begins) in [
        ("zsh", "#compdef shuffledet"),
        ("fish", "# Print an optspec for argparse"),
    ] {
        let script = text(&shuffledet(&["completions", shell]).stdout);
        assert!(script.starts_with(begins), "{shell}: {}", &script[..80]);
        assert!(script.contains("eval-tracks"), "{shell}");
    }
}

#[test]
fn manual_pages_are_valid() {
    let folder = tempdir().unwrap();
    let pages = folder.path().join("man1");
    shuffledet(&["man", pages.to_str().unwrap()]);
    // a second time, over those that exist
    shuffledet(&["man", pages.to_str().unwrap()]);
    let names: BTreeSet<_> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in [
        "shuffledet.1",
        "shuffledet-replay.1",
        "shuffledet-models-fetch.1",
        "shuffledet-man.1",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    let replay = fs::read_to_string(pages.join("shuffledet-replay.1")).unwrap();
    assert!(replay.contains("with\\-images") && replay.contains("Exit code"));
    let is_there = |program: &str| {
        Command::new(program)
            .arg("--version")
            .output()
            .is_ok_and(|o| o.status.success())
    };
    if !is_there("man") || !is_there("groff") {
        eprintln!("skipped: manual_pages_are_valid: man and groff are not installed");
        return;
    }
    for name in names {
        let page = pages.join(&name);
        let output = Command::new("man")
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8")
            .args(["--warnings=mac", "-l"])
            .arg(&page)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert_eq!(text(&output.stderr), "", "{name}");
        let shown = text(&output.stdout);
        assert!(
            shown.contains("SYNOPSIS") && shown.contains("shuffledet"),
            "{name}: {shown}"
        );
    }
}

/// The strings below `value`.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| {
            found.push(key);
            strings(item, found);
        }),
        _ => {}
    }
}

/// The topic of a Foxglove path such as `/a/b.status[0]`.
fn topic(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

#[test]
fn the_layouts_name_topics_that_are_there() {
    let test = "the_layouts_name_topics_that_are_there";
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let folder = tempdir().unwrap();
    let output = folder.path().join("out.mcap");
    let (bag, path) = (bag.to_str().unwrap(), output.to_str().unwrap());
    shuffledet(&[
        "replay",
        bag,
        "--limit",
        "3",
        "--quiet",
        "--with-images",
        "--output",
        path,
    ]);
    let recording = Recording::open(&output).unwrap();
    let recorded: BTreeSet<&str> = recording
        .topics()
        .iter()
        .map(|topic| topic.name.as_str())
        .collect();

    let layout = fs::read(repository("config/foxglove_layout.json")).unwrap();
    let layout: Value = serde_json::from_slice(&layout).unwrap();
    let mut found = Vec::new();
    strings(&layout["configById"], &mut found);
    let named: BTreeSet<&str> = found
        .into_iter()
        .filter(|text| text.starts_with('/'))
        .map(topic)
        .collect();
    assert_eq!(named.len(), 5, "{named:?}");
    assert!(named.is_subset(&recorded), "{named:?} {recorded:?}");
    // every panel of the arrangement is configured, and the other way round
    let mut panels = Vec::new();
    strings(&layout["layout"], &mut panels);
    let panels: BTreeSet<&str> = panels
        .into_iter()
        .filter(|name| name.contains('!'))
        .collect();
    let configured = layout["configById"].as_object().unwrap();
    assert!(
        panels.into_iter().eq(configured
            .keys()
            .map(String::as_str)
            .collect::<BTreeSet<_>>())
    );

    let layout = fs::read_to_string(repository("config/plotjuggler_layout.xml")).unwrap();
    let curves: Vec<&str> = layout
        .split("<curve name=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(curves.len(), 7);
    let published = fs::read_to_string(repository("config/sros2_policy.xml")).unwrap();
    for curve in curves {
        // the longest topic that a curve begins with
        let of_recording = recorded.iter().any(|topic| {
            let rest = curve.strip_prefix(topic);
            rest.is_some_and(|rest| rest.starts_with('/')) && !topic.ends_with("compressed")
        });
        let topic = curve.strip_suffix("/data").unwrap_or(curve);
        let of_node = published.contains(&format!("<topic>{topic}</topic>"));
        assert!(of_recording != of_node, "{curve}: {recorded:?}");
    }
    if let Some(mut python) = python(test) {
        let parse = "import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])";
        python
            .args(["-c", parse])
            .arg(repository("config/plotjuggler_layout.xml"));
        let parsed = python.output().unwrap();
        assert!(parsed.status.success(), "{}", text(&parsed.stderr));
    }
}

#[test]
fn an_installed_program_needs_no_environment() {
    let test = "an_installed_program_needs_no_environment";
    let runtime = locations::onnx_runtime();
    let Some(picture) =
        asset(test, "golden/png/udacity_vd_test1.png").filter(|_| runtime.is_file())
    else {
        eprintln!("skipped: {test}: needs the shared assets and ONNX Runtime");
        return;
    };
    let folder = tempdir().unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_shuffledet"))
        .parent()
        .unwrap();
    let installed = Command::new("bash")
        .arg(repository("scripts/install.sh"))
        .arg("--without-node")
        .env("SHUFFLEDET_BUILT", built)
        .env("ORT_DYLIB_PATH", &runtime)
        .env("DESTDIR", folder.path())
        .env("PREFIX", "/opt/detector")
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    let prefix = folder.path().join("opt/detector");
    for file in [
        "lib/shuffledet/shuffledet",
        "lib/shuffledet/libonnxruntime.so",
        "share/shuffledet/package.xml",
        "share/shuffledet/config/shuffledet.yaml",
        "share/shuffledet/config/foxglove_layout.json",
        "share/shuffledet/launch/shuffledet.launch.py",
        "share/shuffledet/models/manifest.yaml",
        "share/ament_index/resource_index/packages/shuffledet",
        "share/doc/shuffledet/LICENSE",
        "share/bash-completion/completions/shuffledet",
        "share/zsh/site-functions/_shuffledet",
        "share/fish/vendor_completions.d/shuffledet.fish",
        "share/man/man1/shuffledet-replay.1",
    ] {
        assert!(prefix.join(file).is_file(), "{file}");
    }
    assert!(!prefix.join("bin/shuffledet_node").exists());
    for program in ["bin/shuffledet", "lib/shuffledet/shuffledet"] {
        let detected = Command::new(prefix.join(program))
            .args(["detect", "--json"])
            .arg(&picture)
            .env_remove("ORT_DYLIB_PATH")
            .output()
            .unwrap();
        assert!(
            detected.status.success(),
            "{program}: {}",
            text(&detected.stderr)
        );
    }
    let refused = Command::new("bash")
        .arg(repository("scripts/install.sh"))
        .env("SHUFFLEDET_BUILT", "/nowhere")
        .env("DESTDIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("make build"),
        "{}",
        text(&refused.stderr)
    );
}
