#![no_main]

shuffledet_fuzz::fuzz!("import_ncnn");
