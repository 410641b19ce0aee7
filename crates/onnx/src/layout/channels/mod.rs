//! Maps each channel to the operation that computes it and the operations that read it.
//!
//! A value is followed as long as it is a rearrangement of computed channels: through Concat,
//! Split, Slice and Gather along channels, and through Reshape and Transpose that keep height and
//! width.

mod operations;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::limits::{MAX_AREA, MAX_CHANNELS};
use super::moves::{Blocked, Mover};
use super::not_arranged::NotArranged;
use super::view::{Channel, ChannelView};
use crate::OnnxModel;
use crate::proto::NodeProto;
use crate::rewritable::NodeLabel;
use crate::shapes::{InferredShapes, axis_within};

/// Operators that [`Mover`] follows if possible.
const MOVING_OPERATORS: [&str; 6] = ["Concat", "Gather", "Reshape", "Slice", "Split", "Transpose"];

/// A node that computes values, as opposed to one that only moves channels.
pub(super) struct Operation<'a> {
    pub node: &'a NodeProto,
    pub kind: OperationKind<'a>,
}

/// How an operation depends on the order of its channels.
pub(super) enum OperationKind<'a> {
    /// A convolution over all channels, with the activation that is its only reader, if there is
    /// one.
    DenseConv {
        activation: Option<&'a NodeProto>,
        reads: Vec<Channel>,
        writes: ImageTensor<'a>,
    },
    /// An operator that computes each channel from the same channel of its input, such as a
    /// depthwise convolution.
    PerChannel {
        reads: Vec<Channel>,
        writes: ImageTensor<'a>,
    },
    /// Any other operator, which needs the original order. By input: its channels, if they are
    /// followed.
    OrderDependent {
        reads: Vec<Option<Vec<Channel>>>,
        writes: Vec<ImageTensor<'a>>,
    },
}

/// A value of shape [1, C, H, W] that an operation writes, or the graph's input.
pub(super) struct ImageTensor<'a> {
    pub name: &'a str,
    pub channels: Range<Channel>,
    /// Height and width in pixels.
    pub size: [u64; 2],
}

/// A node that could move channels and is treated as an order-dependent operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfollowedMove {
    pub node: NodeLabel,
    pub blocked: Blocked,
}

/// The flow of channels through a network: its operations and the readers of their results.
pub(super) struct ChannelFlow<'a> {
    pub input: ImageTensor<'a>,
    /// In the order of the graph.
    pub operations: Vec<Operation<'a>>,
    /// By channel: the indices of the operations that read it, ascending.
    pub readers: Vec<Vec<usize>>,
    /// By channel: whether an output or an order-dependent operation reads it.
    pub fixed: Vec<bool>,
    /// Outputs of the graph whose channels are followed.
    pub outputs: Vec<(&'a str, Vec<Channel>)>,
    pub unfollowed: Vec<UnfollowedMove>,
}

/// Follows every channel from the operation that writes it to the operations that read it.
///
/// # Errors
/// The first construct of the network that cannot be followed.
pub(super) fn follow(model: &OnnxModel) -> Result<ChannelFlow<'_>, NotArranged> {
    let shapes = InferredShapes::infer(model);
    let mut follower = Follower::new(model, &shapes)?;
    for (index, node) in model.graph.node.iter().enumerate() {
        if !follower.absorbed.contains(&index) {
            follower.visit(node)?;
        }
    }
    follower.finish()
}

struct Follower<'a, 's> {
    model: &'a OnnxModel,
    shapes: &'s InferredShapes<'a>,
    constants: HashSet<&'a str>,
    readers_of_value: HashMap<&'a str, Vec<usize>>,
    views: HashMap<&'a str, ChannelView>,
    /// Activations that belong to the preceding convolution.
    absorbed: HashSet<usize>,
    /// Values that a Concat joins along pixels: cells of several maps.
    joined_pixels: HashSet<&'a str>,
    flow: ChannelFlow<'a>,
}

