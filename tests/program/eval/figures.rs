//! The figures are those of the reference, and of pycocotools on the same detections.

use serde_json::Value;
use tempfile::tempdir;

use crate::eval::program::{KEYS, coco, ends, eval, read};
use shuffledet_testing::{self as support, python};

/// AP and AP50 of the shared assets' reference, which takes FastestDet's boxes as its authors do, unclipped. Clipped to
/// the image, as they are published, the same reference gives 0.1969 and 0.3399.
#[test]
fn both_models_give_the_reference_figures() {
    let Some(coco) = coco("both_models_give_the_reference_figures") else {
        return;
    };
    for (model, clip, ap, ap50) in [
        ("nanodet_m_416", true, 0.3226, 0.5087),
        ("nanodet_m_416", false, 0.3226, 0.5087),
        ("fastestdet_352", true, 0.1969, 0.3399),
        ("fastestdet_352", false, 0.1721, 0.3284),
    ] {
        let mut command = eval(&coco);
        command.args(["--model", model, "--json"]);
        if clip {
            command.arg("--clipped");
        }
        let found: Value = serde_json::from_str(&ends(&mut command, 0).stdout).unwrap();
        for (key, expected) in [("AP", ap), ("AP50", ap50)] {
            let difference = (found[key].as_f64().unwrap() - expected).abs();
            assert!(difference < 0.002, "{model} {clip} {key}: {}", found[key]);
        }
        assert_eq!(found["frames"]["published"], 64);
        assert_eq!(found["settings"]["score_threshold"], 0.001);
        assert_eq!(found["settings"]["max_detections"], 100);
    }
}

#[test]
fn pycocotools_gives_the_same_figures_for_the_results() {
    let test = "pycocotools_gives_the_same_figures_for_the_results";
    let (Some(coco), Some(mut python)) = (coco(test), python::python(test)) else {
        return;
    };
    let folder = tempdir().unwrap();
    let (output, results) = (folder.path().join("e.json"), folder.path().join("r.json"));
    let mut command = eval(&coco);
    command.args(["--model", "nanodet_m_416", "--quiet"]);
    command
        .arg("--output")
        .arg(&output)
        .arg("--coco-results")
        .arg(&results);
    ends(&mut command, 0);
    let script = support::repository("tests/reference/coco_results.py");
    let told = python
        .arg(script)
        .arg(&coco.1)
        .arg(&results)
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    let theirs: Vec<f64> = serde_json::from_slice(&told.stdout).unwrap();
    let ours = read(&output);
    for (key, theirs) in KEYS.iter().zip(theirs) {
        let ours = ours[key].as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-6, "{key}: {ours} {theirs}");
    }
}

#[test]
fn the_thresholds_of_a_parameter_file_do_not_hold_and_those_of_the_command_line_do() {
    let test = "the_thresholds_of_a_parameter_file_do_not_hold_and_those_of_the_command_line_do";
    let Some(coco) = coco(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let config = folder.path().join("p.yaml");
    let yaml = "/**:\n  ros__parameters:\n    detector:\n      score_threshold: 0.9\n      \
        class_score_thresholds: {person: 1.0}\n      nms_iou_threshold: 0.5\n";
    std::fs::write(&config, yaml).unwrap();
    let settings = |more: &[&str]| {
        let mut command = eval(&coco);
        command
            .args(["--limit", "2", "--json"])
            .arg("--config")
            .arg(&config);
        let ended = ends(command.args(more), 0);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        let settings = &found["settings"];
        assert_eq!(settings["nms_iou_threshold"], 0.5);
        let score = settings["score_threshold"].as_f64().unwrap();
        (score, settings["max_detections"].as_u64().unwrap())
    };
    assert_eq!(settings(&[]), (0.001, 100));
    assert_eq!(
        settings(&["--set", "detector.score_threshold=0.3"]),
        (0.3, 100)
    );
    let both = ["--score-threshold", "0.2", "--max-detections", "7"];
    assert_eq!(settings(&both), (0.2, 7));
}
