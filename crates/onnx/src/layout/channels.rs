//! Where each channel comes from and who reads it.
//!
//! A value is followed as long as it is a rearrangement of channels that earlier steps wrote: through Concat, Split,
//! Slice and Gather along channels, and through Reshape and Transpose that leave height and width alone.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::Model;
use crate::proto::NodeProto;
use crate::shapes::{Shapes, slices};

/// Tensors with more channels, or of more pixels, are not followed: no detector has them, and it bounds what a damaged
/// file can ask for.
const MAX_CHANNELS: usize = 1 << 14;
const MAX_AREA: u64 = 1 << 22;

/// One channel that one step writes, numbered over the whole network.
pub(super) type Channel = usize;

/// A node that computes something, in the order of the graph. Those that only move channels are none.
pub(super) struct Step<'a> {
    pub node: &'a NodeProto,
    pub kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    /// A convolution over all channels, with the activation behind it if it has its own.
    Conv {
        activation: Option<&'a NodeProto>,
        reads: Vec<Channel>,
        writes: Written<'a>,
    },
    /// An operator that computes each channel from the same one of its input; a depthwise convolution among them.
    PerChannel {
        reads: Vec<Channel>,
        writes: Written<'a>,
    },
    /// Anything else: it gets its inputs as they were. By input: the channels, where they are followed.
    Fixed {
        reads: Vec<Option<Vec<Channel>>>,
        writes: Vec<Written<'a>>,
    },
}

/// A value that a step writes.
pub(super) struct Written<'a> {
    pub name: &'a str,
    pub channels: Range<Channel>,
    /// Height and width in pixels.
    pub size: [u64; 2],
}

/// A network as steps on channels.
pub(super) struct Traced<'a> {
    pub input: Written<'a>,
    pub steps: Vec<Step<'a>>,
    /// By channel: the steps that read it, in order.
    pub readers: Vec<Vec<usize>>,
    /// By channel: whether someone reads it who cannot do with another order of channels.
    pub fixed: Vec<bool>,
    /// Outputs of the graph whose channels are followed.
    pub outputs: Vec<(&'a str, Vec<Channel>)>,
}

/// A value as an array of channels, each of them an image.
#[derive(Clone)]
struct Value {
    /// Dimensions before height and width; [1, C] for a tensor as convolutions take it.
    lead: Vec<usize>,
    /// In row-major order of `lead`.
    channels: Vec<Channel>,
    size: [u64; 2],
    /// Whether the dimensions behind `lead` are height and width themselves, not their product.
    two_dimensional: bool,
}

impl Value {
    /// Whether convolutions can take it.
    fn is_plain(&self) -> bool {
        self.lead.len() == 2 && self.lead[0] == 1 && self.two_dimensional
    }

    /// Whether no channel is there twice.
    fn is_distinct(&self) -> bool {
        let mut seen = HashSet::new();
        self.channels.iter().all(|channel| seen.insert(channel))
    }

    fn trailing(&self) -> usize {
        if self.two_dimensional { 2 } else { 1 }
    }

    /// The same with those channels whose index along `axis` is given, in that order.
    fn picked(&self, axis: usize, indices: &[usize]) -> Option<Self> {
        let count = *self.lead.get(axis)?;
        let inner: usize = self.lead[axis + 1..].iter().product();
        let outer: usize = self.lead[..axis].iter().product();
        if indices.iter().any(|&index| index >= count) {
            return None;
        }
        let mut channels = Vec::with_capacity(outer * indices.len() * inner);
        for o in 0..outer {
            for index in indices {
                let start = (o * count + index) * inner;
                channels.extend_from_slice(self.channels.get(start..start + inner)?);
            }
        }
        let mut lead = self.lead.clone();
        lead[axis] = indices.len();
        Some(Self {
            lead,
            channels,
            ..*self
        })
    }
}

