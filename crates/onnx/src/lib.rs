//! The parts of an ONNX file that shuffledet reads, and the form in which ONNX Runtime gets it.
//!
//! An ONNX file is one protobuf message. [`Model::parse`] reads what an inspection needs;
//! [`prepare()`] edits the encoded bytes, so that everything unknown here stays as it was.

mod prepare;
pub mod proto;

use prost::Message;
use thiserror::Error;

pub use prepare::prepare;
use proto::{GraphProto, ModelProto, OperatorSetIdProto};

/// Why bytes are not an ONNX model that can be used.
#[derive(Debug, Error, PartialEq)]
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
pub struct Model {
    /// The version of the file format, not of the operators.
    pub ir_version: i64,
    pub producer_name: String,
    pub producer_version: String,
    pub opset_import: Vec<OperatorSetIdProto>,
    pub graph: GraphProto,
}

impl Model {
    /// Reads a model from the bytes of a `.onnx` file.
    ///
    /// Memory stays within a constant multiple of the input, whatever the bytes claim.
    ///
    /// # Errors
    /// [`OnnxError::Malformed`] where the bytes are no protobuf message of that form,
    /// [`OnnxError::Missing`] where they have no IR version or no graph.
    pub fn parse(bytes: &[u8]) -> Result<Model, OnnxError> {
        let model = ModelProto::decode(bytes)?;
        Ok(Model {
            ir_version: model.ir_version.ok_or(NO_IR_VERSION)?,
            producer_name: model.producer_name,
            producer_version: model.producer_version,
            opset_import: model.opset_import,
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
            let error = Model::parse(bytes).unwrap_err();
            assert!(matches!(error, OnnxError::Malformed(_)), "{error}");
        }
        assert_eq!(Model::parse(b"").unwrap_err(), NO_IR_VERSION);
        assert_eq!(Model::parse(b"\x08\x07").unwrap_err(), NO_GRAPH);
    }

    #[test]
    fn a_length_beyond_the_file_is_refused() {
        // field 7, length 2^34
        let bytes = [0x3a, 0x80, 0x80, 0x80, 0x80, 0x40];
        assert!(matches!(Model::parse(&bytes), Err(OnnxError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn parse_takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = Model::parse(&bytes);
        }
    }
}
