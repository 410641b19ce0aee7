//! Models made from the built-in one, for tests that need a second model and no fetched one.

use std::fs;
use std::path::Path;

use prost::Message;
use shuffledet_detector::model::Model;
use shuffledet_detector::model::subset::subset;
use shuffledet_onnx::proto::{AttributeProto, FLOAT, ModelProto, NodeProto, TensorProto};

/// Writes `road` with only its first `classes` classes to `path`, which ends in `.onnx`, and its
/// description beside it.
pub fn write_cut(path: &Path, classes: usize) {
    let road = Model::load("road").unwrap();
    let kept: Vec<usize> = (0..classes).collect();
    let made = subset(&road, &kept, false).unwrap();
    fs::write(path, made.onnx).unwrap();
    fs::write(path.with_extension("yaml"), made.sidecar).unwrap();
}

/// Does the same with a model whose outputs are no numbers if a pixel of the picture is brighter than
/// 150: grey pictures pass.
pub fn write_failing_on_bright(path: &Path, classes: usize) {
    write_cut(path, classes);
    let input = &Model::load(path.to_str().unwrap())
        .unwrap()
        .description
        .input;
    let levels = input.mean.iter().zip(input.std);
    let level = levels.map(|(mean, std)| (150.0 - mean) / std);
    let level = level.fold(f32::NEG_INFINITY, f32::max);

    let mut model = ModelProto::decode(&*fs::read(path).unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let input = graph.input[0].name.clone();
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: op.to_owned(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let constant = |name: &str, value: f32| TensorProto {
        name: name.to_owned(),
        data_type: FLOAT,
        float_data: vec![value],
        ..TensorProto::default()
    };
    graph.initializer.extend([
        constant("bright.level", level),
        constant("bright.nothing", 0.0),
    ]);
    let mut brightest = node("ReduceMax", &[&input], "bright.most");
    brightest.attribute.push(AttributeProto {
        name: "keepdims".to_owned(),
        i: Some(0),
        r#type: 2,
        ..AttributeProto::default()
    });
    let mut added = vec![
        brightest,
        node("Sub", &["bright.level", "bright.most"], "bright.room"),
        node("Sqrt", &["bright.room"], "bright.root"),
        node("Mul", &["bright.root", "bright.nothing"], "bright.none"),
    ];
    for output in graph.output.iter().map(|output| &output.name) {
        let inner = format!("bright.{output}");
        let producer = graph
            .node
            .iter_mut()
            .find_map(|node| node.output.iter_mut().find(|name| *name == output));
        producer.unwrap().clone_from(&inner);
        added.push(node("Add", &[&inner, "bright.none"], output));
    }
    graph.node.extend(added);
    fs::write(path, model.encode_to_vec()).unwrap();
}
