//! `shuffledet doctor`, as a user runs it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use serde_json::Value;
use shuffledet_detector::model::Model;
use shuffledet_onnx::proto::{ModelProto, NodeProto};
use shuffledet_testing::repository;

/// The report, and the exit code.
fn doctor(arguments: &[&str], environment: &[(&str, &str)]) -> (Value, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .args(["doctor", "--json"])
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (report.unwrap(), output.status.code())
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
fn a_machine_that_is_set_up_has_no_failure() {
    let (report, code) = doctor(&[], &[]);
    for name in [
        "OpenCV",
        "ONNX Runtime",
        "parameters",
        "model road",
        "provider cpu",
    ] {
        assert_eq!(check(&report, name)["level"], "ok", "{report}");
    }
    let model = check(&report, "model road")["found"].as_str().unwrap();
    assert!(model.contains("self-test passed"), "{model}");
    for name in [
        "net.core.rmem_max",
        "/dev/shm",
        "CPU governor",
        "clock source",
        "ROS 2",
    ] {
        check(&report, name);
    }
    assert_eq!(code, Some(0), "{report}");
    let providers = report["providers"].as_array().unwrap();
    assert_eq!(providers.len(), 5);
    let cpu = providers
        .iter()
        .find(|fate| fate["provider"] == "cpu")
        .unwrap();
    assert_eq!(cpu["used"], true);
    assert!(
        cpu["placement"][0]["nodes"].as_u64().unwrap() > 100,
        "{cpu}"
    );
    assert_eq!(cpu["placement"][0]["time_share"], 1.0);
}

#[test]
fn what_fails_has_a_fix_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fastestdet_352.onnx"), "not it").unwrap();
    let nowhere = folder.path().join("nowhere.xml");
    let environment = [
        ("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"),
        ("SHUFFLEDET_MODEL_DIR", folder.path().to_str().unwrap()),
        ("FASTDDS_DEFAULT_PROFILES_FILE", nowhere.to_str().unwrap()),
        ("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"),
    ];
    let (report, code) = doctor(&["--set", "runtime.workers=-1"], &environment);
    assert_eq!(code, Some(2));
    for name in [
        "ONNX Runtime",
        "parameters",
        "model fastestdet_352",
        "FASTDDS_DEFAULT_PROFILES_FILE",
    ] {
        let check = check(&report, name);
        assert_eq!(check["level"], "fail", "{check}");
        assert!(!check["fix"].as_str().unwrap().is_empty());
    }
    let model = check(&report, "model fastestdet_352");
    assert!(
        model["found"].as_str().unwrap().contains("expected sha256"),
        "{model}"
    );
}

#[test]
fn a_provider_that_is_a_must_fails_where_another_is_a_warning() {
    let level = |strict: &str| {
        let strict = format!("runtime.strict={strict}");
        let (report, code) = doctor(
            &["--set", "runtime.providers=[xnnpack,cpu]", "--set", &strict],
            &[],
        );
        (check(&report, "provider xnnpack")["level"].clone(), code)
    };
    if level("false") == (Value::from("ok"), Some(0)) {
        eprintln!(
            "skipped: a_provider_that_is_a_must_fails_where_another_is_a_warning: needs an ONNX Runtime without XNNPACK"
        );
        return;
    }
    assert_eq!(level("false"), (Value::from("warn"), Some(0)));
    assert_eq!(level("true"), (Value::from("fail"), Some(2)));
}

/// The built-in model with an operator within one of its shuffles that computes nothing and cannot be followed.
fn interrupted_shuffle(folder: &Path) -> PathBuf {
    let bytes = Model::load("road").unwrap().onnx;
    let mut model = ModelProto::decode(&*bytes).unwrap();
    let nodes = &mut model.graph.as_mut().unwrap().node;
    let reshaped: HashSet<String> = nodes
        .iter()
        .filter(|node| node.is("Reshape"))
        .map(|node| node.output[0].clone())
        .collect();
    let at = nodes
        .iter()
        .position(|node| node.is("Transpose") && reshaped.contains(&node.input[0]))
        .unwrap();
    let identity = NodeProto {
        op_type: "Identity".into(),
        input: vec![nodes[at].input[0].clone()],
        output: vec!["in_between".into()],
        ..NodeProto::default()
    };
    nodes[at].input[0] = "in_between".into();
    nodes.insert(at, identity);
    let path = folder.join("interrupted.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    let sidecar = repository("models/road.yaml");
    fs::copy(sidecar, path.with_extension("yaml")).unwrap();
    path
}

#[test]
fn a_model_whose_channels_are_not_arranged_says_why() {
    const REASON: &str =
        "found the Identity that writes `in_between`: this operator does not only move channels";
    let folder = tempfile::tempdir().unwrap();
    let path = interrupted_shuffle(folder.path());
    let path = path.to_str().unwrap();
    let shuffledet = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_shuffledet"))
            .args(arguments)
            .output()
            .unwrap()
    };

    let name = format!("model.name={path}");
    let arguments = ["doctor", "--json", "--log-level", "info", "--set", &name];
    let output = shuffledet(&arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let model = check(&report, &format!("model {path}"));
    assert_eq!(model["level"], "ok", "{model}");
    let found = model["found"].as_str().unwrap();
    assert!(
        found.contains("channels not arranged") && found.contains(REASON),
        "{found}"
    );
    let shipped = check(&report, "model road")["found"].as_str().unwrap();
    assert!(shipped.contains("; channels arranged"), "{shipped}");
    let log = String::from_utf8(output.stderr).unwrap();
    let logged = |line: &str| {
        line.contains("INFO") && line.contains("interrupted.onnx") && line.ends_with(REASON)
    };
    assert!(log.lines().any(logged), "{log}");

    let text = shuffledet(&["models", "inspect", path]);
    let text = String::from_utf8(text.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("on loading"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.contains("channels not arranged") && line.ends_with(REASON),
        "{line}"
    );
    let json = shuffledet(&["models", "inspect", "--json", path]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["channel_layout"]["state"], "not_arranged");
    let reason = json["channel_layout"]["reason"].as_str().unwrap();
    assert!(reason.ends_with(REASON), "{reason}");
}

#[test]
fn no_color_was_ignored() {
    let no_models = tempfile::tempdir().unwrap();
    let report = |variables: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
            .arg("doctor")
            .env("SHUFFLEDET_MODEL_DIR", no_models.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().map(|name| (name, "1")))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!report(&[]).contains('\x1b'));
    assert!(report(&["CLICOLOR_FORCE"]).contains("\x1b[32mOK"));
    assert!(!report(&["CLICOLOR_FORCE", "NO_COLOR"]).contains('\x1b'));
}
