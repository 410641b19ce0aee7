//! Operators in the forms that ONNX Runtime has faster code for. Each rule keeps the values exactly, or but for the
//! order in which two numbers are added.

use std::collections::{HashMap, HashSet};

use crate::Model;
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::shapes::Shapes;

/// Nodes by what they write, and how often each value is read.
struct Links<'a> {
    writer: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Links<'a> {
    fn of(model: &'a Model) -> Self {
        let mut links = Links {
            writer: HashMap::new(),
            readers: HashMap::new(),
            outputs: model.graph.output.iter().map(|o| o.name.as_str()).collect(),
        };
        for (index, node) in model.graph.node.iter().enumerate() {
            for output in &node.output {
                links.writer.insert(output, index);
            }
            for input in &node.input {
                links.readers.entry(input).or_default().push(index);
            }
        }
        links
    }

    /// The node that alone reads `value`, if one does.
    fn only_reader(&self, value: &str) -> Option<usize> {
        match self.readers.get(value)?.as_slice() {
            &[reader] if !self.outputs.contains(value) => Some(reader),
            _ => None,
        }
    }
}

/// A node that a rule is tried on, with what is around it.
struct Place<'a> {
    nodes: &'a [NodeProto],
    index: usize,
    links: &'a Links<'a>,
    shapes: &'a Shapes<'a>,
}

impl Place<'_> {
    fn node(&self) -> &NodeProto {
        &self.nodes[self.index]
    }
}

/// What a rule puts in place of nodes, and the constants that it needs.
#[derive(Default)]
struct Change {
    nodes: Vec<(usize, NodeProto)>,
    tensors: Vec<TensorProto>,
}

