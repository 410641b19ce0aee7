//! From the boxes of one frame after the other to tracks.
//!
//! Boxes are associated in two stages by score (Y. Zhang et al., "ByteTrack: Multi-object tracking by
//! associating every detection box", arXiv:2110.06864): first those that are likely objects, then the
//! others, which only continue tracks. A track is shown once the odds that its object exists are
//! high: boxes raise them, by their scores and by the time between them, and frames without a box
//! lower them.

use shuffledet_core::{BBox, Detection};

use crate::assignment::Assignment;
use crate::box_filter::CentreAndSides;
use crate::calibration::Calibration;
use crate::common_shift::CommonShift;
use crate::place::{LIMIT, Place};
use crate::score_evidence::{Proof, ScoreEvidence, log_odds};
use crate::stamps::{Step, step};
use crate::{CameraMotion, Settings, Track, TrackId, TrackIds};

/// The most boxes of a frame that are tracked, and the most tracks. Further boxes are left out.
pub const MOST_OBJECTS: usize = 500;

/// The chance of being an object from which a box takes part in the first stage.
const SURE: f64 = 0.4;
/// The chance from which a box without a track begins one.
const BEGINS: f64 = 0.15;
/// The least overlaps of buffered boxes: in the first stage, in the second, and for tracks that are
/// not confirmed.
const OVERLAP: f64 = 0.25;
const OVERLAP_UNSURE: f64 = 0.35;
const OVERLAP_NEW: f64 = 0.2;
/// The errors of unsure boxes, which are often of a hidden object, relative to those of others.
const UNSURE_ERRORS: f64 = 1.5;
/// The logarithm of the odds at which a track is confirmed, and at which a new one ends.
const CONFIRMED: f64 = 2.2;
const DISPROVED: f64 = -2.5;
/// The odds, as logarithms, that a box after `confirm_s` adds, and that a frame without one takes.
const HIT: f64 = 2.0;
const MISS: f64 = 1.0;
/// How much of the evidence of its score a later box adds: scores of one object err alike.
const LATER_SCORES: f64 = 0.5;
/// The highest logarithm of the odds, so that no track is believed for ever.
const MOST_ODDS: f64 = 8.0;
/// The odds, as logarithms, that the first box of a track takes, and that it takes more if it lies on
/// an object that the frame shows already: then it is mostly a second box of it.
const FIRST_DOUBT: f64 = 0.5;
const SECOND_BOX: f64 = 3.0;
/// The overlap from which a box lies on an object.
const SECOND_OVERLAP: f32 = 0.4;
/// The weight of a box of a known track, and of one that is ignored, in learning about scores.
const LESSON: f64 = 0.1;
/// How long a track that is not confirmed waits for a box, in times of `confirm_s`.
const PATIENCE: f64 = 5.0;
/// A box that is nearer to the border of the image is cut off, in pixels.
const BORDER_PX: f32 = 2.0;

/// Tracks the objects of one camera. Equal inputs give equal tracks, except for their identities.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: Settings,
    /// Width and height of the images in pixels, if they are known.
    image: Option<[f32; 2]>,
    latest_ns: Option<i64>,
    /// In the order in which they began.
    tracks: Vec<Track>,
    evidence: ScoreEvidence,
    calibration: Calibration,
    buffers: Buffers,
}

/// What is computed for one frame. Later frames reuse the memory.
#[derive(Debug, Clone, Default)]
struct Buffers {
    assignment: Assignment,
    common_shift: CommonShift,
    cost: Vec<f64>,
    /// The tracks and the boxes that are paired now.
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// By box: the chance that it is an object, and whether it has a track or is left out.
    chance: Vec<f64>,
    taken: Vec<bool>,
}

