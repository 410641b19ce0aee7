//! Keeps weights as 16-bit floats, each with a Cast to 32 bits.
//!
//! The file is half as large, and every runtime reads it: the graph computes in 32 bits as before.
//! ONNX Runtime folds the Casts when it loads the file, and so does everything here that rewrites a
//! graph, so the model is as fast as before.

use std::collections::HashSet;

use half::f16;

use crate::proto::{AttributeProto, FLOAT, FLOAT16, NodeProto, TensorProto};
use crate::remove_initializer_inputs;
use crate::rewritable::{self, NotRewritable};

/// Returns the model with weights of 16 bits. Tensors of fewer than two axes, such as biases, stay
/// as they are, and so do those with a value that is too large for 16 bits (65,520 and more).
///
/// A weight changes by at most 1/2048 of its value, or by 2^-25 if it is below 2^-14. Weights that
/// were 16-bit floats once, as in networks of ncnn, do not change.
///
/// # Errors
/// The first part of the file that a rewritten one would lose.
pub fn halve(onnx: &[u8]) -> Result<Vec<u8>, NotRewritable> {
    let onnx = remove_initializer_inputs(onnx)?;
    let (mut model, _) = rewritable::decode(&onnx)?;
    let graph = &mut model.graph;
    let mut names: HashSet<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
    names.extend(graph.node.iter().flat_map(|node| node.output.clone()));
    let outputs: HashSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let mut casts = Vec::new();
    for tensor in &mut graph.initializer {
        let name = format!("{}/half", tensor.name);
        if outputs.contains(tensor.name.as_str()) || names.contains(&name) {
            continue;
        }
        if let Some(half) = halved(tensor, &name) {
            casts.push(NodeProto {
                op_type: "Cast".to_owned(),
                input: vec![name],
                output: vec![tensor.name.clone()],
                attribute: vec![AttributeProto::from_int("to", i64::from(FLOAT))],
                ..NodeProto::default()
            });
            *tensor = half;
        }
    }
    graph.node.splice(0..0, casts);
    Ok(model.encode())
}

/// Returns the tensor in 16 bits under another name; `None` if it is to stay as it is.
fn halved(tensor: &TensorProto, name: &str) -> Option<TensorProto> {
    let values = (tensor.dims.len() > 1).then(|| tensor.to_floats(usize::MAX))??;
    let values: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
    values
        .iter()
        .all(|value| value.is_finite())
        .then(|| TensorProto {
            name: name.to_owned(),
            dims: tensor.dims.clone(),
            data_type: FLOAT16,
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..TensorProto::default()
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::OnnxModel;
    use crate::test_graph::TestGraph;

    /// A convolution of two channels with those four weights.
    fn model(weights: &[f32; 4]) -> Vec<u8> {
        let mut graph = TestGraph::new(2);
        let conv = graph.conv("image", 2, 2);
        graph.output(&conv);
        let tensor = &mut graph.graph().initializer[0];
        *tensor = TensorProto::from_floats(tensor.name.clone(), &[2, 2, 1, 1], weights);
        graph.onnx()
    }

    fn weights(onnx: &[u8]) -> Vec<f32> {
        let (model, _) = rewritable::decode(onnx).unwrap();
        model.graph.initializer[0].to_floats(4).unwrap()
    }

    #[test]
    fn weights_have_16_bits_in_the_file_and_32_when_it_is_read_for_rewriting() {
        let before = model(&[0.5, -3.0, 0.0, 65_504.0]);
        let half = halve(&before).unwrap();
        let file = OnnxModel::parse(&half).unwrap().graph;
        let operators: Vec<&str> = file.node.iter().map(|node| &*node.op_type).collect();
        assert_eq!(operators, ["Cast", "Conv"]);
        assert_eq!(file.initializer[0].raw_data.len(), 8);
        // the bias
        assert_eq!(file.initializer[1].data_type, FLOAT);
        let (read, _) = rewritable::decode(&half).unwrap();
        assert_eq!(read, rewritable::decode(&before).unwrap().0);
        assert_eq!(halve(&half).unwrap(), half);
    }

    #[test]
    fn values_beyond_16_bits_stay() {
        for value in [65_520.0, f32::INFINITY, f32::NAN] {
            let before = model(&[1.0, 1.0, value, 1.0]);
            assert_eq!(halve(&before).unwrap(), before);
        }
    }

    #[test]
    fn a_constant_with_another_reader_keeps_its_cast() {
        let half = halve(&model(&[1.0; 4])).unwrap();
        for reader in ["output", "input", "node"] {
            let mut file = OnnxModel::parse(&half).unwrap();
            let name = file.graph.initializer[0].name.clone();
            match reader {
                "output" => file.graph.output[0].name = name,
                "input" => file.graph.input[0].name = name,
                _ => file.graph.node[1].input.push(name),
            }
            let expected = file.clone();
            let (read, _) = rewritable::decode(&file.encode()).unwrap();
            assert_eq!(read, expected, "{reader}");
        }
    }

    #[test]
    fn data_of_another_length_keep_their_cast() {
        let mut file = OnnxModel::parse(&halve(&model(&[1.0; 4])).unwrap()).unwrap();
        file.graph.initializer[0].raw_data.pop();
        let expected = file.clone();
        let (read, _) = rewritable::decode(&file.encode()).unwrap();
        assert_eq!(read, expected);
    }

    proptest! {
        #[test]
        fn a_weight_changes_by_at_most_a_2048th(value in -65_000f32..65_000.0, small in -1e-3f32..1e-3) {
            let before = [value, small, 1.0, 0.0];
            let after = weights(&halve(&model(&before)).unwrap());
            for (before, after) in before.into_iter().zip(after) {
                let bound = (before.abs() / 2048.0).max(2f32.powi(-25));
                prop_assert!((before - after).abs() <= bound, "{} {}", before, after);
            }
        }
    }
}
