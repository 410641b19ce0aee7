//! Outputs of a model that mean nothing fail their frame, by name and in every command.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::json;
use tempfile::tempdir;

use shuffledet_core::Outcome;
use shuffledet_detector::pipeline::{Frame, Transport};
use shuffledet_infer::Provider;
use shuffledet_onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

use crate::pictures::corpus::{compressed_message, jpeg};
use crate::pictures::pipeline::tuning;
use crate::pictures::program::{ends, shuffledet};
use crate::pictures::tiny::{self, Change};

fn frame() -> Frame {
    let mut frame = Frame::new();
    frame.transport = Transport::Compressed;
    frame.message = compressed_message(&jpeg(40, 24, 1, |_| ()));
    frame
}

fn outcome(change: Change) -> (Outcome, usize) {
    let mut worker = tiny::worker(change, &[Provider::Cpu], &tuning());
    let mut frame = frame();
    let outcome = worker.process(&mut frame);
    (outcome, frame.detections.len())
}

/// Cells of an output's plane, of 85 planes: objectness, four sides, 80 classes.
const CELLS: usize = 4;

#[test]
fn outputs_that_are_no_numbers_fail_their_frame_wherever_they_are() {
    let changes: [(&str, Change); 8] = [
        ("NaN", |_, o| o.fill(f32::NAN)),
        // a cell that is below every threshold, so that no box comes of it
        ("NaN", |_, o| {
            o[..CELLS].fill(0.0);
            o[CELLS - 1] = f32::NAN;
        }),
        ("NaN", |_, o| {
            o[..CELLS].fill(0.0);
            o[40 * CELLS] = f32::NAN;
        }),
        ("inf", |_, o| o[0] = f32::INFINITY),
        ("7", |_, o| o[1] = 7.0),
        ("-0.5", |_, o| o[84 * CELLS + 3] = -0.5),
        ("-inf", |_, o| o[2 * CELLS] = f32::NEG_INFINITY),
        ("NaN", |_, o| {
            o[..CELLS].fill(0.0);
            o[3 * CELLS + 1] = f32::NAN;
        }),
    ];
    for (value, change) in changes {
        let (outcome, detections) = outcome(change);
        let Outcome::Failed(failure) = outcome else {
            panic!("{value}: {outcome:?}");
        };
        assert_eq!((failure.reason, detections), ("bad_output", 0));
        assert!(
            failure.message.contains(&format!(" has {value} at ")),
            "{}",
            failure.message
        );
    }
    // sides may be anything finite, and rounding may pass 1 by a little
    let (good, _) = outcome(|_, o| {
        o[CELLS..5 * CELLS].fill(-900.0);
        o[0] = 1.000_001;
    });
    assert_eq!(good, Outcome::Published);
}

#[test]
fn a_provider_whose_outputs_go_bad_is_left_for_the_next() {
    // right on the test card, and no longer on the tenth frame
    fn change(provider: Provider, output: &mut [f32]) {
        thread_local!(static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
        if provider == Provider::Cuda {
            RUNS.set(RUNS.get() + 1);
            if RUNS.get() > 10 {
                output.fill(f32::NAN);
            }
        }
    }
    let mut worker = tiny::worker(change, &[Provider::Cuda, Provider::Cpu], &tuning());
    let mut failed = 0;
    for _ in 0..30 {
        let mut frame = frame();
        match worker.process(&mut frame) {
            Outcome::Failed(failure) => {
                assert_eq!(failure.reason, "bad_output");
                failed += 1;
            }
            outcome => assert_eq!(outcome, Outcome::Published),
        }
    }
    assert_eq!(failed, 1);
    let session = worker.detector().session();
    assert_eq!(session.provider(), Provider::Cpu);
    let fate = &session.statuses()[0];
    assert!(
        fate.reason.as_ref().unwrap().contains("self-test failed"),
        "{fate:?}"
    );
}

#[test]
fn a_provider_that_passes_its_self_test_stays_whatever_a_model_makes_of_a_frame() {
    fn change(_: Provider, output: &mut [f32]) {
        thread_local!(static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
        RUNS.set(RUNS.get() + 1);
        // the second frame; the first run is the self-test's
        if RUNS.get() == 3 {
            output[0] = f32::NAN;
        }
    }
    let mut worker = tiny::worker(change, &[Provider::Cuda, Provider::Cpu], &tuning());
    let outcomes: Vec<_> = (0..4).map(|_| worker.process(&mut frame())).collect();
    let published: Vec<_> = outcomes.iter().map(|o| *o == Outcome::Published).collect();
    assert_eq!(published, [true, false, true, true]);
    assert_eq!(worker.detector().session().provider(), Provider::Cuda);
}

#[test]
fn a_provider_that_is_not_finite_on_the_test_card_does_not_serve() {
    let change: Change = |provider, output| {
        if provider == Provider::Cuda {
            output.fill(f32::NAN);
        }
    };
    let mut worker = tiny::worker(change, &[Provider::Cuda, Provider::Cpu], &tuning());
    assert_eq!(worker.detector().session().provider(), Provider::Cpu);
    assert_eq!(worker.process(&mut frame()), Outcome::Published);
}

/// An ONNX file of FastestDet's shape whose outputs are `values`, by channel, whatever the picture: a convolution of
/// zeros, and a bias. Its description lies beside it.
fn write_model(folder: &Path, values: impl Fn(usize) -> f32) -> PathBuf {
    const CHANNELS: i64 = 85;
    let floats = |name: &str, dims: &[i64], values: Vec<f32>| TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        ..TensorProto::default()
    };
    let weights = vec![0.0; CHANNELS as usize * 3 * 16 * 16];
    let bias = (0..CHANNELS as usize).map(values).collect();
    let ints = |name: &str, ints: &[i64]| AttributeProto {
        name: name.to_owned(),
        ints: ints.to_vec(),
        r#type: 7,
        ..AttributeProto::default()
    };
    let value = |name: &str, shape: [i64; 4]| {
        let dim = shape.map(|size| DimensionProto {
            dim_value: Some(size),
            ..DimensionProto::default()
        });
        let shape = TensorShapeProto { dim: dim.to_vec() };
        ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: 1,
                    shape: Some(shape),
                }),
            }),
        }
    };
    let convolution = NodeProto {
        input: ["image", "weights", "bias"].map(str::to_owned).to_vec(),
        output: vec!["boxes".to_owned()],
        op_type: "Conv".to_owned(),
        attribute: vec![ints("kernel_shape", &[16, 16]), ints("strides", &[16, 16])],
        ..NodeProto::default()
    };
    let model = ModelProto {
        ir_version: Some(8),
        graph: Some(GraphProto {
            node: vec![convolution],
            name: "constant".to_owned(),
            initializer: vec![
                floats("weights", &[CHANNELS, 3, 16, 16], weights),
                floats("bias", &[CHANNELS], bias),
            ],
            input: vec![value("image", [1, 3, 32, 32])],
            output: vec![value("boxes", [1, CHANNELS, 2, 2])],
            ..GraphProto::default()
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 13,
        }],
        ..ModelProto::default()
    };
    let path = folder.join("constant.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    let description = "family: fastestdet\nlabels: coco\nscore_threshold: 0.3\nnms_iou_threshold: 0.6\n\
        input: {width: 32, height: 32, colour: bgr, resize: stretch, mean: [0, 0, 0], std: [255, 255, 255]}\n";
    fs::write(path.with_extension("yaml"), description).unwrap();
    path
}

