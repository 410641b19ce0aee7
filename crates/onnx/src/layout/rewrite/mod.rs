//! Rewrites the operations on channels grouped by their readers.

mod convs;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::channels::{ChannelFlow, ImageTensor, Operation, OperationKind};
use super::not_arranged::NotArranged;
use super::view::Channel;
use crate::OnnxModel;
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use convs::ConvSource;

/// ONNX Runtime only blocks the input of a convolution if the number of channels is a multiple of
/// this.
const ALIGNMENT: usize = 4;

/// From this operator set on, Split has its lengths as an input.
const SPLIT_BY_INPUT: i64 = 13;

/// A tensor of the new graph.
struct NewTensor {
    name: String,
    /// In order; `None` for a channel of zeros, or of values without a reader.
    channels: Vec<Option<Channel>>,
    size: [u64; 2],
}

/// Returns the graph that computes the same with its channels grouped by reader.
///
/// # Errors
/// [`NotArranged::Weights`] if weights cannot be read or become too many.
pub(super) fn rewrite(
    model: &OnnxModel,
    flow: &ChannelFlow<'_>,
    block: usize,
    opset: i64,
) -> Result<GraphProto, NotArranged> {
    let mut writer = GraphWriter {
        flow,
        block,
        opset,
        constants: model
            .graph
            .initializer
            .iter()
            .map(|t| (t.name.as_str(), t))
            .collect(),
        tensors: Vec::new(),
        tensor_of: vec![0; flow.readers.len()],
        concats: HashMap::new(),
        nodes: Vec::new(),
        initializers: Vec::new(),
    };
    writer.add_image(&flow.input);
    for operation in &flow.operations {
        writer.operation(operation)?;
    }
    for (name, channels) in &flow.outputs {
        let found = writer.in_order(channels);
        if found != *name {
            writer.node(
                "Identity",
                vec![found],
                vec![(*name).to_owned()],
                Vec::new(),
            );
        }
    }
    let mut initializers = writer.initializers;
    let nodes = writer.nodes;
    let used: HashSet<&str> = nodes
        .iter()
        .flat_map(|n| n.input.iter().map(String::as_str))
        .collect();
    let kept = model
        .graph
        .initializer
        .iter()
        .filter(|t| used.contains(t.name.as_str()));
    initializers.extend(kept.cloned());
    Ok(GraphProto {
        node: nodes,
        initializer: initializers,
        name: model.graph.name.clone(),
        input: model.graph.input.clone(),
        output: model.graph.output.clone(),
        ..GraphProto::default()
    })
}

