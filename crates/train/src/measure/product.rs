//! An exported model as the product runs it: its own letterbox, ONNX Runtime, decoder and suppression.

use std::path::Path;

use anyhow::Context;
use shuffledet_core::Detection;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::Config;
use shuffledet_detector::detect::Detector;
use shuffledet_image::BgrView;

use super::evaluate::{LEAST_SCORE, MOST_DETECTIONS};

/// A model, opened.
pub struct Product {
    detector: Detector,
}

impl Product {
    /// Opens an ONNX file with its description beside it, with the thresholds of an evaluation.
    ///
    /// # Errors
    /// The product refuses the model, or ONNX Runtime cannot be loaded.
    pub fn open(onnx: &Path) -> anyhow::Result<Self> {
        let name = onnx.to_str().context("the path is not UTF-8")?;
        let settings = [
            ("detector.score_threshold", LEAST_SCORE.to_string()),
            ("detector.max_detections", MOST_DETECTIONS.to_string()),
            ("model.input_size", "native".to_owned()),
        ];
        let settings: Vec<String> = settings
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let config = Config::load(None, Some(name), &settings)?;
        let loaded = LoadedModel::new(config)?;
        Ok(Self {
            detector: loaded.detector()?,
        })
    }

    /// Detects objects in a picture.
    ///
    /// # Errors
    /// Inference fails.
    pub fn detect(&mut self, picture: &BgrView<'_>) -> anyhow::Result<Vec<Detection>> {
        Ok(self.detector.detect(picture)?.to_vec())
    }
}