/// Applies every rule once to each place where it fits.
pub(super) fn simplify(model: &mut Model) {
    let mut changed = HashSet::new();
    let mut all = Change::default();
    {
        let links = Links::of(model);
        let shapes = Shapes::infer(model);
        for index in 0..model.graph.node.len() {
            let rules = [
                pool_before_activation,
                halving_as_average,
                doubling_by_scales,
                flat_transpose_first,
                softmax_over_channels,
            ];
            let place = Place {
                nodes: &model.graph.node,
                index,
                links: &links,
                shapes: &shapes,
            };
            let fitting = rules.iter().find_map(|rule| rule(&place));
            let Some(change) = fitting else { continue };
            if change.nodes.iter().all(|(at, _)| !changed.contains(at)) {
                changed.extend(change.nodes.iter().map(|(at, _)| *at));
                all.nodes.extend(change.nodes);
                all.tensors.extend(change.tensors);
            }
        }
    }
    let graph = &mut model.graph;
    for (index, node) in all.nodes {
        // what the file says of these values may hold no longer
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

/// LeakyRelu, MaxPool: the largest of values that an increasing function was applied to is that function of the largest,
/// and there are fewer of them.
fn pool_before_activation(place: &Place<'_>) -> Option<Change> {
    let pool = place.node();
    if !pool.is("MaxPool") || pool.output.len() != 1 {
        return None;
    }
    let input = pool.input_name(0)?;
    let before = *place.links.writer.get(input)?;
    let activation = &place.nodes[before];
    let slope = activation.attribute("alpha").map_or(Some(0.01), |a| a.f)?;
    if !activation.is("LeakyRelu") || slope <= 0.0 || place.links.only_reader(input)? != place.index
    {
        return None;
    }
    let mut first = pool.clone();
    first.input.clone_from(&activation.input);
    first.output.clone_from(&activation.output);
    let mut second = activation.clone();
    second.input.clone_from(&activation.output);
    second.output.clone_from(&pool.output);
    Some(Change {
        nodes: vec![(before, first), (place.index, second)],
        ..Change::default()
    })
}

/// By how much a linear Resize between pixel centres scales height and width; `None` for another.
fn linear_scale(node: &NodeProto, shapes: &Shapes<'_>) -> Option<[f64; 2]> {
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
        // to one pixel, the two kinds of centres differ
        (&[n, c, h, w], &[m, d, to_h, to_w]) if [n, c] == [m, d] && to_h > 1 && to_w > 1 => {
            [to_h as f64 / h as f64, to_w as f64 / w as f64]
        }
        _ => return None,
    };
    // scales that are told count, not those that rounded sizes come to
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

/// A linear Resize to half the size: each pixel is in the middle of four, and so their mean.
fn halving_as_average(place: &Place<'_>) -> Option<Change> {
    let node = place.node();
    if linear_scale(node, place.shapes)? != [0.5, 0.5] {
        return None;
    }
    let mean = NodeProto {
        op_type: "AveragePool".into(),
        input: vec![node.input.first()?.clone()],
        output: node.output.clone(),
        attribute: vec![
            AttributeProto::of_ints("kernel_shape", &[2, 2]),
            AttributeProto::of_ints("strides", &[2, 2]),
        ],
        ..NodeProto::default()
    };
    Some(Change {
        nodes: vec![(place.index, mean)],
        ..Change::default()
    })
}

/// A linear Resize to twice the size, told by scales: ONNX Runtime knows no blocked form of one told by sizes.
fn doubling_by_scales(place: &Place<'_>) -> Option<Change> {
    let node = place.node();
    if linear_scale(node, place.shapes)? != [2.0, 2.0] {
        return None;
    }
    let (region, scales) = ("layout/no_region", "layout/scales_2x");
    let doubled = NodeProto {
        op_type: "Resize".into(),
        input: vec![node.input.first()?.clone(), region.into(), scales.into()],
        output: node.output.clone(),
        attribute: vec![
            AttributeProto::of_text("mode", "linear"),
            AttributeProto::of_text("coordinate_transformation_mode", "half_pixel"),
        ],
        ..NodeProto::default()
    };
    Some(Change {
        nodes: vec![(place.index, doubled)],
        tensors: vec![
            TensorProto::of_floats(region.into(), &[0], &[]),
            TensorProto::of_floats(scales.into(), &[4], &[1.0, 1.0, 2.0, 2.0]),
        ],
    })
}

/// [1, C, H, W] to [1, C, HW] to [1, HW, C], as [1, H, W, C] to [1, HW, C]: leaving the blocked layout, ONNX Runtime
/// writes the channels last for nothing.
fn flat_transpose_first(place: &Place<'_>) -> Option<Change> {
    let transpose = place.node();
    if !transpose.is("Transpose") || transpose.ints("perm")? != [0, 2, 1] {
        return None;
    }
    let flat = transpose.input_name(0)?;
    let before = *place.links.writer.get(flat)?;
    let reshape = &place.nodes[before];
    if !reshape.is("Reshape") || place.links.only_reader(flat)? != place.index {
        return None;
    }
    let &[1, channels, height, width] = place.shapes.full_shape(reshape.input_name(0)?)?.as_slice()
    else {
        return None;
    };
    if place.shapes.full_shape(flat)? != [1, channels, height * width] {
        return None;
    }
    let shape = format!("{}/layout_shape", transpose.output.first()?);
    let target = [1, height * width, channels].map(|dim| dim as i64);
    let first = NodeProto {
        op_type: "Transpose".into(),
        input: vec![reshape.input[0].clone()],
        output: reshape.output.clone(),
        attribute: vec![AttributeProto::of_ints("perm", &[0, 2, 3, 1])],
        ..NodeProto::default()
    };
    let second = NodeProto {
        op_type: "Reshape".into(),
        input: vec![flat.to_owned(), shape.clone()],
        output: transpose.output.clone(),
        ..NodeProto::default()
    };
    Some(Change {
        nodes: vec![(before, first), (place.index, second)],
        tensors: vec![TensorProto::of_ints(shape, &target)],
    })
}

/// A Softmax over channels between two transpositions that also swap height and width: without that swap they move one
/// axis only, which is quicker, and the values are the same.
fn softmax_over_channels(place: &Place<'_>) -> Option<Change> {
    let softmax = place.node();
    if !softmax.is("Softmax") {
        return None;
    }
    let (input, output) = (softmax.input_name(0)?, softmax.output.first()?);
    // the default differs between operator sets
    let axis = softmax.attribute("axis")?.i?;
    let rank = place.shapes.full_shape(input)?.len();
    let before = *place.links.writer.get(input)?;
    let after = place.links.only_reader(output)?;
    let swaps = |node: &NodeProto| node.is("Transpose") && node.ints("perm") == Some(&[0, 3, 2, 1]);
    let nodes = place.nodes;
    if rank != 4
        || !(axis == 3 || axis == -1)
        || !swaps(&nodes[before])
        || !swaps(&nodes[after])
        || place.links.only_reader(input)? != place.index
    {
        return None;
    }
    let turned = |node: &NodeProto, perm: [i64; 4]| NodeProto {
        attribute: vec![AttributeProto::of_ints("perm", &perm)],
        ..node.clone()
    };
    Some(Change {
        nodes: vec![
            (before, turned(&nodes[before], [0, 2, 3, 1])),
            (after, turned(&nodes[after], [0, 3, 1, 2])),
        ],
        ..Change::default()
    })
}
