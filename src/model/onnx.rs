//! The parts of an ONNX file that shuffledet reads.

#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct OnnxError;
pub fn prepare(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, OnnxError> {
    Ok(bytes.into())
}
