#![no_main]

shuffledet_fuzz::fuzz!("class_map");