struct GraphWriter<'a> {
    flow: &'a ChannelFlow<'a>,
    /// Channels in a block of ONNX Runtime's layout.
    block: usize,
    opset: i64,
    /// Initializers of the original graph by name.
    constants: HashMap<&'a str, &'a TensorProto>,
    tensors: Vec<NewTensor>,
    /// By channel: the index of its tensor.
    tensor_of: Vec<usize>,
    /// Concatenations written so far, by their tensors and the number of zero channels at the end.
    concats: HashMap<(Vec<usize>, usize), usize>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl GraphWriter<'_> {
    fn operation(&mut self, operation: &Operation<'_>) -> Result<(), NotArranged> {
        let node = operation.node;
        match &operation.kind {
            OperationKind::DenseConv {
                activation,
                reads,
                writes,
            } => self.dense_conv(node, *activation, reads, writes),
            OperationKind::PerChannel { reads, writes } => self.per_channel(node, reads, writes),
            OperationKind::OrderDependent { reads, writes } => {
                let mut copy = node.clone();
                for (name, channels) in copy.input.iter_mut().zip(reads) {
                    if let Some(channels) = channels {
                        *name = self.in_order(channels);
                    }
                }
                self.nodes.push(copy);
                for image in writes {
                    self.add_image(image);
                }
                Ok(())
            }
        }
    }

    /// Writes a convolution that reads its channels in the order of storage, and writes them
    /// grouped by reader.
    fn dense_conv(
        &mut self,
        node: &NodeProto,
        activation: Option<&NodeProto>,
        reads: &[Channel],
        writes: &ImageTensor<'_>,
    ) -> Result<(), NotArranged> {
        let input = self.tensor_with(reads);
        let conv = ConvSource {
            node,
            activation,
            input: self.tensors[input].name.clone(),
            columns: self.positions_in(input, reads),
        };

        let mut groups: BTreeMap<&[usize], Vec<Channel>> = BTreeMap::new();
        for channel in writes.channels.clone() {
            groups
                .entry(&self.flow.readers[channel])
                .or_default()
                .push(channel);
        }
        let groups: Vec<Vec<Channel>> = groups.into_values().collect();
        let first = writes.channels.start;
        let name = |index: usize| format!("layout/{}/{index}", writes.name);
        let whole_blocks = |group: &Vec<Channel>| group.len().is_multiple_of(self.block);
        if groups.len() == 1 || groups.iter().all(whole_blocks) {
            for (index, group) in groups.iter().enumerate() {
                let fixed = group.iter().any(|&channel| self.flow.fixed[channel]);
                let mut channels: Vec<_> = group.iter().copied().map(Some).collect();
                if !fixed {
                    channels.resize(group.len().next_multiple_of(self.block), None);
                }
                let rows: Vec<_> = channels.iter().map(|c| c.map(|c| c - first)).collect();
                self.write_conv(&conv, &rows, name(index))?;
                self.add(NewTensor {
                    name: name(index),
                    channels,
                    size: writes.size,
                });
            }
            return Ok(());
        }
        let rows: Vec<_> = groups.iter().flatten().map(|c| Some(c - first)).collect();
        let whole = format!("layout/{}", writes.name);
        self.write_conv(&conv, &rows, whole.clone())?;
        let lengths: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
        self.split(whole, &lengths, (0..groups.len()).map(name).collect());
        for (index, group) in groups.into_iter().enumerate() {
            self.add(NewTensor {
                name: name(index),
                channels: group.into_iter().map(Some).collect(),
                size: writes.size,
            });
        }
        Ok(())
    }

    /// Writes an operator that computes each channel separately, on channels in the order of
    /// storage.
    fn per_channel(
        &mut self,
        node: &NodeProto,
        reads: &[Channel],
        writes: &ImageTensor<'_>,
    ) -> Result<(), NotArranged> {
        let input = self.tensor_with(reads);
        let rows = self.positions_in(input, reads);
        let output = format!("layout/{}", writes.name);
        let mut copy = node.clone();
        copy.input[0] = self.tensors[input].name.clone();
        copy.output = vec![output.clone()];
        if node.is("Conv") {
            self.order_depthwise(node, &mut copy, &rows, &output)?;
        }
        self.nodes.push(copy);
        let first = writes.channels.start;
        self.add(NewTensor {
            name: output,
            channels: rows.iter().map(|row| row.map(|row| first + row)).collect(),
            size: writes.size,
        });
        Ok(())
    }

    /// Returns, for each channel of a tensor, its position in `channels`.
    fn positions_in(&self, tensor: usize, channels: &[Channel]) -> Vec<Option<usize>> {
        let positions: HashMap<Channel, usize> = channels.iter().copied().zip(0..).collect();
        self.tensors[tensor]
            .channels
            .iter()
            .map(|channel| positions.get(&(*channel)?).copied())
            .collect()
    }

    /// Returns a tensor that has all of `channels`, possibly among others. If several tensors must
    /// be concatenated, zeros fill the result up to a number of channels that ONNX Runtime can
    /// block.
    fn tensor_with(&mut self, channels: &[Channel]) -> usize {
        let mut parts: Vec<usize> = channels
            .iter()
            .map(|&channel| self.tensor_of[channel])
            .collect();
        parts.sort_unstable();
        parts.dedup();
        let lengths = parts.iter().map(|&part| self.tensors[part].channels.len());
        let count: usize = lengths.sum();
        let zeros = if parts.len() > 1 && count > self.block {
            count.next_multiple_of(ALIGNMENT) - count
        } else {
            0
        };
        self.concat(parts, zeros)
    }

    /// Returns the tensor with all channels of `parts`, at least one, followed by `zeros`.
    fn concat(&mut self, parts: Vec<usize>, zeros: usize) -> usize {
        if let ([one], 0) = (&parts[..], zeros) {
            return *one;
        }
        if let Some(&tensor) = self.concats.get(&(parts.clone(), zeros)) {
            return tensor;
        }
        let size = self.tensors[parts[0]].size;
        let mut names: Vec<String> = parts
            .iter()
            .map(|&part| self.tensors[part].name.clone())
            .collect();
        let mut channels: Vec<_> = (parts.iter())
            .flat_map(|&part| self.tensors[part].channels.iter().copied())
            .collect();
        if zeros > 0 {
            names.push(self.zero_channels(zeros, size));
            channels.resize(channels.len() + zeros, None);
        }
        let name = format!("layout/joined/{}", self.concats.len());
        let axis = vec![AttributeProto::from_int("axis", 1)];
        self.node("Concat", names, vec![name.clone()], axis);
        let tensor = self.tensors.len();
        self.tensors.push(NewTensor {
            name,
            channels,
            size,
        });
        self.concats.insert((parts, zeros), tensor);
        tensor
    }

    /// Returns the name of a constant with that many channels of zeros.
    fn zero_channels(&mut self, channels: usize, [height, width]: [u64; 2]) -> String {
        let name = format!("layout/zeros/{channels}x{height}x{width}");
        if !self.initializers.iter().any(|tensor| tensor.name == name) {
            let shape = [1, channels, height as usize, width as usize];
            let values = vec![0.0; shape.iter().product()];
            self.initializers
                .push(TensorProto::from_floats(name.clone(), &shape, &values));
        }
        name
    }

    /// Returns the name of a tensor of exactly `channels`, in that order.
    fn in_order(&mut self, channels: &[Channel]) -> String {
        let mut parts: Vec<usize> = Vec::new();
        for &channel in channels {
            let part = self.tensor_of[channel];
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let tensor = self.concat(parts, 0);
        let found = &self.tensors[tensor];
        if found
            .channels
            .iter()
            .copied()
            .eq(channels.iter().copied().map(Some))
        {
            return found.name.clone();
        }
        let at: HashMap<_, _> = found.channels.iter().zip(0i64..).collect();
        // each channel is in the tensor, which was concatenated from the tensors with them
        let indices: Vec<i64> = channels
            .iter()
            .filter_map(|&c| at.get(&Some(c)).copied())
            .collect();
        let name = format!("layout/ordered/{}", self.nodes.len());
        let indices = TensorProto::from_ints(format!("{name}/indices"), &indices);
        let inputs = vec![found.name.clone(), indices.name.clone()];
        self.initializers.push(indices);
        let axis = vec![AttributeProto::from_int("axis", 1)];
        self.node("Gather", inputs, vec![name.clone()], axis);
        name
    }

    fn split(&mut self, input: String, lengths: &[i64], outputs: Vec<String>) {
        let mut inputs = vec![input];
        let mut attributes = vec![AttributeProto::from_int("axis", 1)];
        if self.opset < SPLIT_BY_INPUT {
            attributes.push(AttributeProto::from_ints("split", lengths));
        } else {
            let tensor = TensorProto::from_ints(format!("{}/lengths", inputs[0]), lengths);
            inputs.push(tensor.name.clone());
            self.initializers.push(tensor);
        }
        self.node("Split", inputs, outputs, attributes);
    }

    fn node(
        &mut self,
        op_type: &str,
        input: Vec<String>,
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input,
            output,
            op_type: op_type.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    /// Records a tensor that keeps its name and its order.
    fn add_image(&mut self, image: &ImageTensor<'_>) {
        self.add(NewTensor {
            name: image.name.to_owned(),
            channels: image.channels.clone().map(Some).collect(),
            size: image.size,
        });
    }

    fn add(&mut self, tensor: NewTensor) {
        for channel in tensor.channels.iter().flatten() {
            self.tensor_of[*channel] = self.tensors.len();
        }
        self.tensors.push(tensor);
    }
}

#[cfg(test)]
mod tests;
