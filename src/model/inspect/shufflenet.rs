//! Recognises ShuffleNet V2 units by their structure.
//!
//! The units are those of Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN
//! Architecture Design", ECCV 2018, figure 3 (c) and (d). With stride 1, half of the channels
//! pass by and half go through a pointwise, a depthwise and a pointwise convolution; with
//! stride 2, both branches see all channels and halve the sides. Both end in a concatenation and
//! a shuffle of the channels.
//!
//! Graphs write this in two ways. torchvision's has the split as Split or two Slices, and the
//! shuffle as Reshape, Transpose, Reshape behind each unit. Megvii's has one construct before
//! each stride-1 unit do both: the two halves that Gather 0 and Gather 1 take out of
//! Reshape, Transpose, Reshape are the even and the odd channels.

use std::collections::HashMap;

use serde::Serialize;

use super::operators;
use super::shapes::Shapes;
use crate::model::onnx::Model;
use crate::model::onnx::proto::{GraphProto, NodeProto};

/// The ShuffleNet V2 structure of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShuffleNet {
    /// In one sentence.
    pub conclusion: String,
    /// Channels that enter the first stage; `None` without a stage.
    pub stem_channels: Option<u64>,
    /// As in the paper's table 5, such as `1.0x`; `None` where the channels are not in it.
    pub width: Option<&'static str>,
    pub stages: Vec<Stage>,
    /// Stride-1 units that belong to no stage.
    pub loose_units: usize,
    /// Splits of the channels in two halves, of the units found.
    pub channel_splits: usize,
    /// Channel shuffles in the whole graph.
    pub channel_shuffles: usize,
}

/// A stride-2 unit and the run of stride-1 units behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    pub stride1_units: usize,
    pub stride2_units: usize,
    /// Channels that leave each unit.
    pub channels: u64,
    /// Height and width behind the stride-2 unit; `None` where they are not known.
    pub size: Option<[u64; 2]>,
    /// Side of the depthwise kernel of the stride-2 unit.
    pub kernel: u64,
    /// How the stride-1 units split the channels; `None` where there are none.
    pub split: Option<SplitForm>,
}

/// How a graph writes the channel split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitForm {
    /// One Split.
    Split,
    /// Two Slices.
    Slice,
    /// Two Gathers behind the shuffle's own reshaping.
    Gather,
}

/// Widths of the paper's table 5: name, channels behind the stem, channels of the stages.
const WIDTHS: [(&str, u64, [u64; 3]); 4] = [
    ("0.5x", 24, [48, 96, 192]),
    ("1.0x", 24, [116, 232, 464]),
    ("1.5x", 24, [176, 352, 704]),
    ("2.0x", 24, [244, 488, 976]),
];

pub(super) fn recognise(model: &Model, known: &Shapes) -> ShuffleNet {
    let graph = Graph::index(&model.graph, known);
    let mut downs = Vec::new();
    // by the value that enters the split, before any shuffle
    let mut straights: HashMap<&str, Straight> = HashMap::new();
    let mut channel_splits = 0;
    for node in &model.graph.node {
        if let Some(down) = graph.stride_2_unit(node) {
            downs.push(down);
        } else if let Some(straight) = graph.stride_1_unit(node) {
            channel_splits += 1;
            straights.insert(straight.source, straight);
        }
    }

    let mut stem_channels = None;
    let mut stages = Vec::new();
    for down in downs {
        stem_channels.get_or_insert(down.channels_in);
        let mut stage = Stage {
            stride1_units: 0,
            stride2_units: 1,
            channels: down.channels,
            size: graph.size(down.output),
            kernel: down.kernel,
            split: None,
        };
        // each step takes a unit out of the map: the walk ends
        let mut end = down.output;
        while let Some(unit) = straights.remove(end) {
            stage.stride1_units += 1;
            stage.split = Some(unit.form);
            end = unit.output;
        }
        stages.push(stage);
    }

    let loose_units = straights.len();
    let width = width(stem_channels, &stages);
    ShuffleNet {
        conclusion: conclusion(stem_channels, &stages, loose_units, width),
        stem_channels,
        width,
        stages,
        loose_units,
        channel_splits,
        channel_shuffles: graph.shuffles.len(),
    }
}

