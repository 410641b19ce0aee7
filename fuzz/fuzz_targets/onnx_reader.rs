#![no_main]

shuffledet_fuzz::fuzz!("onnx_reader");
