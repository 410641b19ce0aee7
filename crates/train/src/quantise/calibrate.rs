//! Measures the range of a graph's values on pictures.

use std::collections::HashMap;

use prost::Message;
use shuffledet_core::InputSpec;
use shuffledet_infer::Provider;
use shuffledet_onnx::OnnxModel;
use shuffledet_onnx::proto::{FLOAT, ModelProto, TensorTypeProto, TypeProto, ValueInfoProto};

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
    observed.graph.output = names.iter().map(|name| float(name)).collect();
    observed.graph.value_info.clear();
    let mut opened = session::open(&encode(observed), input, Provider::Cpu)?;
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

/// Encodes a model.
pub fn encode(model: OnnxModel) -> Vec<u8> {
    ModelProto {
        ir_version: Some(model.ir_version),
        producer_name: model.producer_name,
        producer_version: model.producer_version,
        graph: Some(model.graph),
        opset_import: model.opset_import,
        metadata_props: model.metadata_props,
        functions: Vec::new(),
    }
    .encode_to_vec()
}

/// Describes a value of floats whose shape ONNX Runtime infers.
fn float(name: &str) -> ValueInfoProto {
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: FLOAT,
                shape: None,
            }),
        }),
    }
}
