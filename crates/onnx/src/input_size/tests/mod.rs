//! Networks for another input size.

mod interface;
mod networks;
mod operators;
mod refusals;
mod targets;

use super::*;
use crate::proto::{AttributeProto, INT32, ModelProto, TensorProto};
use crate::test_graph::{TestGraph, value};

/// A graph with an `image` of 8 channels, 8 rows and 12 columns.
fn graph() -> TestGraph {
    TestGraph::with_input(&[1, 8, 8, 12])
}

/// The graph with an input of 20 columns and 4 rows.
fn resized(graph: &TestGraph) -> Result<OnnxModel, NotResized> {
    let onnx = graph.onnx();
    Ok(OnnxModel::parse(&resize(&onnx, 20, 4)?).unwrap())
}

/// The reason why a node of the graph does not work with 20 columns and 4 rows.
fn obstacle(graph: &TestGraph) -> Obstacle {
    match resized(graph) {
        Err(NotResized::Node { obstacle, .. }) => obstacle,
        other => panic!("{other:?}"),
    }
}

/// The list that a node reads as its input.
fn list(model: &OnnxModel, node: usize, input: usize) -> Vec<i64> {
    let name = &model.graph.node[node].input[input];
    let tensor = model.graph.initializer.iter().find(|t| t.name == *name);
    tensor.unwrap().to_ints(16).unwrap()
}

fn shape(model: &OnnxModel, name: &str) -> Vec<u64> {
    InferredShapes::infer(model).full_shape(name).unwrap()
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto::from_ints(name.to_owned(), values)
}

fn floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto::from_floats(name.to_owned(), dims, values)
}

/// Shape, Gather of the batch or of the sides, Concat.
fn computed_target(
    graph: &mut TestGraph,
    indices: &[i64],
    rest: &[i64],
    sides_first: bool,
) -> String {
    let shape = graph.node("Shape", &["image"], &[]);
    let number = graph.graph().node.len();
    let indices = graph.constant(ints(&format!("indices_{number}"), indices));
    let picked = graph.node("Gather", &[&shape, &indices], &[]);
    let rest = graph.constant(ints(&format!("rest_{number}"), rest));
    let parts = if sides_first {
        [&picked, &rest]
    } else {
        [&rest, &picked]
    };
    let axis = AttributeProto::from_int("axis", 0);
    graph.node("Concat", &parts.map(String::as_str), &[axis])
}
