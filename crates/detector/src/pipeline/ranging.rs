//! How far away the objects of one camera are.

use std::sync::Arc;

use super::{CameraMounting, Frame};
use shuffledet_core::BBox;
use shuffledet_track::box_filter::CentreAndSides;
use shuffledet_track::camera::CalibratedCamera;
use shuffledet_track::{ClassHeights, Horizon, Range, RangeFinder, Step};

/// Measures ranges while the calibration of the camera is known.
#[derive(Default)]
pub(super) struct CameraRanging {
    /// What the finder is for.
    camera: Option<Arc<CalibratedCamera>>,
    size: (u32, u32),
    mounting: CameraMounting,
    finder: Option<RangeFinder>,
}

/// The standard deviation of a pitch that was measured, for a vehicle that drives.
const GIVEN_PITCH_RAD: f64 = 0.008;

/// The standard deviation of a pitch whose horizon is shown, at most.
const MOST_PITCH_DEVIATION_RAD: f64 = 0.03;

impl CameraRanging {
    /// Forgets the finder, so that the next frame makes one with other settings.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Follows the calibration of a frame and learns the pitch from its boxes. `title` names the
    /// camera in the log.
    pub(super) fn see(
        &mut self,
        frame: &Frame,
        step: Step,
        mounting: CameraMounting,
        heights: &ClassHeights,
        title: &str,
    ) {
        let (Some(camera), Some(size)) = (&frame.calibration, frame.size) else {
            self.reset();
            return;
        };
        let is_same = self
            .camera
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, camera))
            && (self.size, self.mounting) == (size, mounting);
        if !is_same || step == Step::Restart {
            self.finder = finder(camera, size, mounting, heights)
                .inspect_err(|error| {
                    if !is_same {
                        tracing::warn!("{title}: no distances: {error}");
                    }
                })
                .ok();
            (self.camera, self.size, self.mounting) = (Some(Arc::clone(camera)), size, mounting);
        }
        if let Some(finder) = &mut self.finder
            && let Step::First | Step::Restart | Step::Forward(_) = step
        {
            let dt = match step {
                Step::Forward(dt) => dt,
                _ => 0.0,
            };
            let boxes = frame.detections.iter();
            finder.begin_frame(dt, boxes.map(|found| (found.class_id, &found.bbox)));
        }
    }

    /// Returns the row of the horizon in the middle of the image, in pixels; `None` without a
    /// calibration, or while the pitch is only guessed.
    pub(super) fn horizon_px(&self) -> Option<f64> {
        self.finder.as_ref()?.horizon_px(MOST_PITCH_DEVIATION_RAD)
    }

    /// Returns where an object is; `None` without a calibration, or if neither its size nor the
    /// ground says so.
    pub(super) fn range(
        &self,
        class_id: usize,
        bbox: &BBox,
        deviations: &CentreAndSides,
    ) -> Option<Range> {
        // an edge is off by the centre and by half of the side
        let across = deviations.x.hypot(deviations.width / 2.0);
        let along = deviations.y.hypot(deviations.height / 2.0);
        let finder = self.finder.as_ref()?;
        finder.range_of(class_id, bbox, across.max(along))
    }
}

fn finder(
    camera: &CalibratedCamera,
    (width, height): (u32, u32),
    mounting: CameraMounting,
    heights: &ClassHeights,
) -> Result<RangeFinder, shuffledet_track::camera::ImageSizeError> {
    let size = [width, height];
    let horizon = match mounting.pitch_rad {
        Some(pitch_rad) => Horizon::given(pitch_rad, GIVEN_PITCH_RAD),
        None => Horizon::unknown(),
    };
    Ok(RangeFinder::new(
        camera.intrinsics(size)?,
        size,
        mounting.height_m,
        heights.clone(),
        horizon,
    ))
}
