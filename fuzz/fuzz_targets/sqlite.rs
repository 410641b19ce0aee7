#![no_main]

shuffledet_fuzz::fuzz!("sqlite");
