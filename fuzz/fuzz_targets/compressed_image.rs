#![no_main]

shuffledet_fuzz::fuzz!("compressed_image");
