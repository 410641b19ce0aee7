//! From a network's outputs to the detections of a picture.

use super::nms::Suppressor;
use super::{DetectorSettings, ObjectGroups, Placement};
use crate::model::OutputDecoder;
use shuffledet_core::{BBox, Detection};
use shuffledet_infer::{InferError, Outputs};

/// Collects the boxes of a picture, from one run of a network or several, and keeps the best.
pub struct OutputReader {
    settings: DetectorSettings,
    /// In pixels of the network's input.
    decoded: Vec<Detection>,
    /// In pixels of the picture, from here on.
    whole: Vec<Detection>,
    /// Those that the edge of a region cuts.
    cut: Vec<Detection>,
    suppressor: Suppressor,
}

/// The share of a cut box within a whole box of its class or group above which both are one object.
const SAME_OBJECT: f32 = 0.5;

impl OutputReader {
    pub fn new(settings: DetectorSettings) -> Self {
        Self {
            settings,
            decoded: Vec::new(),
            whole: Vec::new(),
            cut: Vec::new(),
            suppressor: Suppressor::default(),
        }
    }

    /// Applies new settings from the next picture on.
    pub fn set_settings(&mut self, settings: &DetectorSettings) {
        self.settings.clone_from(settings);
    }

    /// Begins a picture.
    pub fn begin(&mut self) {
        self.whole.clear();
        self.cut.clear();
    }

    /// Returns the detections of the last [`OutputReader::suppress`].
    pub fn detections(&self) -> &[Detection] {
        &self.whole
    }

    /// Adds the boxes of a run above the threshold of their class.
    ///
    /// # Errors
    /// The outputs have an invalid value. Their boxes are not added.
    pub fn read(
        &mut self,
        outputs: &Outputs<'_>,
        decoder: &OutputDecoder,
        placement: &Placement,
    ) -> Result<(), InferError> {
        let settings = &self.settings;
        let threshold = |class_id: usize| settings.threshold(class_id);
        self.decoded.clear();
        let least = settings.least_threshold();
        decoder.decode(&outputs.values()?, least, threshold, &mut self.decoded)?;
        for detection in self.decoded.drain(..) {
            let (bbox, is_cut) = placement.to_picture(detection.bbox);
            let list = if is_cut {
                &mut self.cut
            } else {
                &mut self.whole
            };
            list.push(Detection { bbox, ..detection });
        }
        Ok(())
    }

    /// Keeps the best of overlapping boxes, clipped to a picture of `picture` (width, height).
    /// Removes boxes outside it. `clips_first`: see
    /// [`OutputDecoder::clips_before_suppression`].
    pub fn suppress(&mut self, picture: (u32, u32), clips_first: bool) -> &[Detection] {
        let clip = |bbox: BBox| bbox.clip(picture.0 as f32, picture.1 as f32);
        if clips_first {
            for detection in self.whole.iter_mut().chain(&mut self.cut) {
                detection.bbox = clip(detection.bbox);
            }
        }
        let (iou_threshold, groups) = (self.settings.nms_iou_threshold, &self.settings.groups);
        for boxes in [&mut self.whole, &mut self.cut] {
            self.suppressor.suppress(boxes, iou_threshold, groups);
        }
        join(&mut self.whole, &mut self.cut, iou_threshold, groups);
        let clips = self.settings.clip;
        self.whole.retain_mut(|detection| {
            let clipped = clip(detection.bbox);
            if clips {
                detection.bbox = clipped;
            }
            clipped.area() > 0.0
        });
        // truncated last, so that boxes outside the image do not count
        self.whole.truncate(self.settings.max_detections);
        &self.whole
    }
}

/// Moves to `whole` the boxes of `cut` that are not part of a whole box. Both are sorted by score,
/// and so is the result.
///
/// A cut box shows a part of an object, often with a higher score than another region that shows
/// all of it. The overlap of a part with the whole is small by IoU, so the share of the cut box
/// that lies in the whole one decides. Cut boxes that no region shows whole remain, also the two
/// parts of an object at a seam. The class of a part is no hypothesis of the whole.
fn join(
    whole: &mut Vec<Detection>,
    cut: &mut Vec<Detection>,
    iou_threshold: f32,
    groups: &ObjectGroups,
) {
    let count = whole.len();
    cut.retain(|part| {
        !whole[..count].iter().any(|one| {
            groups.same_object(one.class_id, part.class_id)
                && (one.bbox.share_of(&part.bbox) > SAME_OBJECT
                    || one.bbox.iou(&part.bbox) > iou_threshold)
        })
    });
    for part in cut.drain(..) {
        let after = whole.partition_point(|one| one.score >= part.score);
        whole.insert(after, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detection(class_id: usize, score: f32, [x1, y1, x2, y2]: [f32; 4]) -> Detection {
        Detection::new(class_id, score, BBox { x1, y1, x2, y2 })
    }

    fn joined(whole: &[Detection], cut: &[Detection]) -> Vec<Detection> {
        let (mut whole, mut cut) = (whole.to_vec(), cut.to_vec());
        join(&mut whole, &mut cut, 0.6, &ObjectGroups::default());
        whole
    }

    #[test]
    fn a_part_loses_against_the_whole_even_with_a_higher_score() {
        let whole = detection(2, 0.4, [100.0, 0.0, 300.0, 100.0]);
        let part = detection(2, 0.9, [100.0, 2.0, 160.0, 98.0]);
        assert_eq!(joined(&[whole], &[part]), [whole]);
        // another class, or beside it
        let other = detection(7, 0.9, [100.0, 2.0, 160.0, 98.0]);
        assert_eq!(joined(&[whole], &[other]), [other, whole]);
        let beside = detection(2, 0.2, [290.0, 0.0, 400.0, 100.0]);
        assert_eq!(joined(&[whole], &[beside]), [whole, beside]);
    }

    #[test]
    fn what_no_region_shows_whole_remains() {
        let left = detection(2, 0.8, [100.0, 0.0, 200.0, 100.0]);
        let right = detection(2, 0.7, [200.0, 0.0, 300.0, 100.0]);
        assert_eq!(joined(&[], &[left, right]), [left, right]);
    }

    proptest! {
        #[test]
        fn the_result_is_sorted_and_keeps_every_whole_box(
            scores in prop::collection::vec((0u8..4, 0f32..1.0, 0f32..200.0, prop::bool::ANY), 0..40),
        ) {
            let mut sorted: Vec<_> = scores.iter()
                .map(|&(class, score, x, cut)| (cut, detection(class.into(), score, [x, 0.0, x + 20.0, 20.0])))
                .collect();
            sorted.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
            let boxes = |wanted: bool| {
                let chosen = sorted.iter().filter(|(cut, _)| *cut == wanted);
                chosen.map(|&(_, detection)| detection).collect::<Vec<_>>()
            };
            let (whole, cut) = (boxes(false), boxes(true));
            let all = joined(&whole, &cut);
            prop_assert!(all.is_sorted_by(|a, b| a.score >= b.score));
            prop_assert!(whole.iter().all(|one| all.contains(one)));
            prop_assert!(all.len() <= whole.len() + cut.len());
        }
    }
}
