//! Measures the range of a graph's values on pictures.

use std::collections::HashMap;

use shuffledet_core::InputSpec;
use shuffledet_infer::Provider;
use shuffledet_onnx::OnnxModel;
use shuffledet_onnx::proto::ValueInfoProto;

use super::QuantiseError;
use super::scale::Range;
use crate::export::session;

/// The share of a picture's values that a range leaves out at each end. Of 0, 1e-5 and 1e-4, this gave
/// NanoDet-Plus-m the highest AP on the 64 pictures of docs/performance.md.
const LEFT_OUT: f64 = 1e-4;

/// Returns the range of each value of `names` on the pictures, given as tensors of the model's input.
///
/// # Errors
/// The graph does not run with these values as outputs.
pub fn ranges(
    model: &OnnxModel,
    names: &[String],
    input: &InputSpec,
    pictures: impl Iterator<Item = Vec<f32>>,
) -> Result<HashMap<String, Range>, QuantiseError> {
    let mut observed = model.clone();
    // ONNX Runtime infers the shapes
    let output = |name: &String| ValueInfoProto::floats(name.clone(), None);
    observed.graph.output = names.iter().map(output).collect();
    observed.graph.value_info.clear();
    let mut opened = session::open(&observed.encode(), input, Provider::Cpu)?;
    let shape = [1, 3, input.height as usize, input.width as usize];
    let mut ranges = vec![Range::EMPTY; names.len()];
    for picture in pictures {
        let outputs = opened.session.run(shape, &picture)?;
        for (range, values) in ranges.iter_mut().zip(outputs.values()?) {
            *range = range.with(Range::of_most(values, LEFT_OUT));
        }
    }
    Ok(names.iter().cloned().zip(ranges).collect())
}
