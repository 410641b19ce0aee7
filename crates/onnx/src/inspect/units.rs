//! Finds ShuffleNet V2 units by their structure.
//!
//! Graphs write them in two ways. torchvision's has the channel split as Split or two Slices, and
//! the shuffle as Reshape, Transpose, Reshape after each unit. Megvii's has one construct for both
//! before each stride-1 unit: Gather 0 and Gather 1 take the even and the odd channels out of
//! Reshape, Transpose, Reshape.

use std::collections::HashMap;

use serde::Serialize;

use crate::proto::{GraphProto, NodeProto};
use crate::shapes::InferredShapes;
use crate::shapes::axis_slices;

/// How a graph writes the channel split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitForm {
    /// One Split.
    Split,
    /// Two Slices.
    Slice,
    /// Two Gathers after the shuffle's reshaping.
    Gather,
}

/// A unit of stride 2, which halves height and width.
pub(super) struct Stride2Unit<'a> {
    pub output: &'a str,
    pub channels_in: u64,
    pub channels: u64,
    /// Side length of the depthwise kernel.
    pub kernel: u64,
}

/// A unit of stride 1.
pub(super) struct Stride1Unit<'a> {
    /// Its input, before the shuffle if the shuffle is before the split.
    pub source: &'a str,
    pub output: &'a str,
    pub form: SplitForm,
}

/// A value with half of the channels of another.
struct ChannelHalf<'a> {
    /// The value that is split, before the shuffle if one construct does both.
    whole: &'a str,
    form: SplitForm,
    /// Whether it is the second half, or for Gather the odd channels.
    second: bool,
    channels: u64,
}

/// A pointwise or depthwise convolution.
struct UnitConv<'a> {
    input: &'a str,
    channels_in: u64,
    channels_out: u64,
    kind: ConvKind,
}

#[derive(PartialEq)]
enum ConvKind {
    Pointwise,
    Depthwise { kernel: u64, stride: i64 },
}

/// Finds units by the values that they read and write. Values that differ only by an activation, a
/// normalisation or a quantisation count as one, with the name of the first: the root.
pub(super) struct UnitIndex<'a> {
    known: &'a InferredShapes<'a>,
    producers: HashMap<&'a str, &'a NodeProto>,
    roots: HashMap<&'a str, &'a str>,
    /// Maps a shuffle's result to its input, both as roots.
    shuffles: HashMap<&'a str, &'a str>,
    /// Maps a shuffle's input, as a root, to its result.
    shuffled: HashMap<&'a str, &'a str>,
}

