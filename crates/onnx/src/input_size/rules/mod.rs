//! The dimensions of a node's outputs, by operator, and the lists that must change for them.

mod axes;
mod lists;

use super::dim::Dim;
use super::edits::Edit;
use super::follow::Known;
use super::not_resized::Obstacle;
use crate::proto::NodeProto;
use axes::Rule;
use lists::Lists;

/// Returns the dimensions of a node's outputs in order, at least of the first. Adds the edits that
/// they need.
///
/// # Errors
/// The reason why the node has no meaning at the new size.
pub(super) fn outputs(
    known: &Known<'_>,
    node: &NodeProto,
    index: usize,
    edits: &mut Vec<Edit>,
) -> Result<Vec<Vec<Dim>>, Obstacle> {
    let rule = Rule { known, node };
    let mut lists = Lists {
        rule: Rule { known, node },
        index,
        edits,
    };
    let one = |dims| Ok(vec![dims]);
    match node.op_type.as_str() {
        "Shape" => one(vec![Dim::fixed(rule.native_output()?[0])]),
        "Reshape" => one(lists.reshape()?),
        "Flatten" => one(rule.regrouped()?),
        "Transpose" => one(rule.transpose()?),
        "Squeeze" => one(rule.squeeze()?),
        "Unsqueeze" => one(rule.unsqueeze()?),
        "Gather" => one(rule.gather()?),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceSumSquare" | "ReduceLogSumExp" | "ArgMax" | "ArgMin" => {
            one(rule.reduce()?)
        }
        "GlobalAveragePool" | "GlobalMaxPool" => Err(Obstacle::WholeMap),
        "MatMul" => one(rule.matmul()?),
        "Gemm" => one(rule.gemm()?),
        "Mul" | "Div" | "Max" | "Min" | "Clip" => {
            rule.check_side_constants()?;
            one(if node.op_type == "Clip" {
                rule.along_axes()?.swap_remove(0)
            } else {
                rule.broadcast()?
            })
        }
        "Add" | "Sub" | "Pow" | "Sum" | "Mean" | "And" | "Or" | "Equal" | "Greater" | "Less"
        | "Where" | "PRelu" | "LayerNormalization" => one(rule.broadcast()?),
        "Concat" => one(rule.concat()?),
        "Split" => rule.split(),
        "Slice" => one(lists.slice()?),
        "Resize" | "Upsample" => one(lists.resize()?),
        "Expand" => one(lists.expand()?),
        "Conv" | "MaxPool" | "AveragePool" | "LpPool" => {
            rule.check_kernel()?;
            rule.along_axes()
        }
        "ConvTranspose" if node.ints("output_shape").is_some() => Err(Obstacle::FixedSize {
            attribute: "output_shape",
        }),
        _ => rule.along_axes(),
    }
}
