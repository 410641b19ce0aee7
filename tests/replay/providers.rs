//! A provider that the ONNX Runtime lacks is never replaced without a word.

use serde_json::json;

use crate::program::{end, refusal, replay, summary};
use crate::recordings;

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
    assert!(
        ended.stdout.contains("cuda") && ended.stdout.contains(reason.trim()),
        "{ended:?}"
    );

    command.args(["--set", "runtime.strict=true"]);
    let message = refusal(&mut command);
    assert!(
        message.contains("cuda") && message.contains("strict"),
        "{message}"
    );
}
