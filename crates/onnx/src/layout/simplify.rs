//! Converts operators to forms for which ONNX Runtime has faster code. Each rule keeps the values
//! exactly, except for the order in which two numbers are added.

use std::collections::{HashMap, HashSet};

use crate::OnnxModel;
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::shapes::InferredShapes;

/// The node that writes each value, and the nodes that read it.
struct ValueUses<'a> {
    writer: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> ValueUses<'a> {
    fn index(model: &'a OnnxModel) -> Self {
        let mut uses = ValueUses {
            writer: HashMap::new(),
            readers: HashMap::new(),
            outputs: model.graph.output.iter().map(|o| o.name.as_str()).collect(),
        };
        for (index, node) in model.graph.node.iter().enumerate() {
            for output in &node.output {
                uses.writer.insert(output, index);
            }
            for input in &node.input {
                uses.readers.entry(input).or_default().push(index);
            }
        }
        uses
    }

    /// Returns the only node that reads `value`; `None` if there are several.
    fn only_reader(&self, value: &str) -> Option<usize> {
        match self.readers.get(value)?.as_slice() {
            &[reader] if !self.outputs.contains(value) => Some(reader),
            _ => None,
        }
    }
}

/// A node on which a rule is tried, with its graph.
struct Candidate<'a> {
    nodes: &'a [NodeProto],
    index: usize,
    uses: &'a ValueUses<'a>,
    shapes: &'a InferredShapes<'a>,
}

impl Candidate<'_> {
    fn node(&self) -> &NodeProto {
        &self.nodes[self.index]
    }
}

/// The nodes that a rule replaces, by index, and the constants that they need.
#[derive(Default)]
struct Replacement {
    nodes: Vec<(usize, NodeProto)>,
    tensors: Vec<TensorProto>,
}

/// Applies every rule once to each node that matches it.
pub(super) fn simplify(model: &mut OnnxModel) {
    let mut changed = HashSet::new();
    let mut all = Replacement::default();
    {
        let uses = ValueUses::index(model);
        let shapes = InferredShapes::infer(model);
        for index in 0..model.graph.node.len() {
            let rules = [
                pool_before_activation,
                halving_as_average,
                doubling_by_scales,
                flat_transpose_first,
                softmax_over_channels,
            ];
            let candidate = Candidate {
                nodes: &model.graph.node,
                index,
                uses: &uses,
                shapes: &shapes,
            };
            let fitting = rules.iter().find_map(|rule| rule(&candidate));
            let Some(replacement) = fitting else { continue };
            if replacement
                .nodes
                .iter()
                .all(|(at, _)| !changed.contains(at))
            {
                changed.extend(replacement.nodes.iter().map(|(at, _)| *at));
                all.nodes.extend(replacement.nodes);
                all.tensors.extend(replacement.tensors);
            }
        }
    }
    let graph = &mut model.graph;
    for (index, node) in all.nodes {
        // the file's declarations of these values may no longer hold
        graph
            .value_info
            .retain(|info| !node.output.contains(&info.name));
        graph.node[index] = node;
    }
    let mut names: HashSet<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
    // two places may need the same constant
    all.tensors
        .retain(|tensor| names.insert(tensor.name.clone()));
    graph.initializer.extend(all.tensors);
}

/// Swaps a LeakyRelu and the MaxPool after it. An increasing function preserves the maximum, and
/// after the pooling there are fewer values to compute.
fn pool_before_activation(candidate: &Candidate<'_>) -> Option<Replacement> {
    let pool = candidate.node();
    if !pool.is("MaxPool") || pool.output.len() != 1 {
        return None;
    }
    let input = pool.input_name(0)?;
    let before = *candidate.uses.writer.get(input)?;
    let activation = &candidate.nodes[before];
    let slope = activation.attribute("alpha").map_or(Some(0.01), |a| a.f)?;
    if !activation.is("LeakyRelu")
        || slope <= 0.0
        || candidate.uses.only_reader(input)? != candidate.index
    {
        return None;
    }
    let mut first = pool.clone();
    first.input.clone_from(&activation.input);
    first.output.clone_from(&activation.output);
    let mut second = activation.clone();
    second.input.clone_from(&activation.output);
    second.output.clone_from(&pool.output);
    Some(Replacement {
        nodes: vec![(before, first), (candidate.index, second)],
        ..Replacement::default()
    })
}

/// Returns the factors by which a linear Resize between pixel centres scales height and width;
/// `None` for another node.
fn linear_scale(node: &NodeProto, shapes: &InferredShapes<'_>) -> Option<[f64; 2]> {
    let centres = ["half_pixel", "pytorch_half_pixel"];
    if !node.is("Resize")
        || node.text("mode", "nearest") != "linear"
        || !centres.contains(&node.text("coordinate_transformation_mode", "half_pixel"))
        || node.int("antialias", 0) != 0
    {
        return None;
    }
    let from = shapes.full_shape(node.input_name(0)?)?;
    let to = shapes.full_shape(node.output.first()?)?;
    let scale = match (from.as_slice(), to.as_slice()) {
        // the two kinds of centres differ for a target of one pixel
        (&[n, c, h, w], &[m, d, to_h, to_w]) if [n, c] == [m, d] && to_h > 1 && to_w > 1 => {
            [to_h as f64 / h as f64, to_w as f64 / w as f64]
        }
        _ => return None,
    };
    // given scales apply, rather than those derived from rounded sizes
    let told = node
        .input_name(2)
        .map_or(Some([].as_slice()), |name| shapes.floats(name))?;
    let as_told = match *told {
        [] => true,
        [_, _, h, w] => [f64::from(h), f64::from(w)] == scale,
        _ => false,
    };
    as_told.then_some(scale)
}