/// Follows every channel. `None` where the network is not a chain of such steps from one input.
pub(super) fn trace(model: &Model) -> Option<Traced<'_>> {
    let shapes = Shapes::infer(model);
    let mut tracer = Tracer::new(model, &shapes)?;
    for (index, node) in model.graph.node.iter().enumerate() {
        if !tracer.absorbed.contains(&index) {
            tracer.visit(node)?;
        }
    }
    tracer.finish()
}

struct Tracer<'a, 's> {
    model: &'a Model,
    shapes: &'s Shapes<'a>,
    constants: HashSet<&'a str>,
    readers_of_value: HashMap<&'a str, Vec<usize>>,
    values: HashMap<&'a str, Value>,
    /// Activations that belong to the convolution before them.
    absorbed: HashSet<usize>,
    traced: Traced<'a>,
}

impl<'a, 's> Tracer<'a, 's> {
    fn new(model: &'a Model, shapes: &'s Shapes<'a>) -> Option<Self> {
        let graph = &model.graph;
        let [input] = graph.input.as_slice() else {
            return None;
        };
        let mut readers_of_value: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            for name in &node.input {
                readers_of_value.entry(name).or_default().push(index);
            }
        }
        let mut tracer = Self {
            model,
            shapes,
            constants: graph.initializer.iter().map(|t| t.name.as_str()).collect(),
            readers_of_value,
            values: HashMap::new(),
            absorbed: HashSet::new(),
            traced: Traced {
                input: Written {
                    name: &input.name,
                    channels: 0..0,
                    size: [0; 2],
                },
                steps: Vec::new(),
                readers: Vec::new(),
                fixed: Vec::new(),
                outputs: Vec::new(),
            },
        };
        tracer.traced.input = tracer.written(&input.name)?;
        Some(tracer)
    }

    /// Takes note of an image tensor that a step writes; `None` where it is none.
    fn written(&mut self, name: &'a str) -> Option<Written<'a>> {
        let &[1, channels, height, width] = self.shapes.full_shape(name)?.as_slice() else {
            return None;
        };
        let first = self.traced.readers.len();
        let count = usize::try_from(channels).ok()?;
        if !(1..=MAX_CHANNELS).contains(&count) || height.saturating_mul(width) > MAX_AREA {
            return None;
        }
        let written = Written {
            name,
            channels: first..first + count,
            size: [height, width],
        };
        self.traced.readers.resize(first + count, Vec::new());
        self.traced.fixed.resize(first + count, false);
        let value = Value {
            lead: vec![1, count],
            channels: written.channels.clone().collect(),
            size: written.size,
            two_dimensional: true,
        };
        self.values.insert(name, value);
        Some(written)
    }

    fn visit(&mut self, node: &'a NodeProto) -> Option<()> {
        if let Some(value) = self.moved(node) {
            for (name, value) in node.output.iter().zip(value) {
                self.values.insert(name, value);
            }
            return Some(());
        }
        let input = node.input_name(0).and_then(|name| self.values.get(name));
        let plain = input.filter(|value| value.is_plain() && value.is_distinct());
        match plain {
            Some(value) if node.is("Conv") && self.is_full_conv(node, value.lead[1]) => {
                let reads = value.channels.clone();
                let activation = self.own_activation(node);
                let output = activation.map_or(&node.output[0], |a| &a.output[0]);
                let writes = self.written(output)?;
                self.push(
                    node,
                    reads.clone(),
                    Kind::Conv {
                        activation,
                        reads,
                        writes,
                    },
                );
            }
            Some(value) if self.is_per_channel(node, value.lead[1]) => {
                let reads = value.channels.clone();
                let writes = self.written(&node.output[0])?;
                self.push(node, reads.clone(), Kind::PerChannel { reads, writes });
            }
            _ => self.fixed(node)?,
        }
        Some(())
    }

    fn push(&mut self, node: &'a NodeProto, reads: Vec<Channel>, kind: Kind<'a>) {
        let step = self.traced.steps.len();
        for channel in reads {
            let readers = &mut self.traced.readers[channel];
            if readers.last() != Some(&step) {
                readers.push(step);
            }
        }
        self.traced.steps.push(Step { node, kind });
    }

    fn fixed(&mut self, node: &'a NodeProto) -> Option<()> {
        let mut reads = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let value = self.values.get(name.as_str());
            // a value that was reshaped on the way exists no longer
            reads.push(match value {
                Some(value) if !value.is_plain() => return None,
                value => value.map(|value| value.channels.clone()),
            });
        }
        let all: Vec<Channel> = reads.iter().flatten().flatten().copied().collect();
        for &channel in &all {
            self.traced.fixed[channel] = true;
        }
        let writes = node
            .output
            .iter()
            .filter_map(|name| self.written(name))
            .collect();
        self.push(node, all, Kind::Fixed { reads, writes });
        Some(())
    }

    /// What a node's outputs are, where it only moves channels.
    fn moved(&self, node: &'a NodeProto) -> Option<Vec<Value>> {
        if !node.in_default_domain() {
            return None;
        }
        let value = |index: usize| self.values.get(node.input_name(index)?);
        let first = value(0)?;
        let output = |index: usize| self.shapes.full_shape(node.output.get(index)?);
        let axis = |axis: i64| {
            let rank = first.lead.len() + first.trailing();
            let axis = if axis < 0 { axis + rank as i64 } else { axis };
            usize::try_from(axis)
                .ok()
                .filter(|&axis| axis < first.lead.len())
        };
        match node.op_type.as_str() {
            "Concat" if axis(node.int("axis", 1))? == 1 => {
                let mut joined = first.clone();
                for index in 1..node.input.len() {
                    let next = value(index)?;
                    if !next.is_plain() || !joined.is_plain() || next.size != joined.size {
                        return None;
                    }
                    joined.channels.extend_from_slice(&next.channels);
                }
                joined.lead[1] = joined.channels.len();
                Some(vec![joined])
            }
            "Split" => {
                let axis = axis(node.int("axis", 0))?;
                let mut start = 0usize;
                let part = |index: usize| {
                    let length = usize::try_from(*output(index)?.get(axis)?).ok()?;
                    let indices: Vec<usize> = (start..start.checked_add(length)?).collect();
                    start += length;
                    first.picked(axis, &indices)
                };
                (0..node.output.len()).map(part).collect()
            }
            "Slice" => {
                let shape = self.shapes.shape(node.input_name(0)?)?;
                let mut value = first.clone();
                for cut in slices(node, self.shapes, shape)? {
                    let count = *value.lead.get(cut.axis)?;
                    value = value.picked(cut.axis, &cut.indices(count)?)?;
                }
                Some(vec![value])
            }
            "Gather" => {
                let axis = axis(node.int("axis", 0))?;
                let count = first.lead[axis] as i64;
                let index =
                    |&index: &i64| usize::try_from(if index < 0 { index + count } else { index });
                let indices = self.shapes.full_list(node.input_name(1)?)?;
                let indices: Vec<usize> =
                    indices.iter().map(index).collect::<Result<_, _>>().ok()?;
                let mut value = first.picked(axis, &indices)?;
                if self.shapes.shape(node.input_name(1)?)?.is_empty() {
                    value.lead.remove(axis);
                }
                Some(vec![value])
            }
            "Reshape" => reshaped(first, &output(0)?).map(|value| vec![value]),
            "Transpose" => transposed(first, node.ints("perm")?).map(|value| vec![value]),
            _ => None,
        }
    }

    /// Whether a convolution with constant weights reads all of `channels` for each of its outputs.
    fn is_full_conv(&self, node: &NodeProto, channels: usize) -> bool {
        self.weights(node).is_some_and(|dims| {
            node.int("group", 1) == 1 && dims[1] == channels as u64 && node.output.len() == 1
        })
    }

    fn weights(&self, node: &NodeProto) -> Option<[u64; 4]> {
        let constant = |index: usize| {
            node.input_name(index)
                .is_none_or(|n| self.constants.contains(n))
        };
        let dims = self.shapes.full_shape(node.input_name(1)?)?;
        (constant(1) && constant(2)).then_some(dims.try_into().ok()?)
    }

    fn is_per_channel(&self, node: &NodeProto, channels: usize) -> bool {
        if !node.in_default_domain() || node.output.len() != 1 {
            return false;
        }
        let same_count = |shape: Vec<u64>| matches!(shape.as_slice(), &[1, count, _, _] if count == channels as u64);
        let result = self
            .shapes
            .full_shape(&node.output[0])
            .is_some_and(same_count);
        // of these, nothing but the first input depends on the number of channels
        result
            && match node.op_type.as_str() {
                "Conv" => {
                    node.int("group", 1) == channels as i64
                        && self
                            .weights(node)
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

    /// The activation that alone reads what a convolution writes.
    fn own_activation(&mut self, conv: &NodeProto) -> Option<&'a NodeProto> {
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

    fn finish(mut self) -> Option<Traced<'a>> {
        for output in &self.model.graph.output {
            let Some(value) = self.values.remove(output.name.as_str()) else {
                continue;
            };
            if !value.is_plain() {
                return None;
            }
            for &channel in &value.channels {
                self.traced.fixed[channel] = true;
            }
            self.traced.outputs.push((&output.name, value.channels));
        }
        // a step that computes channel by channel hands on their order
        let Traced { steps, fixed, .. } = &mut self.traced;
        for step in steps.iter().rev() {
            if let Kind::PerChannel { reads, writes } = &step.kind
                && fixed[writes.channels.clone()].contains(&true)
            {
                for &channel in reads {
                    fixed[channel] = true;
                }
            }
        }
        Some(self.traced)
    }
}

/// The same channels under a shape that keeps height and width, or their product, as its last dimensions.
fn reshaped(value: &Value, shape: &[u64]) -> Option<Value> {
    let [height, width] = value.size;
    let (lead, two_dimensional) = match shape {
        [lead @ .., h, w] if [*h, *w] == value.size => (lead, true),
        [lead @ .., flat] if *flat == height.checked_mul(width)? => (lead, false),
        _ => return None,
    };
    let lead: Vec<usize> = lead.iter().map(|&dim| dim as usize).collect();
    (lead.iter().product::<usize>() == value.channels.len()).then(|| Value {
        lead,
        channels: value.channels.clone(),
        size: value.size,
        two_dimensional,
    })
}

/// The channels in the order of a transposition that leaves height and width where they are.
fn transposed(value: &Value, perm: &[i64]) -> Option<Value> {
    let rank = value.lead.len();
    let (front, back) = perm.split_at_checked(rank)?;
    if !back
        .iter()
        .copied()
        .eq(rank as i64..(rank + value.trailing()) as i64)
    {
        return None;
    }
    let front: Vec<usize> = front
        .iter()
        .map(|&axis| usize::try_from(axis))
        .collect::<Result<_, _>>()
        .ok()?;
    let mut sorted = front.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return None;
    }
    let mut strides = vec![1; rank];
    for axis in (1..rank).rev() {
        strides[axis - 1] = strides[axis] * value.lead[axis];
    }
    let lead: Vec<usize> = front.iter().map(|&axis| value.lead[axis]).collect();
    let from = |mut index: usize| {
        let mut offset = 0;
        for (&axis, &dim) in front.iter().zip(&lead).rev() {
            offset += index % dim * strides[axis];
            index /= dim;
        }
        value.channels[offset]
    };
    let channels = (0..value.channels.len()).map(from).collect();
    Some(Value {
        lead,
        channels,
        ..*value
    })
}
