//! Makes an ONNX model from a network of ncnn.
//!
//! Most detectors with ShuffleNet V2 are handed around for [ncnn](https://github.com/Tencent/ncnn):
//! a `.param` file with the layers and a `.bin` file with the weights. [`import`] writes each layer
//! as the ONNX operators that PyTorch's exporter would, so that
//! [`inspect`](crate::inspect) and [`layout`](crate::layout) recognise the network. Weights of 16
//! bits are widened; the same files give the same bytes every time.
//!
//! ```
//! let param = "7767517\n2 2\nInput in 0 1 in\nReLU act 1 1 in out\n";
//! let size = shuffledet_onnx::ncnn::InputSize { width: 32, height: 32 };
//! let onnx = shuffledet_onnx::ncnn::import(param.as_bytes(), &[], Some(size))?;
//! let model = shuffledet_onnx::OnnxModel::parse(&onnx)?;
//! assert_eq!(model.graph.output[0].name, "out");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod layers;
mod network;
mod param;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::{HashMap, HashSet};

use prost::Message;

pub use error::{ImportError, LayerLabel};
use network::{Blob, Network};
use param::{Layer, Number, Value};
use weights::WeightReader;

/// Bounds of the files.
const MAX_PARAM: usize = 16 << 20;
const MAX_BIN: usize = 1 << 30;

/// Height and width of an input at most.
const MAX_SIDE: u32 = 4096;

/// The size of a network's input in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    pub width: u32,
    pub height: u32,
}

/// Returns the ONNX model of a network, from the contents of its `.param` and `.bin` files. All
/// shapes are fixed: `size` is the size of the input, by default the one that the `.param` file
/// gives. Outputs are the blobs that no layer reads, in the order of the layers.
///
/// # Errors
/// [`ImportError`] names the first layer that cannot be imported, with its line: the type, a
/// parameter or a shape is not supported, or weights are missing. Damaged files are refused in the
/// same way.
pub fn import(param: &[u8], bin: &[u8], size: Option<InputSize>) -> Result<Vec<u8>, ImportError> {
    for (file, limit, found) in [
        (".param", MAX_PARAM, param.len()),
        (".bin", MAX_BIN, bin.len()),
    ] {
        if found > limit {
            return Err(ImportError::TooLarge { file, limit, found });
        }
    }
    let layers = param::parse(&String::from_utf8_lossy(param))?;
    let inputs = layers.iter().filter(|layer| layer.label.kind == "Input");
    let (inputs, last) = (inputs.count(), layers[layers.len() - 1].label.clone());
    if inputs != 1 {
        let found = inputs.to_string();
        return Err(wrong(last, "inputs of the network", "one", &found));
    }
    let names = |blobs: fn(&Layer) -> &Vec<String>| -> HashSet<String> {
        layers.iter().flat_map(blobs).cloned().collect()
    };
    let read = names(|layer| &layer.bottoms);
    let mut network = Network::new(names(|layer| &layer.tops));
    let mut weights = WeightReader::new(bin);
    let mut blobs: HashMap<String, Blob> = HashMap::new();
    let mut outputs = Vec::new();
    for layer in layers {
        let tops = layer.tops.clone();
        let label = layer.label.clone();
        let [first, ..] = tops.as_slice() else {
            return Err(wrong(label, "top blobs", "1 or more", "none"));
        };
        if label.kind == "Input" {
            let shape = input_shape(layer, size)?;
            blobs.insert(first.clone(), network.input(first, shape));
            continue;
        }
        let bottoms = layer
            .bottoms
            .iter()
            .map(|name| blobs[name].clone())
            .collect();
        network.begin_layer(first);
        let converted = layers::convert(layer, bottoms, &mut network, &mut weights)?;
        for (name, blob) in tops.into_iter().zip(converted) {
            let blob = network.name_top(&name, blob);
            if !read.contains(&name) {
                outputs.push(name.clone());
            }
            blobs.insert(name, blob);
        }
    }
    weights.finish()?;
    if outputs.is_empty() {
        return Err(wrong(last, "outputs of the network", "1 or more", "none"));
    }
    for name in outputs {
        network.output(&name, &blobs[&name]);
    }
    Ok(network.into_model().encode_to_vec())
}

/// Returns the shape of the input: channels, height and width.
fn input_shape(mut layer: Layer, size: Option<InputSize>) -> Result<Vec<usize>, ImportError> {
    let label = layer.label;
    if layer.tops.len() != 1 || !layer.bottoms.is_empty() {
        return Err(wrong(label, "blobs", "one top blob", "others"));
    }
    let mut side = |key| match layer.values.remove(&key) {
        None => Ok(0),
        Some(Value::One(Number::Int(side @ 0..=4096))) => Ok(side as usize),
        Some(_) => Err(wrong(
            label.clone(),
            "size",
            "0 (not given) to 4096",
            "another value",
        )),
    };
    let (width, height, channels) = (side(0)?, side(1)?, side(2)?);
    let depth = side(11)?;
    // hints on shape and precision
    layer.values.retain(|key, _| ![30, 31].contains(key));
    if depth != 0 || !layer.values.is_empty() {
        let found = "a depth or other parameters";
        return Err(wrong(
            label,
            "parameters",
            "width, height and channels",
            found,
        ));
    }
    let (width, height) = match size {
        Some(InputSize { width, height }) => (width as usize, height as usize),
        None => (width, height),
    };
    if width == 0 || height == 0 {
        return Err(ImportError::NoInputSize {
            layer: label.into(),
        });
    }
    let limit = MAX_SIDE as usize;
    if width.max(height) > limit {
        let found = format!("{width}x{height}");
        return Err(wrong(
            label,
            "size",
            &format!("at most {limit}x{limit}"),
            &found,
        ));
    }
    // colour, if the file does not say
    let channels = if channels == 0 { 3 } else { channels };
    Ok(vec![channels, height, width])
}

fn wrong(layer: LayerLabel, what: &str, expected: &str, found: &str) -> ImportError {
    ImportError::Layer {
        layer: layer.into(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
