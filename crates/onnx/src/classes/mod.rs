//! Cuts the class layer of a detector to some of its classes.
//!
//! [`trace`] follows the columns of the class scores from the outputs back to the convolutions that
//! compute them, and finds the constants that hold the number of classes on the way. [`cut`] keeps
//! the rows of those convolutions that belong to the kept classes. Each kept score is computed from
//! the same numbers as before. That holds only if the classes do not depend on each other after the
//! convolution, as they do in a softmax.

mod trace;

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::input_size::edits;
use crate::proto::{GraphProto, NodeProto, StringStringEntryProto, TensorProto};
use crate::rewritable::{self, Dimensions};
use crate::shapes::{InferredShapes, Shape};
use crate::{OnnxError, OnnxModel, remove_initializer_inputs};
use trace::Trace;

pub use crate::rewritable::{NodeLabel, NotRewritable};

/// The classes of a network, and those to keep.
#[derive(Debug, Clone, Copy)]
pub struct ClassCut<'a> {
    /// The outputs with class scores. The classes are the first columns of their last axis.
    pub outputs: &'a [String],
    /// The number of classes of the network.
    pub classes: usize,
    /// The classes to keep, in their new order.
    pub kept: &'a [usize],
}

/// Why the class layer was not cut.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotCut {
    #[error(transparent)]
    NotRewritable(#[from] NotRewritable),
    #[error("expected one or more different classes from 0 to {}, found {kept:?}", classes - 1)]
    Kept { classes: usize, kept: Vec<usize> },
    #[error(
        "expected an output `{output}` with {classes} or more columns for the classes, found {}",
        Dimensions(found.as_deref())
    )]
    Output {
        output: String,
        classes: usize,
        found: Option<Shape>,
    },
    #[error("`{output}` has class scores too; expected it among the outputs to cut")]
    OtherOutput { output: String },
    #[error("expected a node that writes `{value}`, which has class scores, found none")]
    NoWriter { value: String },
    #[error("the class scores cannot be followed through {node}: {reason}")]
    Blocked {
        node: NodeLabel,
        reason: &'static str,
    },
    #[error("after the cut, expected the shape {} of `{value}`, found {}", Dimensions(Some(expected)), Dimensions(found.as_deref()))]
    Shape {
        value: String,
        expected: Shape,
        found: Option<Shape>,
    },
}

impl NotCut {
    fn blocked(node: &NodeProto, reason: &'static str) -> Self {
        Self::Blocked {
            node: NodeLabel::new(node),
            reason,
        }
    }
}

impl From<OnnxError> for NotCut {
    fn from(error: OnnxError) -> Self {
        NotRewritable::from(error).into()
    }
}

/// Returns the model with only the kept classes. `names` are theirs: they replace the class names in
/// the file's metadata. Weights that the file keeps in 16 bits are widened.
///
/// # Errors
/// The first construct between the outputs and the class layer that cannot be followed.
pub fn cut(onnx: &[u8], to: ClassCut<'_>, names: &[&str]) -> Result<Vec<u8>, NotCut> {
    let different: HashSet<&usize> = to.kept.iter().collect();
    let known = to.kept.iter().all(|&class| class < to.classes);
    if !known || to.kept.is_empty() || different.len() < to.kept.len() {
        return Err(NotCut::Kept {
            classes: to.classes,
            kept: to.kept.to_vec(),
        });
    }
    let onnx = remove_initializer_inputs(onnx)?;
    let (mut model, _) = rewritable::decode(&onnx)?;
    let shapes = InferredShapes::infer(&model);
    let trace = Trace::follow(&model, &shapes, to)?;
    let (weights, edits) = (cut_weights(&model, &trace, to)?, trace.edits.clone());
    let expected = trace.shapes_after();
    for tensor in &mut model.graph.initializer {
        if let Some(cut) = weights.get(&tensor.name) {
            *tensor = cut.clone();
        }
    }
    edits::apply(&mut model.graph, &edits);
    declare(&mut model.graph, &expected);
    let inferred = InferredShapes::infer(&model);
    for (value, expected) in expected {
        let found = inferred.shape(&value);
        if found != Some(&expected) {
            let found = found.cloned();
            return Err(NotCut::Shape {
                value,
                expected,
                found,
            });
        }
    }
    name_classes(&mut model, names);
    Ok(model.encode())
}

