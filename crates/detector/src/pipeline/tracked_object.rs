//! A track as a frame shows it.

use shuffledet_core::BBox;
use shuffledet_track::{BoxFilter, State, Track, TrackId};

/// A track at the time of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedObject {
    pub id: TrackId,
    /// The class by votes over time.
    pub class_id: usize,
    /// The score of the latest box, in [0, 1].
    pub score: f32,
    /// The filtered box, or the predicted one, in pixels of the image and clipped to it.
    pub bbox: BBox,
    /// The box before it is clipped, with its rates and uncertainty.
    pub filter: BoxFilter,
    pub state: State,
    /// Seconds since the first box.
    pub age_s: f64,
    /// Seconds since the latest box.
    pub unseen_s: f64,
    /// The index of its box among the frame's detections.
    pub detection: Option<usize>,
}

impl TrackedObject {
    /// Returns the track as a frame of this size shows it; `None` if it has left the picture.
    pub(super) fn new(id: TrackId, track: &Track, size: Option<(u32, u32)>) -> Option<Self> {
        let bbox = match size {
            Some((width, height)) => track.bbox().clip(width as f32, height as f32),
            None => track.bbox(),
        };
        let shown = track.detection().is_some() || bbox.area() > 0.0;
        shown.then(|| Self {
            id,
            class_id: track.class_id(),
            score: track.score(),
            bbox,
            filter: *track.filter(),
            state: track.state(),
            age_s: track.age_s(),
            unseen_s: track.unseen_s(),
            detection: track.detection(),
        })
    }
}
