//! ONNX graphs without ONNX Runtime: parsing, shapes, rewriting, and recognising ShuffleNet V2.
//!
//! An ONNX file is one protobuf message. [`OnnxModel::parse`] reads the parts needed for an
//! inspection. [`remove_initializer_inputs`] edits the encoded bytes and keeps unknown fields.
//! [`input_size`] rewrites a graph for another input size. [`layout`] arranges channels so that no
//! shuffles remain. [`ncnn`] makes an ONNX model from a network of ncnn. [`classes`] cuts the class
//! layer to some classes, [`half_weights`] keeps weights as 16-bit floats.
//!
//! Finds the ShuffleNet V2 units of a file:
//!
//! ```
//! # let Some(folder) = std::env::var_os("SHUFFLEDET_MODEL_DIR") else { return Ok(()) };
//! # std::env::set_current_dir(folder)?;
//! let bytes = std::fs::read("road.onnx")?;
//! let inspection = shuffledet_onnx::inspect::inspect(&bytes)?;
//! assert_eq!(inspection.shufflenet.stages.len(), 3);
//! println!("{}", inspection.shufflenet.conclusion);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod classes;
pub mod half_weights;
mod initializers;
pub mod input_size;
pub mod inspect;
pub mod interface;
pub mod layout;
pub mod ncnn;
pub mod proto;
mod rewritable;
mod shapes;
#[cfg(test)]
mod test_graph;
mod wide_weights;

use prost::Message;
use thiserror::Error;

pub use initializers::remove_initializer_inputs;
use proto::{GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// Why bytes are not a usable ONNX model.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum OnnxError {
    #[error(
        "not an ONNX model: expected a protobuf ModelProto, found bytes that do not decode as one \
         ({0}); give the .onnx file itself, whole"
    )]
    Malformed(#[from] prost::DecodeError),
    #[error(
        "not an ONNX model: expected a {expected}, found none; give the .onnx file itself, whole"
    )]
    Missing { expected: &'static str },
    #[error("damaged ONNX model: expected one graph, found several; export the model again")]
    SeveralGraphs,
    #[error(
        "the tensor `{tensor}` keeps its data in another file, which is not supported; save the \
         model as one file (Python: onnx.save(onnx.load(PATH), NEW_PATH))"
    )]
    ExternalData { tensor: String },
}

/// A decoded ONNX file.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxModel {
    /// The version of the file format, not of the operators.
    pub ir_version: i64,
    pub producer_name: String,
    pub producer_version: String,
    pub opset_import: Vec<OperatorSetIdProto>,
    /// What the exporter wrote about the model, in the file's order.
    pub metadata_props: Vec<StringStringEntryProto>,
    pub graph: GraphProto,
}

impl OnnxModel {
    /// Reads a model from the bytes of a `.onnx` file.
    ///
    /// Memory use stays within a constant multiple of the input size, whatever lengths the bytes
    /// claim.
    ///
    /// # Errors
    /// [`OnnxError::Malformed`] if the bytes are not a protobuf message of that form,
    /// [`OnnxError::Missing`] if they have no IR version or no graph.
    pub fn parse(bytes: &[u8]) -> Result<OnnxModel, OnnxError> {
        ModelProto::decode(bytes)?.try_into()
    }

    /// Returns the bytes of a `.onnx` file.
    pub fn encode(self) -> Vec<u8> {
        ModelProto {
            ir_version: Some(self.ir_version),
            producer_name: self.producer_name,
            producer_version: self.producer_version,
            graph: Some(self.graph),
            opset_import: self.opset_import,
            metadata_props: self.metadata_props,
            functions: Vec::new(),
        }
        .encode_to_vec()
    }
}

impl TryFrom<ModelProto> for OnnxModel {
    type Error = OnnxError;

    /// Fails with [`OnnxError::Missing`] without an IR version or a graph.
    fn try_from(model: ModelProto) -> Result<Self, OnnxError> {
        Ok(Self {
            ir_version: model.ir_version.ok_or(NO_IR_VERSION)?,
            producer_name: model.producer_name,
            producer_version: model.producer_version,
            opset_import: model.opset_import,
            metadata_props: model.metadata_props,
            graph: model.graph.ok_or(NO_GRAPH)?,
        })
    }
}

const NO_IR_VERSION: OnnxError = OnnxError::Missing {
    expected: "format version (ir_version)",
};
const NO_GRAPH: OnnxError = OnnxError::Missing { expected: "graph" };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_model_is_named() {
        for bytes in [
            &b"version https://git-lfs.github.com/spec/v1\n"[..],
            b"\xff\xd8\xff\xe0",
        ] {
            let error = OnnxModel::parse(bytes).unwrap_err();
            assert!(matches!(error, OnnxError::Malformed(_)), "{error}");
        }
        assert_eq!(OnnxModel::parse(b"").unwrap_err(), NO_IR_VERSION);
        assert_eq!(OnnxModel::parse(b"\x08\x07").unwrap_err(), NO_GRAPH);
    }

    #[test]
    fn a_length_beyond_the_file_is_refused() {
        // field 7, length 2^34
        let bytes = [0x3a, 0x80, 0x80, 0x80, 0x80, 0x40];
        assert!(matches!(
            OnnxModel::parse(&bytes),
            Err(OnnxError::Malformed(_))
        ));
    }

    proptest! {
        #[test]
        fn parse_takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = OnnxModel::parse(&bytes);
        }
    }
}