/// Returns the cut weights and biases of the class layers, by name.
fn cut_weights(
    model: &OnnxModel,
    trace: &Trace<'_>,
    to: ClassCut<'_>,
) -> Result<HashMap<String, TensorProto>, NotCut> {
    let constants: HashMap<&str, &TensorProto> = (model.graph.initializer.iter())
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let mut cut = HashMap::new();
    let mut first_class = HashMap::new();
    for (&index, &first) in &trace.layers {
        let node = &model.graph.node[index];
        for input in 1..=2 {
            let Some(name) = node.input_name(input) else {
                continue;
            };
            let mut readers = (model.graph.node.iter().enumerate())
                .filter(|(_, node)| node.input.iter().any(|read| read == name))
                .map(|(index, _)| index);
            if readers.any(|reader| !trace.layers.contains_key(&reader))
                || *first_class.entry(name).or_insert(first) != first
            {
                return Err(NotCut::blocked(node, "other nodes share its weights"));
            }
            let tensor = constants.get(name).copied();
            let rows = tensor.and_then(|tensor| cut_rows(tensor, first, to));
            let rows = rows.ok_or_else(|| {
                NotCut::blocked(node, "expected weights of 32-bit floats in the file")
            })?;
            cut.insert(name.to_owned(), rows);
        }
    }
    Ok(cut)
}

/// Returns the tensor with only those rows of the classes that are kept. `first` is the row of class
/// 0.
fn cut_rows(tensor: &TensorProto, first: usize, to: ClassCut<'_>) -> Option<TensorProto> {
    let values = tensor.to_floats(usize::MAX)?;
    let rows = usize::try_from(*tensor.dims.first()?).ok()?;
    let length = values
        .len()
        .checked_div(rows)
        .filter(|&length| length > 0)?;
    let after = first.checked_add(to.classes)?;
    let kept = (0..first)
        .chain(to.kept.iter().map(|class| first + class))
        .chain(after..rows);
    let mut content = Vec::new();
    let mut count = 0;
    for row in kept {
        content.extend_from_slice(values.chunks(length).nth(row)?);
        count += 1;
    }
    let mut dims: Vec<usize> = (tensor.dims.iter())
        .map(|&dim| usize::try_from(dim).ok())
        .collect::<Option<_>>()?;
    *dims.first_mut()? = count;
    Some(TensorProto::from_floats(
        tensor.name.clone(),
        &dims,
        &content,
    ))
}

/// Writes the new shapes into the descriptions of outputs and values.
fn declare(graph: &mut GraphProto, expected: &HashMap<String, Shape>) {
    // a batch may stay open, so only changed values are described again
    graph
        .value_info
        .retain(|info| !expected.contains_key(&info.name));
    for info in &mut graph.output {
        let tensor = info.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        let shape = tensor.and_then(|tensor| tensor.shape.as_mut());
        if let (Some(shape), Some(expected)) = (shape, expected.get(&info.name))
            && let (Some(dim), Some(Some(columns))) = (shape.dim.last_mut(), expected.last())
        {
            dim.dim_value = i64::try_from(*columns).ok();
            dim.dim_param = None;
        }
    }
}

/// Writes the names of the classes into the metadata, where Ultralytics' exporter has them.
fn name_classes(model: &mut OnnxModel, names: &[&str]) {
    const KEY: &str = "names";
    let entries: Vec<String> = (names.iter().enumerate())
        .map(|(class, name)| format!("{class}: {name:?}"))
        .collect();
    model.metadata_props.retain(|entry| entry.key != KEY);
    model.metadata_props.push(StringStringEntryProto {
        key: KEY.to_owned(),
        value: format!("{{{}}}", entries.join(", ")),
    });
}

#[cfg(test)]
mod tests;
