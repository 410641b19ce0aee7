//! A detector on the CPU.

use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::detect::{Detector, DetectorSettings};
use shuffledet_detector::model::Model;
use shuffledet_infer::{Provider, Runtime, SessionOptions};

/// The thresholds are the model's own where none is given.
pub fn detector(model: &str, score: Option<f32>, nms_iou: Option<f32>) -> Detector {
    let runtime = Runtime::load().unwrap();
    let model = Model::load(model).unwrap();
    let thresholds = Thresholds {
        score,
        nms_iou,
        ..Thresholds::default()
    };
    let settings = DetectorSettings::new(&thresholds, &model.description).unwrap();
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        strict: true,
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    Detector::new(&runtime, &model, &options, settings).unwrap()
}
