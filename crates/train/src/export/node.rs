//! Runs an exported model in the way in which `shuffledet` and its node run it: description and file
//! from the disk, letterbox, ONNX Runtime, decoder, suppression.

use std::path::Path;

use shuffledet_core::Detection;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::Config;
use shuffledet_detector::detect::Detector;
use shuffledet_image::Pixels;

/// A model as the node has it.
pub struct NodePath {
    detector: Detector,
}

impl NodePath {
    /// Loads the model at `onnx`, with its description beside it, at its own input size, on the CPU.
    /// Scores above `score_threshold` are found, and at most 100 objects in a picture.
    ///
    /// # Errors
    /// The product refuses the model.
    pub fn open(onnx: &Path, score_threshold: f32) -> anyhow::Result<Self> {
        // a name with a slash is a path
        let path = if onnx.is_absolute() {
            onnx.to_owned()
        } else {
            Path::new(".").join(onnx)
        };
        let settings = [
            "model.input_size=native".to_owned(),
            format!("detector.score_threshold={score_threshold}"),
            "detector.max_detections=100".to_owned(),
            "runtime.providers=[cpu]".to_owned(),
        ];
        let config = Config::load(None, Some(&path.display().to_string()), &settings)?;
        let detector = LoadedModel::new(config)?.detector()?;
        Ok(Self { detector })
    }

    /// Detects the objects of a picture, best first.
    ///
    /// # Errors
    /// The model fails or gives invalid numbers.
    pub fn detect<'a>(&mut self, picture: impl Into<Pixels<'a>>) -> anyhow::Result<&[Detection]> {
        Ok(self.detector.detect(picture)?)
    }
}
