//! A picture at several input sizes, each also as its mirror image, with the boxes of all of them
//! joined. Slower by far than one run, and more often right: for labels, not for a vehicle.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::fusion::BoxFusion;
use super::nms::Suppressor;
use super::{DetectError, Detector, DetectorSettings, InputUse, ObjectGroups};
use shuffledet_core::{BBox, Detection, Regions};
use shuffledet_image::{BgrView, Mirror};

/// The input sizes as factors of the model's own sides, in the order of the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales(Vec<f64>);

/// A text is not a list of scales.
#[derive(Debug, Error, PartialEq)]
pub enum ScalesError {
    #[error("expected numbers separated by commas, such as 1,1.54,2, found {0:?}")]
    Number(String),
    #[error("expected 1 to {most} scales, found {found}", most = Scales::MOST)]
    Count { found: usize },
    #[error(
        "expected each scale once, from {} to {}, found {found}",
        Scales::SMALLEST,
        Scales::LARGEST
    )]
    Scale { found: f64 },
}

impl Scales {
    /// The greatest number of scales.
    pub const MOST: usize = 8;
    /// The smallest scale.
    pub const SMALLEST: f64 = 0.25;
    /// The largest scale.
    pub const LARGEST: f64 = 4.0;

    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }
}

impl Default for Scales {
    /// Returns the scales at which a model of 416x416 runs at 416, 640 and 832.
    fn default() -> Self {
        Self(vec![1.0, 1.54, 2.0])
    }
}

impl FromStr for Scales {
    type Err = ScalesError;

    fn from_str(text: &str) -> Result<Self, ScalesError> {
        let number = |part: &str| part.trim().parse::<f64>();
        let scales: Result<Vec<f64>, _> = text.split(',').map(number).collect();
        let scales = scales.map_err(|_| ScalesError::Number(text.to_owned()))?;
        if scales.len() > Self::MOST {
            let found = scales.len();
            return Err(ScalesError::Count { found });
        }
        for (at, &found) in scales.iter().enumerate() {
            let within = (Self::SMALLEST..=Self::LARGEST).contains(&found);
            if !within || scales[..at].contains(&found) {
                return Err(ScalesError::Scale { found });
            }
        }
        Ok(Self(scales))
    }
}

impl fmt::Display for Scales {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scales: Vec<_> = self.0.iter().map(f64::to_string).collect();
        f.pad(&scales.join(","))
    }
}

/// The lowest score of a box that a view may contribute: below it there are many boxes, and each
/// adds at most this much to a fused score.
const LEAST_SCORE: f32 = 0.05;

/// The maximum number of boxes of a view.
const MOST_BOXES: usize = 300;

impl DetectorSettings {
    /// Returns the settings of a view: the selected classes with low scores, each class by itself.
    pub fn for_views(&self) -> Self {
        let mut settings = self.with_score(LEAST_SCORE);
        settings.max_detections = MOST_BOXES;
        settings.groups = ObjectGroups::default();
        settings
    }
}

/// Detects objects in one picture at a time, in views of several sizes.
pub struct MultiScaleDetector {
    /// One for each scale, with the settings of views.
    detectors: Vec<Detector>,
    /// Of the fused boxes.
    settings: DetectorSettings,
    mirror: Mirror,
    fusion: BoxFusion,
    suppressor: Suppressor,
    inputs: Vec<InputUse>,
    found: Vec<Detection>,
}

impl MultiScaleDetector {
    /// Joins the boxes of `detectors`, one for each scale, which have the settings
    /// [`DetectorSettings::for_views`]. `settings` apply to the joined boxes.
    pub fn new(detectors: Vec<Detector>, settings: DetectorSettings) -> Self {
        Self {
            detectors,
            settings,
            mirror: Mirror::default(),
            fusion: BoxFusion::default(),
            suppressor: Suppressor::default(),
            inputs: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Detects objects in `regions` of `image`, at each scale and in the mirror image. Returns the
    /// fused boxes at or above the score threshold of their class, the highest score first.
    ///
    /// # Errors
    /// The same as of [`Detector::detect_in`], for any view.
    pub fn detect(
        &mut self,
        image: &BgrView<'_>,
        regions: &Regions,
    ) -> Result<&[Detection], DetectError> {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let mirrored = self.mirror.mirrored(image)?;
        self.fusion.begin();
        self.inputs.clear();
        for (at, detector) in self.detectors.iter_mut().enumerate() {
            for &found in detector.detect_in(image, regions)? {
                self.fusion.add(2 * at, found);
            }
            self.inputs.extend(detector.inputs());
            for &found in detector.detect_in(&mirrored, &regions.mirrored())? {
                let bbox = BBox {
                    x1: width - found.bbox.x2,
                    x2: width - found.bbox.x1,
                    ..found.bbox
                };
                self.fusion.add(2 * at + 1, Detection { bbox, ..found });
            }
            self.inputs.extend(detector.inputs());
        }
        let Self {
            settings, found, ..
        } = self;
        self.fusion.fuse(2 * self.detectors.len(), found);
        self.suppressor
            .suppress(found, settings.nms_iou_threshold, &settings.groups);
        found.retain_mut(|found| {
            // a mean of clipped boxes lies within the picture, but for rounding
            found.bbox = found.bbox.clip(width, height);
            found.score >= settings.threshold(found.class_id)
        });
        found.truncate(settings.max_detections);
        Ok(found)
    }

    /// Returns the input size of each run for the last picture, in their order.
    pub fn inputs(&self) -> &[InputUse] {
        &self.inputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_read_as_they_print() {
        for text in ["1", "1,1.54,2", "0.25,4"] {
            assert_eq!(text.parse::<Scales>().unwrap().to_string(), text);
        }
        assert_eq!("1, 1.54, 2".parse(), Ok(Scales::default()));
    }

    #[test]
    fn wrong_scales_are_named() {
        let error = |text: &str| text.parse::<Scales>().unwrap_err().to_string();
        assert!(error("").contains("such as 1,1.54,2, found \"\""));
        assert!(error("1,x").contains("found \"1,x\""));
        assert!(error("1,2,3,0.5,0.6,0.7,0.8,0.9,1.1").contains("found 9"));
        assert!(error("1,1").contains("each scale once"));
        for wrong in ["0.2", "5", "NaN", "inf", "-1"] {
            assert!(error(wrong).contains("from 0.25 to 4"), "{wrong}");
        }
    }
}
