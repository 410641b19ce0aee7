#![no_main]

shuffledet_fuzz::fuzz!("parameter_yaml");
