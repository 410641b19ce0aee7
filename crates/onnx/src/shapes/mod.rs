//! Infers the shapes of a graph's values, and the small integer tensors from which shapes are
//! computed.
//!
//! One pass over the nodes in topological order, so that the time is linear in the size of any
//! graph, even a damaged one. A dimension may stay unknown while its neighbours are known.

mod operators;
mod slices;
mod windows;

use std::collections::HashMap;

pub(crate) use operators::axis_within;
pub(crate) use slices::{axis_slices, slice_length};

use crate::OnnxModel;
use crate::proto::{NodeProto, TensorProto, ValueInfoProto};

/// The dimensions of a value; `None` for an unknown one.
pub(crate) type Shape = Vec<Option<u64>>;

/// The elements of an integer tensor of rank 0 or 1; `None` for an unknown one.
pub(crate) type Ints = Vec<Option<i64>>;

/// Larger ranks and lists stay unknown: no real shape needs them, and this limits the work per
/// node.
const MAX_RANK: usize = 16;
const MAX_LIST: usize = 64;

/// The known shapes and short constants of a graph's values, by name.
#[derive(Default)]
pub(crate) struct InferredShapes<'a> {
    shapes: HashMap<&'a str, Shape>,
    ints: HashMap<&'a str, Ints>,
    floats: HashMap<&'a str, Vec<f32>>,
}

impl<'a> InferredShapes<'a> {
    /// Infers shapes from the graph's inputs and initializers. An input's first dimension is the
    /// batch: 1 if it is symbolic. For shapes that cannot be inferred, the file's declared shapes
    /// apply.
    pub fn infer(model: &'a OnnxModel) -> InferredShapes<'a> {
        let graph = &model.graph;
        let declared: HashMap<&str, Shape> = graph
            .value_info
            .iter()
            .chain(&graph.output)
            .filter_map(|info| Some((info.name.as_str(), declared_shape(info)?)))
            .collect();

        let mut known = Self::before_nodes(model);
        for node in &graph.node {
            known.visit(node, &declared);
        }
        known
    }

    /// Returns the shapes of the graph's inputs and initializers alone.
    pub fn before_nodes(model: &'a OnnxModel) -> InferredShapes<'a> {
        let mut known = InferredShapes::default();
        for info in &model.graph.input {
            if let Some(shape) = declared_shape(info) {
                known.set_shape(&info.name, Some(shape));
            }
        }
        for tensor in &model.graph.initializer {
            known.set_tensor(&tensor.name, tensor);
        }
        known
    }

    /// Adds the outputs of a node, whose inputs must have been added. Outputs whose shapes cannot be
    /// inferred get those of `declared`.
    pub fn visit(&mut self, node: &'a NodeProto, declared: &HashMap<&str, Shape>) {
        if node.is("Constant") {
            let Some(output) = node.output.first() else {
                return;
            };
            if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_ref()) {
                self.set_tensor(output, tensor);
            } else if let Some(list) = node.ints("value_ints") {
                self.set_shape(output, Some(vec![Some(list.len() as u64)]));
                self.set_ints(output, Some(list.iter().copied().map(Some).collect()));
            } else if let Some(value) = node.attribute("value_int") {
                self.set_shape(output, Some(Vec::new()));
                self.set_ints(output, Some(vec![Some(value.i.unwrap_or_default())]));
            }
            return;
        }

        let mut inferred = if node.in_default_domain() {
            operators::output_shapes(node, self).unwrap_or_default()
        } else {
            Vec::new()
        };
        inferred.resize(node.output.len(), None);
        for (output, shape) in node.output.iter().zip(inferred) {
            let shape = shape.or_else(|| declared.get(output.as_str()).cloned());
            self.set_shape(output, shape);
        }
        if let ([output], true) = (node.output.as_slice(), node.in_default_domain()) {
            self.set_ints(output, self.folded(node));
        }
    }

    /// Returns the integers that a node computes if it computes a shape from shapes.
    fn folded(&self, node: &NodeProto) -> Option<Ints> {
        let first = node.input_name(0)?;
        match node.op_type.as_str() {
            "Shape" => {
                let shape = self.shape(first)?;
                let range = slices::shape_range(node, shape.len());
                let dims = shape.get(range)?.iter();
                Some(dims.map(|d| i64::try_from((*d)?).ok()).collect())
            }
            "Cast" | "Identity" | "Squeeze" | "Unsqueeze" => self.list(first).cloned(),
            "Concat" => {
                let mut joined = Vec::new();
                for index in 0..node.input.len() {
                    joined.extend(self.list(node.input_name(index)?)?);
                    if joined.len() > MAX_LIST {
                        return None;
                    }
                }
                Some(joined)
            }
            "Gather" => {
                let list = self.list(first)?;
                let picked = self.list(node.input_name(1)?)?.iter().map(|index| {
                    let index = (*index)?;
                    let wrapped = if index < 0 {
                        index.checked_add(list.len() as i64)?
                    } else {
                        index
                    };
                    *list.get(usize::try_from(wrapped).ok()?)?
                });
                Some(picked.collect())
            }
            "Slice" => {
                let list = self.list(first)?;
                let kept = slices::slice_of_list(node, self, list.len() as u64)?;
                Some(list.get(kept)?.to_vec())
            }
            "Add" => self.combined(node, i64::checked_add),
            "Sub" => self.combined(node, i64::checked_sub),
            "Mul" => self.combined(node, i64::checked_mul),
            // integers and floats differ if the division has a remainder
            "Div" => self.combined(node, |a, b| {
                (a.checked_rem(b)? == 0).then(|| a.checked_div(b))?
            }),
            _ => None,
        }
    }

    /// Applies an element-wise operation to two lists of one length, or a list and a single
    /// element.
    fn combined(&self, node: &NodeProto, f: impl Fn(i64, i64) -> Option<i64>) -> Option<Ints> {
        let a = self.list(node.input_name(0)?)?;
        let b = self.list(node.input_name(1)?)?;
        let length = a.len().max(b.len());
        if [a, b]
            .iter()
            .any(|list| list.len() != length && list.len() != 1)
        {
            return None;
        }
        let at = |list: &Ints, i: usize| list[if list.len() == 1 { 0 } else { i }];
        Some((0..length).map(|i| f(at(a, i)?, at(b, i)?)).collect())
    }

    /// Returns the dimensions of a value of known rank.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// Returns the dimensions of a value if all are known.
    pub fn full_shape(&self, name: &str) -> Option<Vec<u64>> {
        self.shape(name)?.iter().copied().collect()
    }

    /// Returns the elements of a short integer tensor, including unknown ones.
    pub fn list(&self, name: &str) -> Option<&Ints> {
        self.ints.get(name)
    }

    /// Returns the elements of a short integer tensor if all are known.
    pub fn full_list(&self, name: &str) -> Option<Vec<i64>> {
        self.list(name)?.iter().copied().collect()
    }

    /// Returns a list that is an attribute in older operator sets and an input in newer ones.
    pub fn setting(&self, node: &NodeProto, attribute: &str, input: usize) -> Option<Vec<i64>> {
        match node.ints(attribute) {
            Some(list) => (list.len() <= MAX_LIST).then(|| list.to_vec()),
            None => self.full_list(node.input_name(input)?),
        }
    }

    /// Returns the elements of a short constant of 32-bit floats.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.floats.get(name).map(Vec::as_slice)
    }

