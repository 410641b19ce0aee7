//! Counts the multiply-adds and parameters of a model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::OnnxModel;
use crate::proto::{BFLOAT16, DOUBLE, FLOAT, FLOAT16, NodeProto};
use crate::shapes::InferredShapes;

/// Multiply-adds of one run. Convolutions and matrix products count, without their biases;
/// element-wise operators do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MultiplyAdds {
    /// With the batch size of the model, or 1 if it is symbolic. A lower bound if any operator is
    /// `uncounted`.
    pub count: u64,
    /// Operators that multiply but could not be counted, with their numbers of nodes.
    pub uncounted: BTreeMap<String, usize>,
}

/// Operators that multiply and are not counted, because of other arithmetic or an inner graph.
const NOT_COUNTED: [&str; 14] = [
    "Attention",
    "ConvInteger",
    "DeformConv",
    "Einsum",
    "GRU",
    "If",
    "LSTM",
    "Loop",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "RNN",
    "Scan",
    "SequenceMap",
];

pub(super) fn multiply_adds(model: &OnnxModel, known: &InferredShapes) -> MultiplyAdds {
    let mut total = MultiplyAdds::default();
    for node in &model.graph.node {
        let count = match node.op_type.as_str() {
            // an operator of another domain may do anything
            _ if !node.in_default_domain() => None,
            "Conv" => conv(node, known),
            "ConvTranspose" => conv_transpose(node, known),
            "Gemm" => gemm(node, known),
            "MatMul" => matmul(node, known),
            op_type if NOT_COUNTED.contains(&op_type) => None,
            _ => Some(0),
        };
        match count.and_then(|count| total.count.checked_add(count)) {
            Some(sum) => total.count = sum,
            None => {
                *total
                    .uncounted
                    .entry(node.qualified_operator())
                    .or_default() += 1
            }
        }
    }
    total
}

/// Multiplies each output element by the input channels of its group and the kernel size.
fn conv(node: &NodeProto, known: &InferredShapes) -> Option<u64> {
    let outputs = known.full_shape(node.output.first()?)?;
    let weights = known.full_shape(node.input_name(1)?)?;
    product(outputs)?.checked_mul(product(weights.get(1..)?.to_vec())?)
}

/// Multiplies each input element by the output channels of its group and the kernel size.
fn conv_transpose(node: &NodeProto, known: &InferredShapes) -> Option<u64> {
    let inputs = known.full_shape(node.input_name(0)?)?;
    let weights = known.full_shape(node.input_name(1)?)?;
    product(inputs)?.checked_mul(product(weights.get(1..)?.to_vec())?)
}

fn gemm(node: &NodeProto, known: &InferredShapes) -> Option<u64> {
    let outputs = known.full_shape(node.output.first()?)?;
    let a = known.full_shape(node.input_name(0)?)?;
    let inner = a.get(usize::from(node.int("transA", 0) == 0))?;
    product(outputs)?.checked_mul(*inner)
}

fn matmul(node: &NodeProto, known: &InferredShapes) -> Option<u64> {
    let outputs = known.full_shape(node.output.first()?)?;
    let a = known.full_shape(node.input_name(0)?)?;
    product(outputs)?.checked_mul(*a.last()?)
}

fn product(dims: Vec<u64>) -> Option<u64> {
    dims.into_iter().try_fold(1u64, u64::checked_mul)
}

/// Returns the number of elements of all float initializers.
pub(super) fn parameters(model: &OnnxModel) -> u64 {
    (model.graph.initializer.iter())
        .filter(|t| matches!(t.data_type, FLOAT | FLOAT16 | BFLOAT16 | DOUBLE))
        .filter_map(|t| t.elements())
        .fold(0, u64::saturating_add)
}
