//! `shuffledet doctor`, as a user runs it.

use std::fs;
use std::process::Command;

use serde_json::Value;

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
        "model fastestdet_352",
        "provider cpu",
    ] {
        assert_eq!(check(&report, name)["level"], "ok", "{report}");
    }
    let model = check(&report, "model fastestdet_352")["found"]
        .as_str()
        .unwrap();
    assert!(
        model.contains("self-test on the test card passed"),
        "{model}"
    );
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
fn what_fails_has_a_mend_and_an_exit_code() {
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
        assert!(!check["mend"].as_str().unwrap().is_empty());
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
