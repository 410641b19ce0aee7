#![no_main]

shuffledet_fuzz::fuzz!("bag_metadata");