fn width(stem: Option<u64>, stages: &[Stage]) -> Option<&'static str> {
    let channels: Vec<u64> = stages.iter().map(|s| s.channels).collect();
    (WIDTHS.iter())
        .find(|(_, of_stem, of_stages)| stem == Some(*of_stem) && channels == of_stages)
        .map(|(name, ..)| *name)
}

fn conclusion(
    stem: Option<u64>,
    stages: &[Stage],
    loose_units: usize,
    width: Option<&str>,
) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let Some(stem) = stem else {
        return match loose_units {
            0 => "no ShuffleNet V2 units found".to_owned(),
            n => format!(
                "{n} ShuffleNet V2 unit{} of stride 1, but no stage that begins with one of stride 2",
                plural(n)
            ),
        };
    };
    let units: Vec<String> = (stages.iter())
        .map(|s| format!("{}+{}", s.stride2_units, s.stride1_units))
        .collect();
    let mut channels = stem.to_string();
    for stage in stages {
        channels += &format!("-{}", stage.channels);
    }
    let mut text = format!(
        "ShuffleNet V2 backbone: {} stage{} of {} units, {channels} channels ({})",
        stages.len(),
        plural(stages.len()),
        units.join(", "),
        width.unwrap_or("no width of the paper"),
    );
    if loose_units > 0 {
        text += &format!(
            ", and {loose_units} unit{} of stride 1 outside these stages",
            plural(loose_units)
        );
    }
    text
}

/// A stride-2 unit.
struct Down<'a> {
    output: &'a str,
    channels_in: u64,
    channels: u64,
    kernel: u64,
}

/// A stride-1 unit.
struct Straight<'a> {
    /// What enters it, before the shuffle where that stands before the split.
    source: &'a str,
    output: &'a str,
    form: SplitForm,
}

/// Half of the channels of a value.
struct Half<'a> {
    /// The value split, before the shuffle where one construct does both.
    whole: &'a str,
    form: SplitForm,
    /// Whether it is the second half; for Gather, the odd channels.
    second: bool,
    channels: u64,
}

struct Conv<'a> {
    input: &'a str,
    channels_in: u64,
    channels_out: u64,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Pointwise,
    Depthwise { kernel: u64, stride: i64 },
}

/// The graph's nodes by the values that they make. Values that differ by an activation, a
/// normalisation or a quantisation only are one and have the name of the first: the root.
struct Graph<'a> {
    known: &'a Shapes<'a>,
    producers: HashMap<&'a str, &'a NodeProto>,
    roots: HashMap<&'a str, &'a str>,
    /// From a shuffle's result to what is shuffled, both as roots.
    shuffles: HashMap<&'a str, &'a str>,
    /// From what is shuffled, as a root, to a shuffle's result.
    shuffled: HashMap<&'a str, &'a str>,
}

