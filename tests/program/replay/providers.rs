//! A provider that the ONNX Runtime lacks is never replaced without a word.

use serde_json::json;

use crate::replay::program::{end, refusal, replay, summary};
use crate::replay::recordings;

#[test]
fn without_cuda_the_cpu_runs_and_the_summary_says_why() {
    let test = "without_cuda_the_cpu_runs_and_the_summary_says_why";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let mut command = replay(&bag);
    command.args(["--limit", "2", "--set", "runtime.providers=[cuda,cpu]"]);
    let summary = summary(&mut command, 0);
    let [cuda, cpu] = summary["providers"].as_array().unwrap().as_slice() else {
        panic!("{summary}")
    };
    if cuda["used"] == true {
        eprintln!("skipped: {test}: needs an ONNX Runtime without CUDA");
        return;
    }
    assert_eq!(summary["provider"], "CPUExecutionProvider");
    assert_eq!(
        *cpu,
        json!({"provider": "cpu", "used": true, "reason": null})
    );
    let reason = cuda["reason"].as_str().unwrap();
    assert!(reason.contains("CUDA"), "{reason}");
    let mut command = replay(&bag);
    let ended = end(command.args(["--limit", "2", "--set", "runtime.providers=[cuda,cpu]"]));
    let words: Vec<_> = ended.stdout.split_whitespace().collect();
    let told = format!("not used cuda: {reason}");
    assert!(words.join(" ").contains(&told), "{ended:?}");

    command.args(["--set", "runtime.strict=true"]);
    let message = refusal(&mut command);
    assert!(
        message.contains("cuda") && message.contains("strict"),
        "{message}"
    );
}

#[test]
fn each_provider_that_is_not_in_the_library_is_named_with_its_cause() {
    let test = "each_provider_that_is_not_in_the_library_is_named_with_its_cause";
    let Some(bag) = recordings::dashcam(test) else {
        return;
    };
    let asked = ["tensorrt", "cuda", "openvino", "xnnpack", "cpu"];
    let set = format!("runtime.providers=[{}]", asked.join(","));
    let mut command = replay(&bag);
    let summary = summary(command.args(["--limit", "2", "--set", &set]), 0);
    let statuses = summary["providers"].as_array().unwrap();
    let names: Vec<_> = statuses.iter().map(|fate| &fate["provider"]).collect();
    assert_eq!(names, asked);
    if statuses[..4]
        .iter()
        .any(|fate| fate["cause"] != "not_in_build")
    {
        eprintln!("skipped: {test}: needs an ONNX Runtime for the CPU alone");
        return;
    }
    assert_eq!(statuses[4]["used"], true);
    for fate in &statuses[..4] {
        let reason = fate["reason"].as_str().unwrap();
        assert!(reason.contains("ORT_DYLIB_PATH"), "{reason}");
    }
    // TensorRT is slow where there is one: a replay waits for it, and fails where it is a must
    command.args(["--set", "runtime.strict=true"]);
    let message = refusal(&mut command);
    assert!(message.contains("TensorrtExecutionProvider"), "{message}");
}
