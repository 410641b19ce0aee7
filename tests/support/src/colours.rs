//! A classifier that needs no training: its answer is the strongest colour of the picture.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use shuffledet_onnx::proto::{
    DimensionProto, FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The mean of each channel, so that 20 levels more double the odds twice.
const DESCRIPTION: &str = "family: classifier\nclass_activation: softmax\nlabels: [red, green, blue]\n\
    input: {width: 32, height: 32, colour: rgb, resize: stretch, mean: [0, 0, 0], std: [14, 14, 14]}\n";

/// Writes `colours.onnx` with its description to `folder` and returns its path.
pub fn write(folder: &Path) -> PathBuf {
    let value = |name: &str, shape: [i64; 4]| {
        let dim = shape.map(|side| DimensionProto {
            dim_value: Some(side),
            ..DimensionProto::default()
        });
        let tensor_type = TensorTypeProto {
            elem_type: FLOAT,
            shape: Some(TensorShapeProto { dim: dim.to_vec() }),
        };
        ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(TypeProto {
                tensor_type: Some(tensor_type),
            }),
        }
    };
    let mean = NodeProto {
        op_type: "GlobalAveragePool".to_owned(),
        input: vec!["image".to_owned()],
        output: vec!["means".to_owned()],
        ..NodeProto::default()
    };
    let graph = GraphProto {
        name: "colours".to_owned(),
        node: vec![mean],
        input: vec![value("image", [1, 3, 32, 32])],
        output: vec![value("means", [1, 3, 1, 1])],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto {
        domain: String::new(),
        version: 13,
    };
    let model = ModelProto {
        ir_version: Some(7),
        graph: Some(graph),
        opset_import: vec![opset],
        ..ModelProto::default()
    };
    let path = folder.join("colours.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    fs::write(path.with_extension("yaml"), DESCRIPTION).unwrap();
    path
}
