//! `compare` and `sweep` on real images, as a user runs them.

use shuffledet_testing as support;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::asset;

fn shuffledet(arguments: &[&str], code: i32) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {out}{err}"
    );
    (out, err)
}

/// The images and their annotations.
fn data_set(test: &str) -> Option<[String; 2]> {
    let images = asset(test, "images")?;
    let annotations = images.join("instances_coco_part.json");
    Some([images, annotations].map(|path| path.to_str().unwrap().to_owned()))
}

fn eval(data: &[String; 2], output: &str, more: &[&str]) {
    let [images, annotations] = data;
    let run = [
        "eval",
        "--images",
        images,
        "--annotations",
        annotations,
        "--output",
        output,
        "-q",
    ];
    shuffledet(
        &[&run[..], &["--model", "fastestdet_352"], more].concat(),
        0,
    );
}

fn verdicts<'a>(comparison: &'a Value, rows: &str) -> Vec<&'a str> {
    let rows = comparison[rows].as_array().unwrap().iter();
    rows.map(|row| row["verdict"].as_str().unwrap()).collect()
}

#[test]
fn a_run_again_is_no_different_and_a_worse_one_is_worse() {
    let Some(data) = data_set("a_run_again_is_no_different_and_a_worse_one_is_worse") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (a, again, worse, report) = (
        path("a.json"),
        path("b.json"),
        path("c.json"),
        path("r.html"),
    );
    eval(&data, &a, &[]);
    eval(&data, &again, &[]);
    eval(&data, &worse, &["--set", "detector.nms_iou_threshold=0.95"]);

    // other tests run beside this one and take the processor from one of the runs: latency is not judged
    let (same, _) = shuffledet(
        &["compare", &a, &again, "--latency-margin", "99", "--json"],
        0,
    );
    let same: Value = serde_json::from_str(&same).unwrap();
    assert!(
        verdicts(&same, "figures")
            .iter()
            .all(|&verdict| verdict == "no_difference")
    );
    assert_eq!(same["regression"], false);
    assert_eq!(same["images"]["both"], 64);
    assert_eq!(same["changes"]["images"].as_array().unwrap().len(), 0);
    assert!(same["changes"]["unchanged"].as_u64().unwrap() > 100);

    let (text, _) = shuffledet(&["compare", &a, &worse, "--report", &report], 3);
    let last = text.trim_end().lines().last().unwrap();
    assert!(
        text.contains("settings.nms_iou_threshold: A 0.45, B 0.95"),
        "{text}"
    );
    assert!(
        text.contains("\nworse       AP: ") && !last.contains("no regression"),
        "{text}"
    );
    let page = fs::read_to_string(&report).unwrap();
    assert!(page.contains("Detections that appeared") && page.contains("data:image/jpeg;base64,"));
    for outside in ["http:", "https:", "url(", "<script src"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(
        shuffledet(&["compare", &a, &worse, "--report", &report], 1)
            .1
            .contains("--force")
    );
    assert!(
        shuffledet(&["compare", &a, &worse, "--report", &a, "--force"], 1)
            .1
            .contains("would overwrite")
    );
}

/// A sweep of FastestDet on a data set that prints JSON.
fn sweep_of([images, annotations]: &[String; 2]) -> [&str; 8] {
    [
        "sweep",
        "--images",
        images,
        "--annotations",
        annotations,
        "--set",
        "model.name=fastestdet_352",
        "--json",
    ]
}

#[test]
fn a_sweep_finds_what_eval_finds_and_writes_the_best() {
    let Some(data) = data_set("a_sweep_finds_what_eval_finds_and_writes_the_best") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (best, report, single) = (path("best.yaml"), path("r.html"), path("single.json"));
    let sweep = |more: &[&str], code| shuffledet(&[&sweep_of(&data)[..], more].concat(), code);
    let grid = [
        "--set",
        "detector.score_threshold=0.3..0.7:0.2",
        "--set",
        "detector.nms_iou_threshold=0.45,0.9",
    ];
    let outputs = [
        "--best",
        &best,
        "--report",
        &report,
        "--latency-images",
        "10",
    ];
    let (out, _) = sweep(&[&grid[..], &outputs].concat(), 0);
    let out: Value = serde_json::from_str(&out).unwrap();
    let settings = out["settings"].as_array().unwrap();
    assert_eq!((settings.len(), out["measured"].as_u64()), (6, Some(10)));
    assert!(
        settings
            .iter()
            .all(|setting| setting["latency_ms"]["p50"].as_f64() > Some(0.0))
    );
    let chosen = &settings[out["best"].as_u64().unwrap() as usize];
    let f1 = |setting: &Value| setting["f1"].as_f64().unwrap();
    assert!(settings.iter().all(|setting| f1(setting) <= f1(chosen)));

    // the third setting is the one with 0.5 and 0.45
    let threshold = [
        "--clipped",
        "--score-threshold",
        "0.5",
        "--set",
        "detector.nms_iou_threshold=0.45",
    ];
    eval(&data, &single, &threshold);
    let single: Value = serde_json::from_slice(&fs::read(single).unwrap()).unwrap();
    assert_eq!(settings[2]["parameters"]["detector.score_threshold"], 0.5);
    for figure in ["AP", "AP50"] {
        assert_eq!(settings[2][figure], single[figure]);
    }
    let found = single["images"].as_array().unwrap().iter();
    let found: usize = found
        .map(|image| image["detections"].as_array().unwrap().len())
        .sum();
    assert_eq!(settings[2]["detections"], found);

    let config =
        shuffledet_detector::config::Config::load(Some(Path::new(&best)), None, &[]).unwrap();
    let threshold = config.to_tree()["detector"]["score_threshold"].clone();
    assert_eq!(threshold, chosen["parameters"]["detector.score_threshold"]);
    let page = fs::read_to_string(&report).unwrap();
    assert!(page.contains("class=\"point best\"") && page.contains("score_threshold: "));
    for outside in ["http:", "https:", "url(", "<script src"] {
        assert!(!page.contains(outside), "{outside}");
    }

    let (_, error) = sweep(
        &[
            "--set",
            "detector.score_threshold=0..1:0.01",
            "--set",
            "detector.max_detections=1..20",
        ],
        1,
    );
    assert!(error.contains("2020 settings (101 x 20)"), "{error}");
    let (_, error) = sweep(&["--set", "detector.score_threshold=0.5,1.5"], 1);
    assert!(
        error.contains("detector.score_threshold: 1.5 is greater"),
        "{error}"
    );
    let (none, _) = sweep(&[&grid[..], &["--max-latency-ms", "0.001"]].concat(), 3);
    assert_eq!(
        serde_json::from_str::<Value>(&none).unwrap()["best"],
        Value::Null
    );
}

#[test]
fn a_sweep_varies_input_sizes_and_regions() {
    let Some(data) = data_set("a_sweep_varies_input_sizes_and_regions") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let single = folder.path().join("single.json");
    let single = single.to_str().unwrap();
    let (sizes, regions) = ("native,320x256", "[0,0,1,1],[[0,0,1,1],[0,0,0.6,1]]");
    let limit = ["--limit", "6"];
    let more = [
        "--latency-images",
        "2",
        "--set",
        &format!("model.input_size={sizes}"),
        "--set",
        &format!("input.regions={regions}"),
        "--set",
        "detector.score_threshold=0.3",
    ];
    let (out, _) = shuffledet(&[&sweep_of(&data)[..], &more, &limit].concat(), 0);
    let out: Value = serde_json::from_str(&out).unwrap();
    let settings = out["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 4);
    let last = &settings[3];
    assert_eq!(last["parameters"]["model.input_size"], "320x256");
    let flat = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.6, 1.0];
    assert_eq!(last["parameters"]["input.regions"], serde_json::json!(flat));
    for setting in settings {
        assert!(
            setting["latency_ms"]["p50"].as_f64() > Some(0.0),
            "{setting}"
        );
    }
    let size = ["--set", "model.input_size=320x256", "--set"];
    let part = ["input.regions=[[0,0,1,1],[0,0,0.6,1]]", "--clipped"];
    let score = ["--score-threshold", "0.3"];
    eval(&data, single, &[&size[..], &part, &score, &limit].concat());
    let single: Value = serde_json::from_slice(&fs::read(single).unwrap()).unwrap();
    for figure in ["AP", "AP50"] {
        assert_eq!(last[figure], single[figure]);
    }
    assert_eq!(single["input_sizes"], serde_json::json!({"320x256": 12}));
    assert_eq!(
        single["images"][0]["input_sizes"].as_array().unwrap().len(),
        2
    );
}
