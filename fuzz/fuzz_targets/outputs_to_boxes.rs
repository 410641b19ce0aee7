#![no_main]

shuffledet_fuzz::fuzz!("outputs_to_boxes");
