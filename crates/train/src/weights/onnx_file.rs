//! Takes the weights of an ONNX file whose network is one of these.
//!
//! Exporters write convolutions in the order in which the network computes them. So the file's
//! convolutions are those of the network in turn, and each must have the same shape. Their norms are
//! folded: the network gets norms that compute nothing but the bias.

use std::collections::HashMap;

use half::f16;
use shuffledet_onnx::OnnxModel;
use shuffledet_onnx::proto::{FLOAT, FLOAT16, NodeProto, TensorProto};
use tch::{Kind, Tensor};
use thiserror::Error;

use super::pth::Tensors;
use crate::net::{Conv, EPSILON, Linear, Network, Offset, Pass};

/// The most elements of one tensor.
const MOST_ELEMENTS: usize = 1 << 28;

/// A file has not the layers of the network.
#[derive(Debug, Error, PartialEq)]
pub enum OnnxFileError {
    #[error(transparent)]
    Onnx(#[from] shuffledet_onnx::OnnxError),
    #[error("expected {expected} convolutions and fully connected layers, found {found}")]
    Count { expected: usize, found: usize },
    #[error("layer {number}, {layer}: expected weights of {expected:?}, found {found:?}")]
    Shape {
        number: usize,
        layer: String,
        expected: Vec<i64>,
        found: Vec<i64>,
    },
    #[error(
        "layer {number}, {layer}: expected weights and bias as constants of floats in the file"
    )]
    NotConstant { number: usize, layer: String },
}

/// Returns the values of the network's variables from the bytes of a file.
///
/// # Errors
/// The first layer that differs.
pub fn read(onnx: &[u8], network: &Network) -> Result<Tensors, OnnxFileError> {
    let model = OnnxModel::parse(onnx)?;
    let constants = Constants::new(&model);
    let nodes = model.graph.node.iter();
    let layers: Vec<&NodeProto> = nodes
        .filter(|node| node.is("Conv") || node.is("Gemm"))
        .collect();
    let mut expected = LayerList::default();
    network.run(&mut expected, &());
    let expected = expected.layers;
    if layers.len() != expected.len() {
        return Err(OnnxFileError::Count {
            expected: expected.len(),
            found: layers.len(),
        });
    }
    let mut tensors = HashMap::new();
    for (number, (node, layer)) in layers.into_iter().zip(expected).enumerate() {
        let constant = |input: usize| {
            let tensor = node
                .input_name(input)
                .and_then(|name| constants.tensor(name));
            tensor.ok_or_else(|| OnnxFileError::NotConstant {
                number: number + 1,
                layer: layer.name.clone(),
            })
        };
        let weight = constant(1)?;
        let bias = match node.input_name(2) {
            Some(_) => constant(2)?,
            None => Tensor::zeros([layer.shape[0]], (Kind::Float, tch::Device::Cpu)),
        };
        if weight.size() != layer.shape || bias.size() != layer.shape[..1] {
            return Err(OnnxFileError::Shape {
                number: number + 1,
                layer: layer.name,
                expected: layer.shape,
                found: weight.size(),
            });
        }
        let name = |part: &str| format!("{}.{part}", layer.name);
        if layer.has_norm {
            let one = bias.ones_like();
            tensors.insert(name("norm.weight"), &one * (1.0 + EPSILON).sqrt());
            tensors.insert(name("norm.bias"), bias);
            tensors.insert(name("norm.running_mean"), one.zeros_like());
            tensors.insert(name("norm.running_var"), one);
        } else {
            tensors.insert(name("bias"), bias);
        }
        tensors.insert(name("weight"), weight);
    }
    Ok(tensors)
}

/// A layer with weights.
struct Layer {
    name: String,
    shape: Vec<i64>,
    has_norm: bool,
}

/// The pass that lists the layers with weights.
#[derive(Default)]
struct LayerList {
    layers: Vec<Layer>,
}

impl Pass for LayerList {
    type Value = ();

    fn conv(&mut self, (): &(), layer: &Conv) {
        self.layers.push(Layer {
            name: layer.name.clone(),
            shape: layer.weight.size(),
            has_norm: matches!(layer.offset, Offset::Norm(_)),
        });
    }

    fn linear(&mut self, (): &(), layer: &Linear) {
        self.layers.push(Layer {
            name: layer.name.clone(),
            shape: layer.weight.size(),
            has_norm: false,
        });
    }

    fn max_pool(&mut self, (): &()) {}
    fn average_pool(&mut self, (): &()) {}
    fn mean(&mut self, (): &()) {}
    fn double_nearest(&mut self, (): &()) {}
    fn double_linear(&mut self, (): &()) {}
    fn relu(&mut self, (): &()) {}
    fn add(&mut self, (): &(), (): &()) {}
    fn join(&mut self, _: &[&()]) {}
    fn interleave(&mut self, (): &(), (): &()) {}
    fn halves(&mut self, (): &()) -> [(); 2] {
        [(), ()]
    }
    fn alternate(&mut self, (): &()) -> [(); 2] {
        [(), ()]
    }
}

/// The constants of a file, also those of 16 bits behind a Cast to 32.
struct Constants<'a> {
    tensors: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Constants<'a> {
    fn new(model: &'a OnnxModel) -> Self {
        let mut tensors: HashMap<&str, &TensorProto> = (model.graph.initializer.iter())
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        for node in &model.graph.node {
            let is_cast = node.is("Cast") && node.int("to", 0) == i64::from(FLOAT);
            let constant = node
                .input_name(0)
                .and_then(|name| tensors.get(name).copied());
            if let (true, Some(constant), [output]) = (is_cast, constant, node.output.as_slice()) {
                tensors.insert(output, constant);
            }
        }
        Self { tensors }
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        let constant = self.tensors.get(name)?;
        let values = match constant.data_type {
            FLOAT16 => {
                let (chunks, _) = constant.raw_data.as_chunks::<2>();
                let values = chunks
                    .iter()
                    .map(|chunk| f16::from_le_bytes(*chunk).to_f32());
                let values: Vec<f32> = values.collect();
                (constant.elements()? == values.len() as u64).then_some(values)?
            }
            _ => constant.to_floats(MOST_ELEMENTS)?,
        };
        (!constant.dims.is_empty()).then(|| Tensor::from_slice(&values).view(&*constant.dims))
    }
}
