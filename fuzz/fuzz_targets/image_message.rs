#![no_main]

shuffledet_fuzz::fuzz!("image_message");
