//! What an ONNX graph holds, for `shuffledet models inspect`.
