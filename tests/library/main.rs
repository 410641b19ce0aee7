//! The libraries together, against independent implementations: bags, pictures, models, figures.

mod bag;
mod coco_figures;
mod encodings;
mod families;
mod golden;
mod input_size;
mod ncnn;
mod onnx;
mod providers;
mod sight;
mod track_figures;