/// Replaces a linear Resize to half the size by an average: each pixel is in the middle of four,
/// and so is their mean.
fn halving_as_average(candidate: &Candidate<'_>) -> Option<Replacement> {
    let node = candidate.node();
    if linear_scale(node, candidate.shapes)? != [0.5, 0.5] {
        return None;
    }
    let mean = NodeProto {
        op_type: "AveragePool".into(),
        input: vec![node.input.first()?.clone()],
        output: node.output.clone(),
        attribute: vec![
            AttributeProto::from_ints("kernel_shape", &[2, 2]),
            AttributeProto::from_ints("strides", &[2, 2]),
        ],
        ..NodeProto::default()
    };
    Some(Replacement {
        nodes: vec![(candidate.index, mean)],
        ..Replacement::default()
    })
}

/// Specifies a linear Resize to twice the size by scales: ONNX Runtime has no blocked form for
/// sizes.
fn doubling_by_scales(candidate: &Candidate<'_>) -> Option<Replacement> {
    let node = candidate.node();
    if linear_scale(node, candidate.shapes)? != [2.0, 2.0] {
        return None;
    }
    let (region, scales) = ("layout/no_region", "layout/scales_2x");
    let doubled = NodeProto {
        op_type: "Resize".into(),
        input: vec![node.input.first()?.clone(), region.into(), scales.into()],
        output: node.output.clone(),
        attribute: vec![
            AttributeProto::from_text("mode", "linear"),
            AttributeProto::from_text("coordinate_transformation_mode", "half_pixel"),
        ],
        ..NodeProto::default()
    };
    Some(Replacement {
        nodes: vec![(candidate.index, doubled)],
        tensors: vec![
            TensorProto::from_floats(region.into(), &[0], &[]),
            TensorProto::from_floats(scales.into(), &[4], &[1.0, 1.0, 2.0, 2.0]),
        ],
    })
}

/// Replaces [1, C, H, W] to [1, C, HW] to [1, HW, C] by [1, H, W, C] to [1, HW, C]. ONNX Runtime
/// can write the channels last at no cost when it leaves its blocked layout.
fn flat_transpose_first(candidate: &Candidate<'_>) -> Option<Replacement> {
    let transpose = candidate.node();
    if !transpose.is("Transpose") || transpose.ints("perm")? != [0, 2, 1] {
        return None;
    }
    let flat = transpose.input_name(0)?;
    let before = *candidate.uses.writer.get(flat)?;
    let reshape = &candidate.nodes[before];
    if !reshape.is("Reshape") || candidate.uses.only_reader(flat)? != candidate.index {
        return None;
    }
    let &[1, channels, height, width] = candidate
        .shapes
        .full_shape(reshape.input_name(0)?)?
        .as_slice()
    else {
        return None;
    };
    if candidate.shapes.full_shape(flat)? != [1, channels, height * width] {
        return None;
    }
    let shape = format!("{}/layout_shape", transpose.output.first()?);
    let target = [1, height * width, channels].map(|dim| dim as i64);
    let first = NodeProto {
        op_type: "Transpose".into(),
        input: vec![reshape.input[0].clone()],
        output: reshape.output.clone(),
        attribute: vec![AttributeProto::from_ints("perm", &[0, 2, 3, 1])],
        ..NodeProto::default()
    };
    let second = NodeProto {
        op_type: "Reshape".into(),
        input: vec![flat.to_owned(), shape.clone()],
        output: transpose.output.clone(),
        ..NodeProto::default()
    };
    Some(Replacement {
        nodes: vec![(before, first), (candidate.index, second)],
        tensors: vec![TensorProto::from_ints(shape, &target)],
    })
}

/// Changes two transpositions around a Softmax over channels that also swap height and width.
/// Without that swap they move only one axis, which is faster, and the values are the same.
fn softmax_over_channels(candidate: &Candidate<'_>) -> Option<Replacement> {
    let softmax = candidate.node();
    if !softmax.is("Softmax") {
        return None;
    }
    let (input, output) = (softmax.input_name(0)?, softmax.output.first()?);
    // the default differs between operator sets
    let axis = softmax.attribute("axis")?.i?;
    let rank = candidate.shapes.full_shape(input)?.len();
    let before = *candidate.uses.writer.get(input)?;
    let after = candidate.uses.only_reader(output)?;
    let swaps = |node: &NodeProto| node.is("Transpose") && node.ints("perm") == Some(&[0, 3, 2, 1]);
    let nodes = candidate.nodes;
    if rank != 4
        || !(axis == 3 || axis == -1)
        || !swaps(&nodes[before])
        || !swaps(&nodes[after])
        || candidate.uses.only_reader(input)? != candidate.index
    {
        return None;
    }
    let turned = |node: &NodeProto, perm: [i64; 4]| NodeProto {
        attribute: vec![AttributeProto::from_ints("perm", &perm)],
        ..node.clone()
    };
    Some(Replacement {
        nodes: vec![
            (before, turned(&nodes[before], [0, 2, 3, 1])),
            (after, turned(&nodes[after], [0, 3, 1, 2])),
        ],
        ..Replacement::default()
    })
}
