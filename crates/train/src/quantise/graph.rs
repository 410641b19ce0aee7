//! Writes a graph with integers: QuantizeLinear and DequantizeLinear around each operator ("QDQ"), the
//! form that ONNX Runtime, TensorRT and OpenVINO fuse.

use std::collections::HashMap;

use shuffledet_onnx::OnnxModel;
use shuffledet_onnx::proto::{AttributeProto, FLOAT, INT32, NodeProto, TensorProto};

use super::QuantiseError;
use super::plan::Plan;
use super::scale::{Scale, largest_weight, weights};

/// The schema's numbers of the integers.
const UINT8: i32 = 2;
const INT8: i32 = 3;

/// The operator set with a scale for each channel.
pub const OPERATOR_SET: i64 = 13;

/// Operators of which sets 11 to 13 differ in nothing that occurs here.
const UNCHANGED: [&str; 22] = [
    "Add",
    "AveragePool",
    "Cast",
    "Concat",
    "Conv",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Pad",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Slice",
    "Sub",
    "Tanh",
    "Transpose",
];

/// Converts a model of the operator sets 11 and 12 to 13.
///
/// # Errors
/// The first operator whose meaning differs.
pub fn to_operator_set(model: &mut OnnxModel) -> Result<(), QuantiseError> {
    let own = model
        .opset_import
        .iter_mut()
        .find(|set| set.domain.is_empty());
    let own = own.ok_or(QuantiseError::OperatorSet { found: 0 })?;
    if own.version >= OPERATOR_SET {
        return Ok(());
    }
    if own.version < 11 {
        return Err(QuantiseError::OperatorSet { found: own.version });
    }
    own.version = OPERATOR_SET;
    let mut lists = Vec::new();
    for (index, node) in model.graph.node.iter_mut().enumerate() {
        if UNCHANGED.contains(&&*node.op_type) {
            continue;
        }
        match node.op_type.as_str() {
            // over all axes from this one before, over this one since
            "Softmax" if node.int("axis", 1) >= 3 || node.int("axis", 1) == -1 => {}
            "Split" | "Squeeze" | "Unsqueeze" => {
                let name = if node.is("Split") { "split" } else { "axes" };
                if let Some(values) = node.ints(name).map(<[i64]>::to_vec) {
                    let list = format!("{name}_{index}");
                    node.attribute.retain(|attribute| attribute.name != name);
                    node.input.push(list.clone());
                    lists.push(TensorProto::from_ints(list, &values));
                }
            }
            other => {
                return Err(QuantiseError::Operator {
                    operator: other.to_owned(),
                });
            }
        }
    }
    model.graph.initializer.extend(lists);
    Ok(())
}