impl<'a> UnitIndex<'a> {
    /// Indexes the nodes of a graph.
    pub fn new(graph: &'a GraphProto, known: &'a InferredShapes<'a>) -> UnitIndex<'a> {
        let mut index = UnitIndex {
            known,
            producers: HashMap::new(),
            roots: HashMap::new(),
            shuffles: HashMap::new(),
            shuffled: HashMap::new(),
        };
        for node in &graph.node {
            for output in node.output.iter().filter(|name| !name.is_empty()) {
                index.producers.insert(output, node);
            }
            if let (Some(input), Some(output)) = (node.input_name(0), node.output.first())
                && passes_through(node)
            {
                let root = index.root(input);
                index.roots.insert(output, root);
            }
            if let Some((from, to)) = index.shuffle(node) {
                index.shuffles.insert(to, from);
                index.shuffled.insert(from, to);
            }
        }
        index
    }

    fn root(&self, name: &'a str) -> &'a str {
        self.roots.get(name).copied().unwrap_or(name)
    }

    /// Returns the node that computes a value, or a value with this root.
    fn producer(&self, name: &'a str) -> Option<&'a NodeProto> {
        self.producers.get(self.root(name)).copied()
    }

    /// Returns the shuffled value and the result if the node is the last of a channel shuffle:
    /// channels regrouped from `[groups, C / groups]` to `[C / groups, groups]`.
    fn shuffle(&self, node: &'a NodeProto) -> Option<(&'a str, &'a str)> {
        let transpose = node
            .is("Reshape")
            .then(|| self.input_made_by(node, "Transpose"))??;
        let first = self.input_made_by(transpose, "Reshape")?;
        let grouped = self.known.shape(transpose.input_name(0)?)?.as_slice();
        let result = self.known.shape(node.output.first()?)?.as_slice();
        let perm = transpose.ints("perm")?;
        let is_shuffle = match (grouped, result) {
            // torchvision's: [N, g, C/g, H, W] to [N, C, H, W], also with H and W in one
            ([_, Some(groups), Some(rest), sides @ ..], [_, channels, _, _])
                if matches!(sides.len(), 1 | 2) =>
            {
                let swapped = perm.starts_with(&[0, 2, 1])
                    && perm[3..].iter().copied().eq(3..grouped.len() as i64);
                let all = groups.checked_mul(*rest);
                swapped && *groups > 1 && *rest > 1 && channels.is_none_or(|c| Some(c) == all)
            }
            // Megvii's: [N * C/2, 2, H * W] to [2, N, C/2, H, W]
            ([_, Some(2), _], [Some(2), _, _, _, _]) => perm == [1, 0, 2],
            _ => false,
        };
        is_shuffle.then_some((self.root(first.input_name(0)?), node.output.first()?))
    }

    /// Returns the node that computes the first input, if it has that operator.
    fn input_made_by(&self, node: &'a NodeProto, op_type: &str) -> Option<&'a NodeProto> {
        self.producer(node.input_name(0)?).filter(|n| n.is(op_type))
    }

    /// Returns the number of channel shuffles in the whole graph.
    pub fn shuffle_count(&self) -> usize {
        self.shuffles.len()
    }

    /// Returns the height and width of a value.
    pub fn size(&self, name: &str) -> Option<[u64; 2]> {
        match self.known.shape(name)?.as_slice() {
            [_, _, Some(height), Some(width)] => Some([*height, *width]),
            _ => None,
        }
    }

    /// Returns the convolution that computes a value, if it is pointwise or depthwise.
    fn conv(&self, name: &'a str) -> Option<UnitConv<'a>> {
        let node = self.producer(name).filter(|n| n.is("Conv"))?;
        let weights = self.known.full_shape(node.input_name(1)?)?;
        let &[channels_out, per_group, height, width] = weights.as_slice() else {
            return None;
        };
        let groups = u64::try_from(node.int("group", 1)).ok()?;
        let stride = match node.ints("strides") {
            None => 1,
            Some(&[a, b]) if a == b => a,
            Some(_) => return None,
        };
        let kind = match (groups, per_group, height) {
            (1, _, 1) if width == 1 && stride == 1 => ConvKind::Pointwise,
            (_, 1, 3 | 5) if groups == channels_out && height == width => ConvKind::Depthwise {
                kernel: height,
                stride,
            },
            _ => return None,
        };
        Some(UnitConv {
            input: self.root(node.input_name(0)?),
            channels_in: per_group.checked_mul(groups)?,
            channels_out,
            kind,
        })
    }

    /// Returns a depthwise convolution of that stride followed by the pointwise one that computes
    /// `name`: their input, the side length of the kernel and the output channels.
    fn depthwise_pointwise(&self, name: &'a str, stride: i64) -> Option<(UnitConv<'a>, u64, u64)> {
        let pointwise = self.conv(name).filter(|c| c.kind == ConvKind::Pointwise)?;
        let depthwise = self.conv(pointwise.input)?;
        match depthwise.kind {
            ConvKind::Depthwise { kernel, stride: s } if s == stride => {
                Some((depthwise, kernel, pointwise.channels_out))
            }
            _ => None,
        }
    }

    /// Returns the two inputs of a concatenation of channels, and its output.
    fn joined(&self, node: &'a NodeProto) -> Option<([&'a str; 2], &'a str)> {
        let is_joint = node.is("Concat") && matches!(node.int("axis", 0), 1 | -3);
        match node.input.as_slice() {
            [a, b] if is_joint => Some(([a, b], node.output.first()?)),
            _ => None,
        }
    }

    /// Returns the stride-2 unit that ends in this node.
    pub fn stride_2_unit(&self, concat: &'a NodeProto) -> Option<Stride2Unit<'a>> {
        let ([a, b], output) = self.joined(concat)?;
        self.shuffled.get(output)?;
        [(a, b), (b, a)].into_iter().find_map(|(short, long)| {
            let (short, kernel, short_channels) = self.depthwise_pointwise(short, 2)?;
            let (long, _, long_channels) = self.depthwise_pointwise(long, 2)?;
            let first = (self.conv(long.input)).filter(|c| c.kind == ConvKind::Pointwise)?;
            (first.input == short.input).then_some(Stride2Unit {
                output,
                channels_in: short.channels_in,
                channels: short_channels.checked_add(long_channels)?,
                kernel,
            })
        })
    }

    /// Returns the stride-1 unit that ends in this node.
    pub fn stride_1_unit(&self, concat: &'a NodeProto) -> Option<Stride1Unit<'a>> {
        let ([a, b], output) = self.joined(concat)?;
        [(a, b), (b, a)].into_iter().find_map(|(passing, worked)| {
            let (depthwise, _, channels) = self.depthwise_pointwise(worked, 1)?;
            let first = (self.conv(depthwise.input)).filter(|c| c.kind == ConvKind::Pointwise)?;
            let (passing, entering) = (self.half(passing)?, self.half(first.input)?);
            let fits = passing.whole == entering.whole
                && passing.form == entering.form
                && passing.second != entering.second
                && [passing.channels, entering.channels, channels] == [first.channels_in; 3];
            // a shuffle before the split, or one after the unit
            let before = match passing.form {
                SplitForm::Gather => Some(passing.whole),
                _ => self.shuffles.get(passing.whole).copied(),
            };
            let is_shuffled = before.is_some() || self.shuffled.contains_key(output);
            (fits && is_shuffled).then_some(Stride1Unit {
                source: before.unwrap_or(passing.whole),
                output,
                form: passing.form,
            })
        })
    }

    /// Returns the value as one of the two halves of another.
    fn half(&self, name: &'a str) -> Option<ChannelHalf<'a>> {
        let root = self.root(name);
        let node = self.producer(root)?;
        let input = node.input_name(0)?;
        let channels = (*self.known.shape(root)?.get(1)?)?;
        let (whole, form, second) = match node.op_type.as_str() {
            "Split" if node.output.len() == 2 && matches!(node.int("axis", 0), 1 | -3) => {
                (self.root(input), SplitForm::Split, node.output[1] == root)
            }
            "Slice" => {
                let shape = self.known.shape(input)?;
                let slices = axis_slices(node, self.known, shape)?;
                let [slice] = slices.as_slice() else {
                    return None;
                };
                let width = i64::try_from(channels).ok()?;
                let second = match (slice.start, slice.end) {
                    (0, end) if end == width => false,
                    (start, _) if start == width => true,
                    _ => return None,
                };
                let halves = shape.get(1)?.is_none_or(|all| all / 2 == channels);
                if slice.axis != 1 || slice.step != 1 || !halves {
                    return None;
                }
                (self.root(input), SplitForm::Slice, second)
            }
            "Gather" if node.int("axis", 0) == 0 => {
                let second = match self.known.list(node.input_name(1)?)?.as_slice() {
                    [Some(0)] => false,
                    [Some(1)] => true,
                    _ => return None,
                };
                let whole = self.shuffles.get(self.root(input)).copied()?;
                (whole, SplitForm::Gather, second)
            }
            _ => return None,
        };
        Some(ChannelHalf {
            whole,
            form,
            second,
            channels,
        })
    }
}

/// Returns whether a value counts as the same after the operator.
fn passes_through(node: &NodeProto) -> bool {
    node.in_default_domain()
        && matches!(
            node.op_type.as_str(),
            "BatchNormalization"
                | "Clip"
                | "DequantizeLinear"
                | "Dropout"
                | "Elu"
                | "HardSwish"
                | "Identity"
                | "LeakyRelu"
                | "Mish"
                | "PRelu"
                | "QuantizeLinear"
                | "Relu"
                | "Selu"
        )
}
