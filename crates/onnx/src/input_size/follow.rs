//! Follows the input's height and width through the graph.

use std::collections::{HashMap, HashSet};

use super::dim::{self, Dim};
use super::edits::Edit;
use super::not_resized::{NotResized, Obstacle};
use super::rules;
use crate::OnnxModel;
use crate::proto::{NodeProto, TensorProto};
use crate::rewritable::NodeLabel;
use crate::shapes::InferredShapes;

/// The dimensions of a graph's values, and the edits that another size needs.
pub(super) struct Followed<'a> {
    pub dims: HashMap<&'a str, Vec<Dim>>,
    pub edits: Vec<Edit>,
}

/// What is known of the values before a node.
pub(super) struct Known<'a> {
    /// At the native input size.
    pub native: InferredShapes<'a>,
    /// At the new input size.
    pub resized: InferredShapes<'a>,
    /// The dimensions of every value whose shape is known at both sizes.
    pub dims: HashMap<&'a str, Vec<Dim>>,
    /// Values with content that the graph computes from sizes.
    pub computed: HashSet<&'a str>,
    /// Initializers and the tensors of Constant nodes.
    pub constants: HashMap<&'a str, &'a TensorProto>,
    /// Height and width of the input, native and new.
    pub sides: [(u64, u64); 2],
}

/// Follows the dimensions of the input `image` to every value of the graph.
///
/// # Errors
/// The first node that has no meaning at the new size.
pub(super) fn follow<'a>(
    model: &'a OnnxModel,
    image: &str,
    input: &[Dim],
) -> Result<Followed<'a>, NotResized> {
    let mut known = Known::new(model, image, input);
    let mut edits = Vec::new();
    for (index, node) in model.graph.node.iter().enumerate() {
        known
            .visit(node, index, &mut edits)
            .map_err(|obstacle| NotResized::Node {
                node: NodeLabel::new(node),
                obstacle,
            })?;
    }
    Ok(Followed {
        dims: known.dims,
        edits,
    })
}

impl<'a> Known<'a> {
    fn new(model: &'a OnnxModel, image: &str, input: &[Dim]) -> Self {
        let graph = &model.graph;
        let mut known = Self {
            native: InferredShapes::before_nodes(model),
            resized: InferredShapes::before_nodes(model),
            dims: HashMap::new(),
            computed: HashSet::new(),
            constants: HashMap::new(),
            sides: [2, 3].map(|axis| (input[axis].native(), input[axis].resized())),
        };
        for tensor in &graph.initializer {
            known.constants.insert(&tensor.name, tensor);
            if let Some(shape) = known.native.full_shape(&tensor.name) {
                let dims = shape.into_iter().map(Dim::fixed).collect();
                known.dims.insert(&tensor.name, dims);
            }
        }
        for info in graph.input.iter().filter(|info| info.name == image) {
            known.set(&info.name, input.to_vec());
        }
        known
    }

    fn visit(
        &mut self,
        node: &'a NodeProto,
        index: usize,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Obstacle> {
        if node.output.is_empty() {
            return Ok(());
        }
        self.native.visit(node, &HashMap::new());
        self.resized.visit(node, &HashMap::new());
        let value = node.attribute("value").and_then(|value| value.t.as_ref());
        if let (true, Some(tensor)) = (node.is("Constant"), value) {
            self.constants.insert(&node.output[0], tensor);
        }
        let inputs = || node.input.iter().map(String::as_str);
        let spatial = inputs().any(|name| {
            self.dims
                .get(name)
                .is_some_and(|dims| dim::any_spatial(dims))
        });
        let computed = inputs().any(|name| self.computed.contains(name));
        if computed || (spatial && node.is("Shape")) {
            self.computed.extend(node.output.iter().map(String::as_str));
        }
        if spatial {
            let outputs = rules::outputs(self, node, index, edits)?;
            for (output, dims) in node.output.iter().zip(outputs) {
                // the rules of the shapes know more than these
                if self.native.full_shape(output) != Some(dim::native(&dims)) {
                    return Err(Obstacle::UnknownShape);
                }
                self.set(output, dims);
            }
            return Ok(());
        }
        for output in &node.output {
            let native = self.native.full_shape(output);
            let resized = self.resized.full_shape(output);
            if let Some((native, resized)) = native.zip(resized)
                && native.len() == resized.len()
            {
                let dims = native.into_iter().zip(resized);
                let dim = |(native, resized)| {
                    if native != resized {
                        Dim::spatial(native, resized)
                    } else if computed {
                        Dim::uncertain(native)
                    } else {
                        Dim::fixed(native)
                    }
                };
                self.set(output, dims.map(dim).collect());
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &'a str, dims: Vec<Dim>) {
        if name.is_empty() {
            return;
        }
        let shape = |sizes: Vec<u64>| Some(sizes.into_iter().map(Some).collect());
        self.native.set_shape(name, shape(dim::native(&dims)));
        self.resized.set_shape(name, shape(dim::resized(&dims)));
        self.dims.insert(name, dims);
    }
}
