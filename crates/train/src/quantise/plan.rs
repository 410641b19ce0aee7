//! Decides which values and convolutions of a graph become integers.

use std::collections::{HashMap, HashSet};

use shuffledet_onnx::proto::{GraphProto, NodeProto};

/// Operators that only move values or take the greatest: input and output share one scale.
const MOVING: [&str; 9] = [
    "Flatten",
    "Gather",
    "MaxPool",
    "Reshape",
    "Resize",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
];

/// Operators with a scale of their own for the output.
const COMPUTING: [&str; 7] = [
    "Add",
    "AveragePool",
    "Concat",
    "Conv",
    "GlobalAveragePool",
    "LeakyRelu",
    "Relu",
];

/// What becomes integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The convolutions whose weights become integers, by the index of the node.
    pub convolutions: Vec<usize>,
    /// Values that become integers, in the order of the graph; each with the value whose scale it
    /// has.
    pub values: Vec<(String, String)>,
}

/// Returns the plan for a graph: everything from the first convolution's output to the inputs of the
/// last convolutions before the outputs. Stem and outputs stay in floats, where integers cost the
/// most. None if nothing is left between.
pub fn plan(graph: &GraphProto) -> Option<Plan> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let inputs: HashSet<&str> = graph.input.iter().map(|i| i.name.as_str()).collect();
    let in_front = |node: &NodeProto| node.input.iter().any(|name| inputs.contains(name.as_str()));
    let behind = behind_last_convolutions(graph);
    let is_inner = |index: usize, node: &NodeProto| {
        !in_front(node)
            && !behind.contains(&index)
            && (MOVING.contains(&&*node.op_type) || COMPUTING.contains(&&*node.op_type))
    };
    let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
    for node in &graph.node {
        for name in &node.input {
            readers.entry(name).or_default().push(node);
        }
    }
    // a Relu joins the convolution or addition before it
    let joins_relu = |node: &NodeProto| {
        let next = readers.get(node.output[0].as_str()).map(Vec::as_slice);
        matches!(next, Some([next]) if next.is("Relu")) && (node.is("Conv") || node.is("Add"))
    };
    let mut convolutions = Vec::new();
    let mut values: Vec<(String, String)> = Vec::new();
    let mut scale_of: HashMap<String, String> = HashMap::new();
    let mut add = |name: &str, scale: &str| {
        if !scale_of.contains_key(name) {
            scale_of.insert(name.to_owned(), scale.to_owned());
            values.push((name.to_owned(), scale.to_owned()));
        }
        scale_of[name].clone()
    };
    for (index, node) in graph.node.iter().enumerate() {
        if !is_inner(index, node) || node.output.is_empty() {
            continue;
        }
        // a node behind the stem's may be given a value that nothing made an integer yet
        let data = if MOVING.contains(&&*node.op_type) || node.is("Conv") {
            1
        } else {
            node.input.len()
        };
        let mut scale = None;
        for name in node.input.iter().take(data) {
            let is_joined = graph
                .node
                .iter()
                .any(|n| n.output.contains(name) && joins_relu(n));
            if !constants.contains(name.as_str()) && !name.is_empty() && !is_joined {
                scale.get_or_insert(add(name, name));
            }
        }
        if node.is("Conv") {
            convolutions.push(index);
        }
        if joins_relu(node) {
            continue;
        }
        let moves = MOVING.contains(&&*node.op_type);
        for output in &node.output {
            let scale = scale.as_deref().filter(|_| moves).unwrap_or(output);
            add(output, scale);
        }
    }
    (!convolutions.is_empty()).then_some(Plan {
        convolutions,
        values,
    })
}

/// Returns the nodes from the last convolution before each output on.
fn behind_last_convolutions(graph: &GraphProto) -> HashSet<usize> {
    let mut writers = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        writers.extend(node.output.iter().map(|name| (name.as_str(), index)));
    }
    let mut behind = HashSet::new();
    let mut names: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    while let Some(name) = names.pop() {
        let Some(&index) = writers.get(name) else {
            continue;
        };
        let node = &graph.node[index];
        if behind.insert(index) && !node.is("Conv") && !node.is("Gemm") {
            names.extend(node.input.iter().map(String::as_str));
        }
    }
    behind
}
