//! One track.

use shuffledet_core::{BBox, Detection};

use crate::box_filter::BoxFilter;
use crate::calibration::{AHEAD_S, Calibration};
use crate::class_votes::ClassVotes;
use crate::time_to_collision::{HeightHistory, TimeToCollision};
use crate::{CameraMotion, TrackId};

/// Whether the latest frame shows the object of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The latest frame has a box of it.
    Confirmed,
    /// The latest frame has none; the box is a prediction.
    Coasting,
}

impl State {
    /// Returns the name in messages and files.
    pub fn name(self) -> &'static str {
        match self {
            State::Confirmed => "confirmed",
            State::Coasting => "coasting",
        }
    }
}

/// The time in which the votes for a class halve, in seconds.
const VOTES_HALVE_S: f64 = 2.0;

/// An object over time.
#[derive(Debug, Clone)]
pub struct Track {
    /// `None` until the track is confirmed.
    pub(crate) id: Option<TrackId>,
    pub(crate) filter: BoxFilter,
    /// A prediction of the filter from some time ago, and how many seconds it is ahead.
    pub(crate) ahead: BoxFilter,
    pub(crate) ahead_s: f64,
    pub(crate) votes: ClassVotes,
    /// The logarithm of the odds that the object exists.
    pub(crate) odds: f64,
    pub(crate) first_score: f32,
    pub(crate) score: f32,
    pub(crate) age_s: f64,
    /// Seconds since the latest box.
    pub(crate) unseen_s: f64,
    /// The index of the box in the latest frame.
    pub(crate) detection: Option<usize>,
    /// The heights of boxes that show the whole object, and the seconds since the latest one.
    heights: HeightHistory,
    height_age_s: f64,
}

impl Track {
    /// Begins at the detection `index` of the latest frame. `is_whole`: the border of the image does
    /// not cut the box off.
    pub(crate) fn new(index: usize, detection: &Detection, odds: f64, is_whole: bool) -> Self {
        let mut heights = HeightHistory::default();
        if is_whole {
            heights.push(0.0, f64::from(detection.bbox.height()));
        }
        Self {
            id: None,
            filter: BoxFilter::new(&detection.bbox),
            ahead: BoxFilter::new(&detection.bbox),
            // not before the speed is known
            ahead_s: -AHEAD_S,
            votes: ClassVotes::new(detection.class_id, f64::from(detection.score)),
            odds,
            first_score: detection.score,
            score: detection.score,
            age_s: 0.0,
            unseen_s: 0.0,
            detection: Some(index),
            heights,
            height_age_s: 0.0,
        }
    }

    /// Takes the height of its box in the latest frame, which must show the whole object.
    pub(crate) fn see_height(&mut self, height_px: f64) {
        self.heights.push(self.height_age_s, height_px);
        self.height_age_s = 0.0;
    }

    /// Takes its box, the detection `index` of the latest frame, `dt` seconds after the frame before.
    pub(crate) fn see(
        &mut self,
        index: usize,
        detection: &Detection,
        dt: f64,
        errors: f64,
        calibration: &mut Calibration,
    ) {
        let was_seen = self.unseen_s <= dt;
        let wrong_by = self
            .filter
            .correct(&detection.bbox, dt, errors, calibration);
        if self.age_s >= AHEAD_S && was_seen && errors == 1.0 {
            calibration.next(wrong_by);
        }
        if self.ahead_s >= AHEAD_S {
            calibration.ahead(self.ahead.errors(&self.filter));
        }
        if self.ahead_s >= AHEAD_S || self.ahead_s < 0.0 && self.age_s >= AHEAD_S {
            (self.ahead, self.ahead_s) = (self.filter, 0.0);
        }
        let score = f64::from(detection.score);
        self.votes
            .add(detection.class_id, score, self.unseen_s, VOTES_HALVE_S);
        self.score = detection.score;
        self.detection = Some(index);
        self.unseen_s = 0.0;
    }

    /// Predicts over `dt` seconds, with the motion of the picture if it is known.
    pub(crate) fn predict(
        &mut self,
        dt: f64,
        motion: Option<&CameraMotion>,
        calibration: &Calibration,
    ) {
        self.age_s += dt;
        self.unseen_s += dt;
        self.height_age_s += dt;
        if self.ahead_s >= 0.0 {
            self.ahead_s += dt;
        }
        for filter in [&mut self.filter, &mut self.ahead] {
            filter.predict(dt, calibration);
            if let Some(motion) = motion {
                filter.follow(motion);
            }
        }
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.id.is_some()
    }

    /// Returns the class by votes over time.
    pub fn class_id(&self) -> usize {
        self.votes.winner()
    }

    /// Returns the score of the latest box.
    pub fn score(&self) -> f32 {
        self.score
    }

    /// Returns the seconds from the first box of the object to the latest frame.
    pub fn age_s(&self) -> f64 {
        self.age_s
    }

    /// Returns the seconds from the latest box to the latest frame.
    pub fn unseen_s(&self) -> f64 {
        self.unseen_s
    }

    /// Returns the index of its box among the detections of the latest frame.
    pub fn detection(&self) -> Option<usize> {
        self.detection
    }

    pub fn state(&self) -> State {
        match self.detection {
            Some(_) => State::Confirmed,
            None => State::Coasting,
        }
    }

    /// Returns the filtered box, predicted to the latest frame.
    pub fn filter(&self) -> &BoxFilter {
        &self.filter
    }

    /// Returns the time to collision at the latest frame; `None` if the object does not approach for
    /// sure, or was not seen whole in the last half second. See
    /// [`HeightHistory::time_to_collision`].
    pub fn time_to_collision(&self) -> Option<TimeToCollision> {
        self.heights.time_to_collision_after(self.height_age_s)
    }

    /// Returns the filter, predicted over `dt` seconds after the latest frame.
    pub fn predicted(&self, dt: f64, calibration: &Calibration) -> BoxFilter {
        let mut filter = self.filter;
        filter.predict(dt, calibration);
        filter
    }

    /// Returns the filtered box, in pixels, not clipped.
    pub fn bbox(&self) -> BBox {
        self.filter.centre_and_sides().bbox(0.0, 0.0)
    }
}
