//! The parts of an ONNX file that shuffledet reads.