#[test]
fn every_command_says_bad_output_and_none_an_empty_result() {
    let folder = tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for name in ["1.jpg", "2.jpg"] {
        fs::write(images.join(name), jpeg(40, 24, 1, |_| ())).unwrap();
    }
    let bag = folder.path().join("bag");
    let mut import = shuffledet("import");
    ends(import.arg(&images).arg("--output").arg(&bag), 0);
    let image =
        |id: u32| json!({"id": id, "file_name": format!("{id}.jpg"), "width": 40, "height": 24});
    let car = json!({"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0});
    let truth = json!({"images": [image(1), image(2)], "annotations": [car], "categories": [{"id": 3, "name": "car"}]});
    let annotations = folder.path().join("truth.json");
    fs::write(&annotations, truth.to_string()).unwrap();

    let commands = |model: &Path| {
        let with_truth = |name: &str| {
            let mut command = shuffledet(name);
            command.arg("--images").arg(&images);
            command.arg("--annotations").arg(&annotations);
            command
        };
        let mut detect = shuffledet("detect");
        detect.arg(images.join("1.jpg"));
        let mut replay = shuffledet("replay");
        replay.arg(&bag).arg("--json");
        let mut bench = shuffledet("bench");
        bench.arg(&bag).args(["--rounds", "1"]);
        let mut export = shuffledet("label");
        let labels = folder.path().join("labels");
        export
            .arg("export")
            .arg(&bag)
            .arg("--output")
            .arg(labels)
            .arg("--force");
        let mut sweep = with_truth("sweep");
        sweep.arg("--json").arg("--set");
        sweep.arg(format!("model.name={}", model.display()));
        sweep.args(["--set", "detector.score_threshold=0.2,0.3"]);
        let mut eval = with_truth("eval");
        eval.arg("--json");
        let mut commands = [detect, replay, eval, bench, export];
        for command in &mut commands {
            command.arg("--model").arg(model);
        }
        let [detect, replay, eval, bench, export] = commands;
        [
            ("detect", detect),
            ("replay", replay),
            ("eval", eval),
            ("bench", bench),
            ("label export", export),
            ("sweep", sweep),
        ]
    };

    let good = write_model(
        folder.path(),
        |channel| if channel == 0 { 0.9 } else { 0.4 },
    );
    for (name, mut command) in commands(&good) {
        let ended = ends(&mut command, 0);
        assert!(!ended.stderr.contains("bad"), "{name}: {ended:?}");
    }
    // of an object's side, of a class that nothing comes near, and beyond what a score may be
    for (channel, value) in [
        (3, f32::NAN),
        (60, f32::NAN),
        (0, f32::INFINITY),
        (0, 1.5),
        (9, -0.2),
    ] {
        let bad = write_model(folder.path(), |c| if c == channel { value } else { 0.1 });
        for (name, mut command) in commands(&bad) {
            let code = if name == "bench" { 1 } else { 2 };
            let ended = ends(&mut command, code);
            let told = match name {
                // what failed frames are counted by
                "replay" | "eval" => "\"bad_output\":",
                "bench" | "sweep" => "bad_output: invalid output: ",
                _ => "invalid output: the model's output 0 has ",
            };
            let text = format!("{}{}", ended.stdout, ended.stderr);
            assert!(text.contains(told), "{name}, {value}: {ended:?}");
            assert!(
                name != "detect" || ended.stdout.is_empty(),
                "{value}: {ended:?}"
            );
        }
    }
}
