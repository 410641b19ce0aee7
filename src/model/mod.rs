//! What a detector model is: manifest, file, graph, labels, output decoder.

pub mod inspect;
pub mod onnx;
