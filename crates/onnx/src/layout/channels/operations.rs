//! Determines the kind of operation of a node.

use super::Follower;
use crate::proto::NodeProto;

impl<'a> Follower<'a, '_> {
    /// Returns whether a convolution with constant weights reads all of `channels` for each of its
    /// outputs.
    pub(super) fn is_dense_conv(&self, node: &NodeProto, channels: usize) -> bool {
        self.constant_weights(node).is_some_and(|dims| {
            node.int("group", 1) == 1 && dims[1] == channels as u64 && node.output.len() == 1
        })
    }

    /// Returns the dimensions of a convolution's weights, if these and the bias are constant.
    fn constant_weights(&self, node: &NodeProto) -> Option<[u64; 4]> {
        let is_constant = |index: usize| {
            node.input_name(index)
                .is_none_or(|n| self.constants.contains(n))
        };
        let dims = self.shapes.full_shape(node.input_name(1)?)?;
        (is_constant(1) && is_constant(2)).then_some(dims.try_into().ok()?)
    }

    /// Returns whether a node computes each of its `channels` from the same channel of its first
    /// input.
    pub(super) fn is_per_channel(&self, node: &NodeProto, channels: usize) -> bool {
        if !node.in_default_domain() || node.output.len() != 1 {
            return false;
        }
        let same_count = |shape: Vec<u64>| matches!(shape.as_slice(), &[1, count, _, _] if count == channels as u64);
        let result = self
            .shapes
            .full_shape(&node.output[0])
            .is_some_and(same_count);
        // only the first input of these operators depends on the number of channels
        result
            && match node.op_type.as_str() {
                "Conv" => {
                    node.int("group", 1) == channels as i64
                        && self
                            .constant_weights(node)
                            .is_some_and(|dims| dims[..2] == [channels as u64, 1])
                }
                "Relu" | "LeakyRelu" | "Sigmoid" | "MaxPool" | "AveragePool" => true,
                "Resize" => node.input.len() == 3 && node.attribute("axes").is_none(),
                "Pad" => {
                    let pads = self.shapes.setting(node, "pads", 1).unwrap_or_default();
                    node.input.len() <= 3 && matches!(pads[..], [0, 0, _, _, 0, 0, _, _])
                }
                _ => false,
            }
    }

    /// Returns the activation that is the only reader of a convolution's result, and marks it as
    /// part of that convolution.
    pub(super) fn own_activation(&mut self, conv: &NodeProto) -> Option<&'a NodeProto> {
        let output = conv.output[0].as_str();
        let is_output = self.model.graph.output.iter().any(|o| o.name == output);
        let &[reader] = self.readers_of_value.get(output)?.as_slice() else {
            return None;
        };
        let node = &self.model.graph.node[reader];
        if is_output || !(node.is("Relu") || node.is("LeakyRelu")) || node.output.len() != 1 {
            return None;
        }
        self.absorbed.insert(reader);
        Some(node)
    }
}
