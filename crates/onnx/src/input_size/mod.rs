//! Rewrites a network for another input size.
//!
//! A convolutional network works at any size, but its file holds the size for which it was exported:
//! as targets of Reshape, sizes of Resize, ends of Slice. [`follow`] infers every shape at the
//! native and at the new size, and which dimensions follow from the input's height and width. It
//! finds the constants that differ, and the nodes that have no meaning at another size: a classifier
//! behind a flattened map, a mean over the whole map, a constant with one element per pixel. [`edits`]
//! replaces the constants. Then the shapes of the new graph are inferred again and compared with the
//! predicted ones. A graph that cannot be rewritten stays unchanged, and [`NotResized`] gives the
//! reason.
//!
//! Weights are not touched. A detector sees objects of the size in pixels for which it was trained,
//! at every input size.

mod dim;
pub(crate) mod edits;
mod follow;
mod not_resized;
mod regroup;
mod rules;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::proto::{DimensionProto, GraphProto, ValueInfoProto};
use crate::rewritable;
use crate::shapes::{InferredShapes, declared_shape};
use crate::{OnnxModel, remove_initializer_inputs};
use dim::Dim;

pub use not_resized::{NotResized, Obstacle};

/// The longest side of an input, in pixels. No detector reaches it.
const MAX_SIDE: u32 = 1 << 14;

/// Returns the model with an input of `width` x `height` pixels; the same bytes if its input has
/// that size already. Open dimensions of the input become fixed, a batch 1. Initializers leave the
/// inputs, as in [`remove_initializer_inputs`].
///
/// The size must suit the network: a detector that halves the map five times and joins the maps
/// again needs multiples of 32.
///
/// # Errors
/// The first construct of the graph that has no meaning at another size, or at this one.
pub fn resize(onnx: &[u8], width: u32, height: u32) -> Result<Cow<'_, [u8]>, NotResized> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(NotResized::Side { width, height });
    }
    let sides = [u64::from(height), u64::from(width)];
    let original = OnnxModel::parse(onnx)?;
    if has_size(image_input(&original.graph)?, sides) {
        return Ok(Cow::Borrowed(onnx));
    }
    let onnx = remove_initializer_inputs(onnx)?;
    let (mut model, _) = rewritable::decode(&onnx)?;
    let image = image_input(&model.graph)?;
    let (name, input) = (image.name.clone(), input_dims(image, sides)?);

    let followed = follow::follow(&model, &name, &input)?;
    check_declared(&model.graph, &followed.dims)?;
    let predicted: HashMap<String, Vec<u64>> = (followed.dims.iter())
        .map(|(name, dims)| ((*name).to_owned(), dim::resized(dims)))
        .collect();
    let edits = followed.edits;
    edits::apply(&mut model.graph, &edits);
    declare(&mut model.graph, &predicted);
    check_predicted(&model, &predicted)?;
    Ok(Cow::Owned(model.encode()))
}

/// Returns the one graph input that is not an initializer.
fn image_input(graph: &GraphProto) -> Result<&ValueInfoProto, NotResized> {
    let initializers: HashSet<&str> = (graph.initializer.iter())
        .map(|tensor| tensor.name.as_str())
        .collect();
    let mut inputs = (graph.input.iter()).filter(|info| !initializers.contains(info.name.as_str()));
    match (inputs.next(), inputs.count()) {
        (Some(image), 0) => Ok(image),
        (first, others) => Err(NotResized::Inputs {
            found: usize::from(first.is_some()) + others,
        }),
    }
}

/// Returns whether all dimensions of the input are declared, with that height and width.
fn has_size(image: &ValueInfoProto, sides: [u64; 2]) -> bool {
    let dims = dimensions(image).unwrap_or_default();
    let numbers: Option<Vec<u64>> = (dims.iter())
        .map(|dim| u64::try_from(dim.dim_value?).ok())
        .collect();
    numbers.is_some_and(|numbers| numbers.len() == 4 && numbers[2..] == sides)
}

fn dimensions(info: &ValueInfoProto) -> Option<&[DimensionProto]> {
    let shape = info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    Some(&shape.dim)
}

/// Returns the input's dimensions. An open side counts as if the file had the new size.
fn input_dims(image: &ValueInfoProto, [height, width]: [u64; 2]) -> Result<Vec<Dim>, NotResized> {
    let shape = declared_shape(image);
    match shape.as_deref() {
        Some(&[Some(batch), Some(channels), native_height, native_width]) => Ok(vec![
            Dim::fixed(batch),
            Dim::fixed(channels),
            Dim::spatial(native_height.unwrap_or(height), height),
            Dim::spatial(native_width.unwrap_or(width), width),
        ]),
        _ => Err(NotResized::NotAnImage {
            input: image.name.clone(),
            found: shape,
        }),
    }
}

/// Checks that the outputs, as inferred at the native size, have the shapes that the file declares.
fn check_declared(graph: &GraphProto, dims: &HashMap<&str, Vec<Dim>>) -> Result<(), NotResized> {
    for output in &graph.output {
        let Some(dims) = dims.get(output.name.as_str()) else {
            let output = output.name.clone();
            return Err(NotResized::UnknownOutput { output });
        };
        let Some(declared) = declared_shape(output) else {
            continue;
        };
        let inferred = dim::native(dims);
        let agree = |(&inferred, &declared): (&u64, &Option<u64>)| {
            declared.is_none_or(|declared| declared == inferred)
        };
        if inferred.len() != declared.len() || !inferred.iter().zip(&declared).all(agree) {
            return Err(NotResized::Declared {
                output: output.name.clone(),
                declared,
                inferred,
            });
        }
    }
    Ok(())
}

/// Writes the predicted shapes into the descriptions of inputs, outputs and values.
fn declare(graph: &mut GraphProto, predicted: &HashMap<String, Vec<u64>>) {
    graph
        .value_info
        .retain(|info| predicted.contains_key(&info.name));
    let described = (graph.input.iter_mut())
        .chain(&mut graph.output)
        .chain(&mut graph.value_info);
    for info in described {
        let tensor = info.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        let shape = tensor.and_then(|tensor| tensor.shape.as_mut());
        if let (Some(shape), Some(predicted)) = (shape, predicted.get(&info.name)) {
            let dimension = |&dim: &u64| DimensionProto {
                dim_value: i64::try_from(dim).ok(),
                dim_param: None,
            };
            shape.dim = predicted.iter().map(dimension).collect();
        }
    }
}

/// Checks that the shapes inferred from the rewritten graph are the predicted ones.
fn check_predicted(
    model: &OnnxModel,
    predicted: &HashMap<String, Vec<u64>>,
) -> Result<(), NotResized> {
    let mut inferred = InferredShapes::before_nodes(model);
    for node in &model.graph.node {
        inferred.visit(node, &HashMap::new());
        for output in &node.output {
            let Some(predicted) = predicted.get(output) else {
                continue;
            };
            if inferred.full_shape(output).as_ref() != Some(predicted) {
                return Err(NotResized::Prediction {
                    value: output.clone(),
                    predicted: predicted.clone(),
                    found: inferred.shape(output).cloned(),
                });
            }
        }
    }
    Ok(())
}
