//! A track as a frame shows it.

use shuffledet_core::BBox;
use shuffledet_track::{BoxFilter, Range, State, TimeToCollision, Track, TrackId};

/// A track at the time of a frame, or as long after it as its frame says.
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
    /// Where the object is, in the camera's optical frame, if the camera's calibration is known.
    pub range: Option<Range>,
    /// When it is reached, if it approaches for sure.
    pub time_to_collision: Option<TimeToCollision>,
}

impl TrackedObject {
    /// Returns the track without its range, as an image of this size shows it `ahead_s` seconds after
    /// the latest frame, where `filter` predicts it to be; `None` if it has left the picture.
    pub(super) fn new(
        id: TrackId,
        track: &Track,
        filter: &BoxFilter,
        ahead_s: f64,
        size: Option<(u32, u32)>,
    ) -> Option<Self> {
        let bbox = filter.centre_and_sides().bbox(0.0, 0.0);
        let bbox = match size {
            Some((width, height)) => bbox.clip(width as f32, height as f32),
            None => bbox,
        };
        let time_to_collision = track.time_to_collision().map(|found| TimeToCollision {
            seconds: (found.seconds - ahead_s).max(0.0),
            ..found
        });
        let shown = track.detection().is_some() || bbox.area() > 0.0;
        shown.then(|| Self {
            id,
            class_id: track.class_id(),
            score: track.score(),
            bbox,
            filter: *filter,
            state: track.state(),
            age_s: track.age_s() + ahead_s,
            unseen_s: track.unseen_s() + ahead_s,
            detection: track.detection(),
            range: None,
            time_to_collision,
        })
    }
}

#[cfg(test)]
impl TrackedObject {
    /// A track that the frame shows with its first detection, for the first time.
    pub(crate) fn fresh(id: TrackId, class_id: usize, bbox: BBox) -> Self {
        Self {
            id,
            class_id,
            score: 0.5,
            bbox,
            filter: BoxFilter::new(&bbox),
            state: State::Confirmed,
            age_s: 0.0,
            unseen_s: 0.0,
            detection: Some(0),
            range: None,
            time_to_collision: None,
        }
    }
}