    fn set_tensor(&mut self, name: &'a str, tensor: &TensorProto) {
        let shape: Option<Shape> = (tensor.dims.iter())
            .map(|&d| u64::try_from(d).ok().map(Some))
            .collect();
        self.set_shape(name, shape);
        if tensor.dims.len() <= 1 {
            let ints = tensor.to_ints(MAX_LIST);
            self.set_ints(name, ints.map(|list| list.into_iter().map(Some).collect()));
            if let Some(floats) = tensor.to_floats(MAX_LIST) {
                self.floats.insert(name, floats);
            }
        }
    }

    /// Sets the shape of a value; an unknown one changes nothing.
    pub fn set_shape(&mut self, name: &'a str, shape: Option<Shape>) {
        if let Some(shape) = shape.filter(|s| s.len() <= MAX_RANK && !name.is_empty()) {
            self.shapes.insert(name, shape);
        }
    }

    fn set_ints(&mut self, name: &'a str, ints: Option<Ints>) {
        if let Some(ints) = ints.filter(|list| list.len() <= MAX_LIST && !name.is_empty()) {
            self.ints.insert(name, ints);
        }
    }
}

/// Returns the shape that a file declares for a value. A first dimension without a number is the
/// batch.
pub(crate) fn declared_shape(info: &ValueInfoProto) -> Option<Shape> {
    let dims = &info
        .r#type
        .as_ref()?
        .tensor_type
        .as_ref()?
        .shape
        .as_ref()?
        .dim;
    let number = |value: Option<i64>| u64::try_from(value?).ok().filter(|&d| d > 0);
    let mut shape: Shape = dims.iter().map(|dim| number(dim.dim_value)).collect();
    if let Some(batch) = shape.first_mut() {
        batch.get_or_insert(1);
    }
    Some(shape)
}