impl<'a, 's> Follower<'a, 's> {
    fn new(model: &'a OnnxModel, shapes: &'s InferredShapes<'a>) -> Result<Self, NotArranged> {
        let graph = &model.graph;
        let [input] = graph.input.as_slice() else {
            let found = graph.input.len();
            return Err(NotArranged::Inputs { found });
        };
        let mut readers_of_value: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            for name in &node.input {
                readers_of_value.entry(name).or_default().push(index);
            }
        }
        let mut follower = Self {
            model,
            shapes,
            constants: graph.initializer.iter().map(|t| t.name.as_str()).collect(),
            readers_of_value,
            views: HashMap::new(),
            absorbed: HashSet::new(),
            joined_pixels: joined_pixels(model, shapes),
            flow: ChannelFlow {
                input: ImageTensor {
                    name: &input.name,
                    channels: 0..0,
                    size: [0; 2],
                },
                operations: Vec::new(),
                readers: Vec::new(),
                fixed: Vec::new(),
                outputs: Vec::new(),
                unfollowed: Vec::new(),
            },
        };
        follower.flow.input = follower.add_image(&input.name)?;
        Ok(follower)
    }

    /// Numbers the channels of an image tensor that an operation writes.
    fn add_image(&mut self, name: &'a str) -> Result<ImageTensor<'a>, NotArranged> {
        let found = self.shapes.shape(name);
        let Some(&[Some(1), Some(channels @ 1..), Some(height), Some(width)]) =
            found.map(Vec::as_slice)
        else {
            return Err(NotArranged::NotAnImage {
                value: name.to_owned(),
                found: found.cloned(),
            });
        };
        let count = usize::try_from(channels).unwrap_or(usize::MAX);
        if count > MAX_CHANNELS || height.saturating_mul(width) > MAX_AREA {
            return Err(NotArranged::TooLarge {
                value: name.to_owned(),
                channels,
                height,
                width,
            });
        }
        let first = self.flow.readers.len();
        let image = ImageTensor {
            name,
            channels: first..first + count,
            size: [height, width],
        };
        self.flow.readers.resize(first + count, Vec::new());
        self.flow.fixed.resize(first + count, false);
        let view = ChannelView::image(image.channels.clone().collect(), image.size);
        self.views.insert(name, view);
        Ok(image)
    }

    fn visit(&mut self, node: &'a NodeProto) -> Result<(), NotArranged> {
        let is_joined = |name: &String| self.joined_pixels.contains(name.as_str());
        if node.is("Reshape") && node.output.iter().any(is_joined) {
            return self.add_order_dependent(node, Blocked::JoinedPixels);
        }
        let mover = Mover {
            node,
            views: &self.views,
            shapes: self.shapes,
        };
        let blocked = match mover.outputs() {
            Ok(views) => {
                for (name, view) in node.output.iter().zip(views) {
                    self.views.insert(name, view);
                }
                return Ok(());
            }
            Err(blocked) => blocked,
        };
        let input = node.input_name(0).and_then(|name| self.views.get(name));
        let image = input.filter(|view| view.is_image() && view.is_distinct());
        match image {
            Some(view) if node.is("Conv") && self.is_dense_conv(node, view.lead[1]) => {
                let reads = view.channels.clone();
                let activation = self.own_activation(node);
                let output = activation.map_or(&node.output[0], |a| &a.output[0]);
                let writes = self.add_image(output)?;
                self.push(
                    node,
                    reads.clone(),
                    OperationKind::DenseConv {
                        activation,
                        reads,
                        writes,
                    },
                );
                Ok(())
            }
            Some(view) if self.is_per_channel(node, view.lead[1]) => {
                let reads = view.channels.clone();
                let writes = self.add_image(&node.output[0])?;
                let kind = OperationKind::PerChannel {
                    reads: reads.clone(),
                    writes,
                };
                self.push(node, reads, kind);
                Ok(())
            }
            _ => self.add_order_dependent(node, blocked),
        }
    }

    fn push(&mut self, node: &'a NodeProto, reads: Vec<Channel>, kind: OperationKind<'a>) {
        let operation = self.flow.operations.len();
        for channel in reads {
            let readers = &mut self.flow.readers[channel];
            if readers.last() != Some(&operation) {
                readers.push(operation);
            }
        }
        self.flow.operations.push(Operation { node, kind });
    }

    /// Adds a node as an operation that needs its inputs in the original order. `blocked` is why
    /// the node is not a move of channels.
    fn add_order_dependent(
        &mut self,
        node: &'a NodeProto,
        blocked: Blocked,
    ) -> Result<(), NotArranged> {
        let mut reads = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let view = self.views.get(name.as_str());
            // the rewritten graph has no reshaped values
            if view.is_some_and(|view| !view.is_image()) {
                return Err(NotArranged::Reshaped {
                    value: name.clone(),
                    node: NodeLabel::new(node),
                    blocked,
                });
            }
            reads.push(view.map(|view| view.channels.clone()));
        }
        let all: Vec<Channel> = reads.iter().flatten().flatten().copied().collect();
        for &channel in &all {
            self.flow.fixed[channel] = true;
        }
        if !all.is_empty() && MOVING_OPERATORS.iter().any(|operator| node.is(operator)) {
            let node = NodeLabel::new(node);
            self.flow.unfollowed.push(UnfollowedMove { node, blocked });
        }
        // values that are not image tensors are not followed
        let writes = node
            .output
            .iter()
            .filter_map(|name| self.add_image(name).ok())
            .collect();
        let kind = OperationKind::OrderDependent { reads, writes };
        self.push(node, all, kind);
        Ok(())
    }

    fn finish(mut self) -> Result<ChannelFlow<'a>, NotArranged> {
        for output in &self.model.graph.output {
            let Some(view) = self.views.remove(output.name.as_str()) else {
                continue;
            };
            if !view.is_image() {
                let output = output.name.clone();
                return Err(NotArranged::ReshapedOutput { output });
            }
            for &channel in &view.channels {
                self.flow.fixed[channel] = true;
            }
            self.flow.outputs.push((&output.name, view.channels));
        }
        // an operation that computes channel by channel passes on the order of its input
        let ChannelFlow {
            operations, fixed, ..
        } = &mut self.flow;
        for operation in operations.iter().rev() {
            if let OperationKind::PerChannel { reads, writes } = &operation.kind
                && fixed[writes.channels.clone()].contains(&true)
            {
                for &channel in reads {
                    fixed[channel] = true;
                }
            }
        }
        Ok(self.flow)
    }
}

/// Returns the inputs of all Concats along an axis that cannot hold channels.
fn joined_pixels<'a>(model: &'a OnnxModel, shapes: &InferredShapes) -> HashSet<&'a str> {
    let joins = model.graph.node.iter().filter(|node| {
        let rank = node
            .input_name(0)
            .and_then(|name| shapes.shape(name))
            .map(Vec::len);
        let axis = rank.and_then(|rank| axis_within(node.int("axis", 1), rank));
        node.is("Concat") && axis.is_some_and(|axis| axis > 1)
    });
    joins
        .flat_map(|node| node.input.iter().map(String::as_str))
        .collect()
}

#[cfg(test)]
mod tests;