/// Replaces the weights of a plan's convolutions and its values by integers. `scales` has that of
/// each value of the plan.
///
/// # Errors
/// A convolution's weights are not constants of the file.
pub fn rewrite(
    model: &mut OnnxModel,
    plan: &Plan,
    scales: &HashMap<String, Scale>,
) -> Result<(), QuantiseError> {
    let graph = &mut model.graph;
    let mut added = Vec::new();
    // the names under which the values are read as floats again
    let mut read_as: HashMap<String, String> = HashMap::new();
    let mut pairs: HashMap<String, [NodeProto; 2]> = HashMap::new();
    for (value, scale) in &plan.values {
        let Scale { scale, zero } = scales[scale];
        let [scale_name, zero_name, integers, floats] =
            ["scale", "zero", "integers", "floats"].map(|part| format!("{value}/{part}"));
        added.push(TensorProto::from_floats(scale_name.clone(), &[], &[scale]));
        added.push(integer_tensor(&zero_name, &[], UINT8, vec![zero]));
        let quantise = node(
            "QuantizeLinear",
            [value, &scale_name, &zero_name],
            &integers,
        );
        let back = node(
            "DequantizeLinear",
            [&integers, &scale_name, &zero_name],
            &floats,
        );
        pairs.insert(value.clone(), [quantise, back]);
        read_as.insert(value.clone(), floats);
    }
    let constants: HashMap<&str, &TensorProto> = (graph.initializer.iter())
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let scale_of: HashMap<&str, Scale> = (plan.values.iter())
        .map(|(value, scale)| (value.as_str(), scales[scale]))
        .collect();
    let mut before = Vec::new();
    let mut renamed: HashMap<(usize, usize), String> = HashMap::new();
    for &index in &plan.convolutions {
        let conv = &graph.node[index];
        let label = conv.output.first().cloned().unwrap_or_default();
        let wrong = || QuantiseError::Weights {
            layer: label.clone(),
        };
        let constant = |input: usize| conv.input_name(input).and_then(|name| constants.get(name));
        let weight = *constant(1).ok_or_else(wrong)?;
        let values = weight.to_floats(usize::MAX).ok_or_else(wrong)?;
        let dims: Vec<usize> = weight.dims.iter().map(|&dim| dim.max(0) as usize).collect();
        let rows = *dims.first().ok_or_else(wrong)?;
        let (row_scales, integers) = weights(&values, rows, largest_weight());
        let part = |part: &str| format!("{label}/weight/{part}");
        let bytes = integers.iter().map(|&integer| integer as u8).collect();
        added.push(integer_tensor(&part("integers"), &dims, INT8, bytes));
        added.push(TensorProto::from_floats(
            part("scale"),
            &[rows],
            &row_scales,
        ));
        added.push(integer_tensor(&part("zero"), &[rows], INT8, vec![0; rows]));
        before.push(per_row(node(
            "DequantizeLinear",
            [&part("integers"), &part("scale"), &part("zero")],
            &part("floats"),
        )));
        renamed.insert((index, 1), part("floats"));
        let input = conv.input_name(0).and_then(|name| scale_of.get(name));
        if let (Some(bias), Some(input)) = (constant(2), input) {
            let values = bias.to_floats(usize::MAX).ok_or_else(wrong)?;
            let part = |part: &str| format!("{label}/bias/{part}");
            let scales: Vec<f32> = row_scales.iter().map(|scale| scale * input.scale).collect();
            let integers = values.iter().zip(&scales).flat_map(|(value, scale)| {
                let integer = (f64::from(*value) / f64::from(*scale)).round();
                (integer.clamp(-2e9, 2e9) as i32).to_le_bytes()
            });
            added.push(integer_tensor(
                &part("integers"),
                &[rows],
                INT32,
                integers.collect(),
            ));
            added.push(TensorProto::from_floats(part("scale"), &[rows], &scales));
            let zeros = vec![0; 4 * rows];
            added.push(integer_tensor(&part("zero"), &[rows], INT32, zeros));
            before.push(per_row(node(
                "DequantizeLinear",
                [&part("integers"), &part("scale"), &part("zero")],
                &part("floats"),
            )));
            renamed.insert((index, 2), part("floats"));
        }
    }
    let mut nodes = before;
    // values that no node writes are not part of a plan
    for (index, mut node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        for (input, name) in node.input.iter_mut().enumerate() {
            if let Some(new) = renamed.get(&(index, input)).or_else(|| read_as.get(name)) {
                name.clone_from(new);
            }
        }
        let written = node.output.clone();
        nodes.push(node);
        for value in written {
            nodes.extend(pairs.remove(&value).into_iter().flatten());
        }
    }
    graph.node = nodes;
    graph.initializer.extend(added);
    let read: std::collections::HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().map(String::as_str))
        .collect();
    graph
        .initializer
        .retain(|tensor| read.contains(tensor.name.as_str()));
    Ok(())
}

fn node(operator: &str, inputs: [&String; 3], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        input: inputs.map(String::clone).into(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

/// Gives the node a scale for each row.
fn per_row(mut node: NodeProto) -> NodeProto {
    node.attribute.push(AttributeProto::from_int("axis", 0));
    node
}

fn integer_tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> TensorProto {
    debug_assert!(data_type != FLOAT);
    TensorProto {
        name: name.to_owned(),
        dims: dims.iter().map(|&dim| dim as i64).collect(),
        data_type,
        raw_data,
        ..TensorProto::default()
    }
}
