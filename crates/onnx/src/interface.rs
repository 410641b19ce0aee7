//! What a file says about its inputs and outputs, and what the exporter wrote about the model.

use std::collections::{HashMap, HashSet};

use crate::proto::{FLOAT, NodeProto, ValueInfoProto};
use crate::shapes::InferredShapes;
use crate::{OnnxError, OnnxModel};

/// A model's inputs, outputs and metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Without inputs that are also initializers.
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    /// Texts by key, in the file's order.
    pub metadata: Vec<(String, String)>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub name: String,
    /// Whether it is a tensor of 32-bit floats.
    pub is_f32: bool,
    /// -1 for a dimension that is not known; `None` if the rank is not known.
    pub shape: Option<Vec<i64>>,
    /// Whether a part of it is the result of a Sigmoid or Softmax that was only copied, moved or
    /// joined with others since.
    pub has_probabilities: bool,
}

impl Interface {
    /// Reads the bytes of a `.onnx` file.
    ///
    /// # Errors
    /// The errors of [`OnnxModel::parse`].
    pub fn read(bytes: &[u8]) -> Result<Self, OnnxError> {
        let model = OnnxModel::parse(bytes)?;
        let graph = &model.graph;
        let shapes = InferredShapes::infer(&model);
        let initializers: HashSet<&str> = graph.initializer.iter().map(|t| &*t.name).collect();
        let outputs = graph.node.iter().flat_map(|node| {
            let names = node.output.iter().map(String::as_str);
            names.map(move |name| (name, node))
        });
        let producers: HashMap<&str, &NodeProto> = outputs.collect();
        let value = |info: &ValueInfoProto| {
            let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
            let declared = tensor.and_then(|t| t.shape.as_ref()).map(|shape| {
                let dims = shape.dim.iter().map(|dim| dim.dim_value.unwrap_or(-1));
                dims.map(|dim| if dim > 0 { dim } else { -1 }).collect()
            });
            Value {
                name: info.name.clone(),
                is_f32: tensor.is_some_and(|t| t.elem_type == FLOAT),
                shape: completed(declared, shapes.shape(&info.name)),
                has_probabilities: has_probabilities(&info.name, &producers),
            }
        };
        let inputs = graph.input.iter();
        Ok(Self {
            inputs: inputs
                .filter(|info| !initializers.contains(info.name.as_str()))
                .map(value)
                .collect(),
            outputs: graph.output.iter().map(value).collect(),
            metadata: (model.metadata_props.iter())
                .map(|entry| (entry.key.clone(), entry.value.clone()))
                .collect(),
        })
    }

    /// Returns the metadata of that key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let mut entries = self.metadata.iter();
        let (_, value) = entries.find(|(known, _)| known == key)?;
        Some(value)
    }
}

/// Fills in the dimensions that the file leaves open and the graph determines.
fn completed(declared: Option<Vec<i64>>, inferred: Option<&Vec<Option<u64>>>) -> Option<Vec<i64>> {
    let inferred = inferred.map(|shape| {
        shape
            .iter()
            .map(|dim| dim.and_then(|d| i64::try_from(d).ok()).unwrap_or(-1))
            .collect::<Vec<_>>()
    });
    match (declared, inferred) {
        (Some(declared), Some(inferred)) if declared.len() == inferred.len() => {
            let both = declared.into_iter().zip(inferred);
            Some(both.map(|(d, i)| if d == -1 { i } else { d }).collect())
        }
        (declared, inferred) => declared.or(inferred),
    }
}

fn has_probabilities(output: &str, producers: &HashMap<&str, &NodeProto>) -> bool {
    let mut seen = HashSet::new();
    let mut values = vec![output];
    while let Some(value) = values.pop() {
        let Some(node) = producers.get(value).filter(|_| seen.insert(value)) else {
            continue;
        };
        let inputs = node.input.iter().map(String::as_str);
        match node.op_type.as_str() {
            "Sigmoid" | "Softmax" | "HardSigmoid" => return true,
            "Concat" => values.extend(inputs),
            "Transpose" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" | "Identity"
            | "Slice" | "Split" | "Cast" => values.extend(inputs.take(1)),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::{GraphProto, ModelProto, StringStringEntryProto, TensorProto};
    use crate::test_graph::value;

    fn info(name: &str, shape: &[i64]) -> ValueInfoProto {
        value(name, Some(shape))
    }

    fn node(op_type: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: op_type.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    #[test]
    fn inputs_outputs_and_metadata_are_read() {
        let model = ModelProto {
            ir_version: Some(7),
            metadata_props: vec![StringStringEntryProto {
                key: "names".to_owned(),
                value: "{0: 'car'}".to_owned(),
            }],
            graph: Some(GraphProto {
                input: vec![info("image", &[0, 4]), info("weight", &[1])],
                initializer: vec![TensorProto::from_floats("weight".to_owned(), &[1], &[2.0])],
                node: vec![
                    node("Mul", &["image", "weight"], "scaled"),
                    node("Sigmoid", &["scaled"], "scores"),
                    node("Transpose", &["scores"], "moved"),
                    node("Concat", &["scaled", "moved"], "joined"),
                    node("Relu", &["scaled"], "logits"),
                ],
                output: vec![info("joined", &[0, 0]), info("logits", &[0, 0])],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let interface = Interface::read(&model.encode_to_vec()).unwrap();
        let [image] = interface.inputs.as_slice() else {
            panic!("{:?}", interface.inputs)
        };
        assert!(image.is_f32 && image.name == "image");
        assert_eq!(interface.metadata("names"), Some("{0: 'car'}"));
        assert_eq!(interface.metadata("stride"), None);
        let probable: Vec<_> = interface
            .outputs
            .iter()
            .map(|o| o.has_probabilities)
            .collect();
        assert_eq!(probable, [true, false]);
        // as wide as the image
        assert_eq!(interface.outputs[1].shape, Some(vec![1, 4]));
    }

    #[test]
    fn a_ring_of_nodes_has_an_end() {
        let model = ModelProto {
            ir_version: Some(7),
            graph: Some(GraphProto {
                node: vec![node("Identity", &["b"], "a"), node("Identity", &["a"], "b")],
                output: vec![info("a", &[1])],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let interface = Interface::read(&model.encode_to_vec()).unwrap();
        assert!(!interface.outputs[0].has_probabilities);
    }
}