impl Tracker {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            image: None,
            latest_ns: None,
            tracks: Vec::new(),
            evidence: ScoreEvidence::default(),
            calibration: Calibration::USUAL,
            buffers: Buffers::default(),
        }
    }

    /// Returns the tracks that are shown, oldest first: those that are confirmed, and seen in the
    /// latest frame or not longer than `coast_s` before it.
    pub fn tracks(&self) -> impl Iterator<Item = (TrackId, &Track)> {
        let shown = |track: &&Track| track.unseen_s <= self.settings.coast_s;
        let shown = self.tracks.iter().filter(shown);
        shown.filter_map(|track| Some((track.id?, track)))
    }

    /// Replaces the settings, from the next frame on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Says how large the images are from the next frame on. A box at the border shows only a part of
    /// its object, so its height says nothing about the time to collision.
    pub fn set_image_size(&mut self, size: Option<(u32, u32)>) {
        self.image = size.map(|(width, height)| [width as f32, height as f32]);
    }

    /// Returns how far the noise of this camera differs from the usual.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Returns how a stamp follows the latest one.
    pub fn step(&self, stamp_ns: i64) -> Step {
        step(self.latest_ns, stamp_ns)
    }

    /// Takes the boxes of the next frame, the highest score first, and the motion of the picture
    /// since the latest frame that was not late, if it is known. Returns how the stamp follows the latest one: after
    /// [`Step::Late`] the tracks have only found their boxes, and after [`Step::Restart`] all tracks
    /// are new.
    pub fn update(
        &mut self,
        stamp_ns: i64,
        detections: &[Detection],
        motion: Option<&CameraMotion>,
        ids: &TrackIds,
    ) -> Step {
        let detections = &detections[..detections.len().min(MOST_OBJECTS)];
        let step = self.step(stamp_ns);
        self.tracks
            .iter_mut()
            .for_each(|track| track.detection = None);
        let left_out = detections.iter().map(|detection| !is_usable(detection));
        self.buffers.taken.clear();
        self.buffers.taken.extend(left_out);
        let dt = match step {
            Step::Late(dt) => {
                self.recognise(detections, dt);
                return step;
            }
            Step::Restart => {
                self.tracks.clear();
                self.evidence = ScoreEvidence::default();
                self.calibration = Calibration::USUAL;
                0.0
            }
            Step::First => 0.0,
            Step::Forward(dt) => dt,
        };
        self.latest_ns = Some(stamp_ns);
        self.predict(dt, motion);
        self.judge(detections);
        self.associate(detections, dt);
        self.doubt(dt);
        self.begin(detections);
        self.confirm(ids);
        self.end();
        step
    }

    /// Predicts all tracks. Those that were not seen for too long cannot be found any more.
    fn predict(&mut self, dt: f64, motion: Option<&CameraMotion>) {
        for track in &mut self.tracks {
            track.predict(dt, motion, &self.calibration);
        }
        let settings = &self.settings;
        self.tracks.retain(|track| {
            !track.is_confirmed() || track.unseen_s <= settings.delete_s_of(track.class_id())
        });
    }

    /// Computes for each box the chance that it is an object.
    fn judge(&mut self, detections: &[Detection]) {
        self.evidence.see(
            detections
                .iter()
                .map(|detection| f64::from(detection.score)),
        );
        let (evidence, settings) = (&self.evidence, &self.settings);
        let chance = |detection: &Detection| {
            let threshold = settings.thresholds.get(detection.class_id);
            evidence.chance(
                f64::from(detection.score),
                threshold.copied().map(f64::from),
            )
        };
        self.buffers.chance.clear();
        self.buffers.chance.extend(detections.iter().map(chance));
    }

    fn associate(&mut self, detections: &[Detection], dt: f64) {
        self.buffers.common_shift.clear();
        self.select(Track::is_confirmed, SURE);
        self.pair(detections, OVERLAP, dt, 1.0);
        if let Some(shift) = self.buffers.common_shift.find() {
            let unseen = self
                .tracks
                .iter_mut()
                .filter(|track| track.detection.is_none());
            unseen.for_each(|track| track.filter.shift(shift, dt));
            self.select(Track::is_confirmed, SURE);
            self.pair(detections, OVERLAP, dt, 1.0);
        }
        self.select(Track::is_confirmed, 0.0);
        self.pair(detections, OVERLAP_UNSURE, dt, UNSURE_ERRORS);
        self.select(|track| !track.is_confirmed(), 0.0);
        self.pair(detections, OVERLAP_NEW, dt, 1.0);
    }

    /// Chooses the tracks without a box, and the boxes without a track whose chance is at least
    /// `chance`, to be paired next.
    fn select(&mut self, track: impl Fn(&Track) -> bool, chance: f64) {
        let Buffers {
            rows,
            columns,
            taken,
            chance: chances,
            ..
        } = &mut self.buffers;
        let free =
            |(_, candidate): &(usize, &Track)| candidate.detection.is_none() && track(candidate);
        rows.clear();
        rows.extend(
            self.tracks
                .iter()
                .enumerate()
                .filter(free)
                .map(|(index, _)| index),
        );
        columns.clear();
        columns.extend((0..taken.len()).filter(|&index| !taken[index] && chances[index] >= chance));
    }

    /// Pairs the chosen tracks and boxes.
    fn pair(&mut self, detections: &[Detection], least: f64, dt: f64, errors: f64) {
        self.solve(detections, least, 0.0);
        let Self {
            settings,
            image,
            tracks,
            buffers,
            calibration,
            ..
        } = self;
        for (&row, &place) in buffers.rows.iter().zip(buffers.assignment.columns()) {
            let Some(column) = place.map(|place| buffers.columns[place]) else {
                continue;
            };
            let (track, detection) = (&mut tracks[row], &detections[column]);
            buffers.taken[column] = true;
            let seen = CentreAndSides::from_bbox(&detection.bbox);
            let before = track.filter.centre_and_sides();
            buffers
                .common_shift
                .add(seen.x - before.x, seen.y - before.y);
            let gain = HIT * share(track.unseen_s, settings.confirm_s);
            let score_odds = LATER_SCORES * log_odds(buffers.chance[column]);
            track.odds = (track.odds + gain + score_odds).min(MOST_ODDS);
            track.see(column, detection, dt, errors, calibration);
            // an unsure box is often of an object that is partly hidden
            if errors == 1.0 && is_whole(&detection.bbox, *image) {
                track.see_height(seen.height);
            }
        }
    }

    /// Assigns the chosen boxes to the chosen tracks, `dt` seconds after their prediction.
    fn solve(&mut self, detections: &[Detection], least: f64, dt: f64) {
        let Self {
            settings,
            tracks,
            buffers,
            calibration,
            ..
        } = self;
        let Buffers {
            assignment,
            cost,
            rows,
            columns,
            ..
        } = buffers;
        cost.clear();
        for &row in rows.iter() {
            let place = Place::new(&tracks[row], dt, calibration);
            let costs = columns
                .iter()
                .map(|&column| place.cost(&detections[column], least, settings));
            cost.extend(costs);
        }
        assignment.solve(rows.len(), columns.len(), cost, LIMIT);
    }

    /// Lowers the odds of tracks without a box.
    fn doubt(&mut self, dt: f64) {
        let loss = MISS * share(dt, self.settings.confirm_s);
        let unseen = self
            .tracks
            .iter_mut()
            .filter(|track| track.detection.is_none());
        unseen.for_each(|track| track.odds -= loss);
    }

    /// Begins a track at each box that has none and is likely enough.
    fn begin(&mut self, detections: &[Detection]) {
        for (index, detection) in detections.iter().enumerate() {
            if self.buffers.taken[index] {
                continue;
            }
            let chance = self.buffers.chance[index];
            if chance < BEGINS {
                self.evidence
                    .learn(f64::from(detection.score), Proof::Nothing, LESSON);
            } else if self.tracks.len() < MOST_OBJECTS {
                let doubt = FIRST_DOUBT
                    + if self.is_tracked(detection) {
                        SECOND_BOX
                    } else {
                        0.0
                    };
                let is_whole = is_whole(&detection.bbox, self.image);
                let odds = log_odds(chance) - doubt;
                self.tracks
                    .push(Track::new(index, detection, odds, is_whole));
            }
        }
    }

    /// Returns whether a box lies on an object that this frame shows already.
    fn is_tracked(&self, detection: &Detection) -> bool {
        let shown = self
            .tracks
            .iter()
            .filter(|track| track.is_confirmed() && track.detection.is_some());
        let mut boxes = shown.map(|track| (track.class_id(), track.bbox()));
        boxes.any(|(class_id, bbox)| {
            self.settings.same_group(class_id, detection.class_id)
                && bbox.iou(&detection.bbox) > SECOND_OVERLAP
        })
    }

    /// Confirms the tracks whose odds are high enough, and learns from what is confirmed.
    fn confirm(&mut self, ids: &TrackIds) {
        let seen = self
            .tracks
            .iter_mut()
            .filter(|track| track.detection.is_some());
        for track in seen {
            if track.is_confirmed() {
                self.evidence
                    .learn(f64::from(track.score), Proof::Object, LESSON);
            } else if track.odds >= CONFIRMED {
                track.id = Some(ids.next());
                self.evidence
                    .learn(f64::from(track.first_score), Proof::Object, 1.0);
            }
        }
    }

    /// Ends tracks that were not seen for too long, and new ones that came to nothing.
    fn end(&mut self) {
        let patience_s = PATIENCE * self.settings.confirm_s;
        let (evidence, settings) = (&mut self.evidence, &self.settings);
        self.tracks.retain(|track| {
            let hopeful = track.unseen_s <= patience_s && track.odds > DISPROVED;
            if !track.is_confirmed() && !hopeful {
                evidence.learn(f64::from(track.first_score), Proof::Nothing, 1.0);
            }
            match track.is_confirmed() {
                true => track.unseen_s <= settings.delete_s_of(track.class_id()),
                false => hopeful,
            }
        });
    }

    /// Finds the boxes of a frame that came late. Tracks learn nothing from it: they know better.
    fn recognise(&mut self, detections: &[Detection], dt: f64) {
        self.buffers.chance.clear();
        self.buffers.chance.resize(detections.len(), 1.0);
        self.select(Track::is_confirmed, 0.0);
        self.solve(detections, OVERLAP, dt);
        let buffers = &self.buffers;
        for (&row, &place) in buffers.rows.iter().zip(buffers.assignment.columns()) {
            self.tracks[row].detection = place.map(|place| buffers.columns[place]);
        }
    }
}

/// Returns which part of `whole` a time is, at most 1.
fn share(time_s: f64, whole: f64) -> f64 {
    if time_s < whole { time_s / whole } else { 1.0 }
}

/// Returns whether a box keeps away from the border of the image, which would cut it off.
fn is_whole(bbox: &BBox, image: Option<[f32; 2]>) -> bool {
    image.is_none_or(|[width, height]| {
        bbox.x1 >= BORDER_PX
            && bbox.y1 >= BORDER_PX
            && bbox.x2 <= width - BORDER_PX
            && bbox.y2 <= height - BORDER_PX
    })
}

/// Returns whether a box has an area, and sides and places that can be computed with.
fn is_usable(detection: &Detection) -> bool {
    let bbox = &detection.bbox;
    let sides = [bbox.x1, bbox.y1, bbox.x2, bbox.y2];
    sides.iter().all(|side| side.abs() < 1e6) && bbox.area() > 0.0 && detection.score.is_finite()
}

#[cfg(test)]
mod tests;