impl<'a> Graph<'a> {
    fn index(graph: &'a GraphProto, known: &'a Shapes<'a>) -> Graph<'a> {
        let mut index = Graph {
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

    /// The node that makes a value, or the value whose root that is.
    fn producer(&self, name: &'a str) -> Option<&'a NodeProto> {
        self.producers.get(self.root(name)).copied()
    }

    /// What is shuffled and the result, where the node is the last of a channel shuffle:
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

    /// The node that makes the first input, if it is that operator.
    fn input_made_by(&self, node: &'a NodeProto, op_type: &str) -> Option<&'a NodeProto> {
        self.producer(node.input_name(0)?).filter(|n| n.is(op_type))
    }

    /// Height and width of a value.
    fn size(&self, name: &str) -> Option<[u64; 2]> {
        match self.known.shape(name)?.as_slice() {
            [_, _, Some(height), Some(width)] => Some([*height, *width]),
            _ => None,
        }
    }

    /// The convolution that makes a value, if it is a pointwise or a depthwise one.
    fn conv(&self, name: &'a str) -> Option<Conv<'a>> {
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
            (1, _, 1) if width == 1 && stride == 1 => Kind::Pointwise,
            (_, 1, 3 | 5) if groups == channels_out && height == width => Kind::Depthwise {
                kernel: height,
                stride,
            },
            _ => return None,
        };
        Some(Conv {
            input: self.root(node.input_name(0)?),
            channels_in: per_group.checked_mul(groups)?,
            channels_out,
            kind,
        })
    }

    /// A depthwise convolution of that stride and the pointwise one behind it, the latter making
    /// `name`: what enters them, the kernel's side and the channels that leave.
    fn depthwise_pointwise(&self, name: &'a str, stride: i64) -> Option<(Conv<'a>, u64, u64)> {
        let pointwise = self.conv(name).filter(|c| c.kind == Kind::Pointwise)?;
        let depthwise = self.conv(pointwise.input)?;
        match depthwise.kind {
            Kind::Depthwise { kernel, stride: s } if s == stride => {
                Some((depthwise, kernel, pointwise.channels_out))
            }
            _ => None,
        }
    }

    /// The two inputs of a concatenation of channels, and its output.
    fn joined(&self, node: &'a NodeProto) -> Option<([&'a str; 2], &'a str)> {
        let is_joint = node.is("Concat") && matches!(node.int("axis", 0), 1 | -3);
        match node.input.as_slice() {
            [a, b] if is_joint => Some(([a, b], node.output.first()?)),
            _ => None,
        }
    }

    fn stride_2_unit(&self, concat: &'a NodeProto) -> Option<Down<'a>> {
        let ([a, b], output) = self.joined(concat)?;
        self.shuffled.get(output)?;
        [(a, b), (b, a)].into_iter().find_map(|(short, long)| {
            let (short, kernel, short_channels) = self.depthwise_pointwise(short, 2)?;
            let (long, _, long_channels) = self.depthwise_pointwise(long, 2)?;
            let first = (self.conv(long.input)).filter(|c| c.kind == Kind::Pointwise)?;
            (first.input == short.input).then_some(Down {
                output,
                channels_in: short.channels_in,
                channels: short_channels.checked_add(long_channels)?,
                kernel,
            })
        })
    }

    fn stride_1_unit(&self, concat: &'a NodeProto) -> Option<Straight<'a>> {
        let ([a, b], output) = self.joined(concat)?;
        [(a, b), (b, a)].into_iter().find_map(|(passing, worked)| {
            let (depthwise, _, channels) = self.depthwise_pointwise(worked, 1)?;
            let first = (self.conv(depthwise.input)).filter(|c| c.kind == Kind::Pointwise)?;
            let (passing, entering) = (self.half(passing)?, self.half(first.input)?);
            let fits = passing.whole == entering.whole
                && passing.form == entering.form
                && passing.second != entering.second
                && [passing.channels, entering.channels, channels] == [first.channels_in; 3];
            // a shuffle before the split, or one behind the unit
            let before = match passing.form {
                SplitForm::Gather => Some(passing.whole),
                _ => self.shuffles.get(passing.whole).copied(),
            };
            let is_shuffled = before.is_some() || self.shuffled.contains_key(output);
            (fits && is_shuffled).then_some(Straight {
                source: before.unwrap_or(passing.whole),
                output,
                form: passing.form,
            })
        })
    }

    /// The value as one of the two halves of another.
    fn half(&self, name: &'a str) -> Option<Half<'a>> {
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
                let cuts = operators::slices(node, self.known, shape)?;
                let [cut] = cuts.as_slice() else {
                    return None;
                };
                let width = i64::try_from(channels).ok()?;
                let second = match (cut.start, cut.end) {
                    (0, end) if end == width => false,
                    (start, _) if start == width => true,
                    _ => return None,
                };
                let halves = shape.get(1)?.is_none_or(|all| all / 2 == channels);
                if cut.axis != 1 || cut.step != 1 || !halves {
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
        Some(Half {
            whole,
            form,
            second,
            channels,
        })
    }
}

/// Operators behind which a value counts as the same.
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
