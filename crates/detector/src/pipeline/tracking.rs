//! The tracks of a run: a tracker for each camera, after the frames are in order, so that the tracks
//! do not depend on the number of workers.

use std::sync::Arc;
use std::time::Duration;

use super::ranging::CameraRanging;
use super::settings::SettingsReader;
use super::{CameraMounting, Frame, ServedModel, SharedSettings, TrackedObject};
use crate::detect::DetectorSettings;
use shuffledet_core::{Labels, Mark, Outcome};
use shuffledet_image::camera_motion::MotionEstimator;
use shuffledet_track::{CameraMotion, ClassHeights, Settings, Step, TrackIds, Tracker};

/// Tracks are not predicted further than this.
const MOST_AHEAD: Duration = Duration::from_millis(500);

/// The identities of all tracks of the process.
static IDS: TrackIds = TrackIds::new();

/// Tracks the objects of every camera of a run.
pub struct Tracking {
    settings: SettingsReader,
    /// Those of the model `model`.
    labels: Arc<Labels>,
    /// The number of the model of the latest frame.
    model: u64,
    /// Empty while tracking is disabled.
    trackers: Vec<CameraTracker>,
    cameras: usize,
    heights: ClassHeights,
    predict_to_publish: bool,
    is_new: bool,
}

/// The tracks of one camera.
struct CameraTracker {
    tracker: Tracker,
    motion: MotionEstimator,
    ranging: CameraRanging,
    mounting: CameraMounting,
}

impl CameraTracker {
    fn new(settings: Settings) -> Self {
        Self {
            tracker: Tracker::new(settings),
            motion: MotionEstimator::new(),
            ranging: CameraRanging::default(),
            mounting: CameraMounting::UNKNOWN,
        }
    }

    fn update(&mut self, frame: &mut Frame, stamp_ns: i64) -> Step {
        let motion = match self.tracker.step(stamp_ns) {
            // the tracker stays at the frame before, and the next motion begins there
            Step::Late(_) => None,
            // a motion from before a jump of time meets no tracks
            Step::First | Step::Restart | Step::Forward(_) => self.motion(frame),
        };
        self.tracker.set_image_size(frame.size);
        self.tracker
            .update(stamp_ns, &frame.detections, motion.as_ref(), &IDS)
    }

    /// Fills in the tracks that are shown, `ahead_s` seconds after the latest frame.
    fn show(&self, frame: &mut Frame, ahead_s: f64) {
        let (size, calibration) = (frame.size, self.tracker.calibration());
        let shown = self.tracker.tracks().filter_map(|(id, track)| {
            let filter = match ahead_s > 0.0 {
                true => track.predicted(ahead_s, calibration),
                false => *track.filter(),
            };
            let mut object = TrackedObject::new(id, track, &filter, ahead_s, size)?;
            let (class_id, bbox) = (object.class_id, &object.bbox);
            object.range = self
                .ranging
                .range(class_id, bbox, &object.filter.deviations());
            Some(object)
        });
        frame.tracks.clear();
        frame.tracks.extend(shown);
    }

    /// Returns the motion of the picture since the frame that was given before.
    fn motion(&mut self, frame: &mut Frame) -> Option<CameraMotion> {
        let boxes = frame.detections.iter().map(|detection| detection.bbox);
        let motion = self.motion.next(&mut frame.grey, boxes)?;
        CameraMotion::new(motion.affine)
    }
}

impl Tracking {
    /// Starts without tracks. Follows the changes of `settings`, and tells the workers of the run
    /// that objects are tracked.
    pub fn new(settings: Arc<SharedSettings>, labels: Arc<Labels>) -> Self {
        settings.set_tracked();
        let (cameras, model) = (settings.get().cameras.len(), settings.get().model);
        Self {
            settings: SettingsReader::new(settings),
            labels,
            model,
            trackers: Vec::new(),
            cameras,
            heights: ClassHeights::default(),
            predict_to_publish: false,
            is_new: true,
        }
    }

    /// Finds the tracks of a published frame and marks the time. Call it for the frames of a camera
    /// in their order. `camera` names it in the log.
    pub fn update(&mut self, frame: &mut Frame, outcome: &Outcome, camera: &str) {
        if let Some(model) = &frame.model {
            self.follow_model(model, camera);
        }
        self.follow_settings();
        if *outcome != Outcome::Published {
            return;
        }
        let Some(tracker) = self.trackers.get_mut(frame.camera) else {
            return;
        };
        let stamp_ns = frame.time_ns();
        let step = tracker.update(frame, stamp_ns);
        if step == Step::Restart {
            tracing::warn!("{camera}: the stamps went back; all tracks begin again with new ids");
        }
        let mounting = tracker.mounting;
        tracker
            .ranging
            .see(frame, step, mounting, &self.heights, camera);
        frame.horizon_px = tracker.ranging.horizon_px();
        if self.predict_to_publish {
            frame.tracks_ahead = frame.age().min(MOST_AHEAD);
        }
        let late_s = match step {
            Step::Late(late_s) => late_s,
            Step::First | Step::Restart | Step::Forward(_) => 0.0,
        };
        let ahead_s = (frame.tracks_ahead.as_secs_f64() + late_s).max(0.0);
        tracker.show(frame, ahead_s);
        frame.trace.mark(Mark::Tracked);
    }

    /// Takes over the classes of the model of a frame. Tracks go on if the classes are the same;
    /// otherwise all of them end, because their classes mean something else.
    fn follow_model(&mut self, model: &ServedModel, camera: &str) {
        if model.number == self.model {
            return;
        }
        self.model = model.number;
        self.is_new = true;
        if self.labels != model.labels {
            if !self.trackers.is_empty() {
                tracing::info!(
                    "{camera}: other classes; all tracks of all cameras begin again with new ids"
                );
            }
            self.trackers.clear();
            self.labels = Arc::clone(&model.labels);
        }
    }

    fn follow_settings(&mut self) {
        let (settings, changed) = self.settings.current();
        self.is_new |= changed;
        // the settings may already be those of the next model
        if settings.model != self.model || !std::mem::take(&mut self.is_new) {
            return;
        }
        if !settings.tracking.enabled {
            self.trackers.clear();
            return;
        }
        let classes: Vec<&str> = self.labels.names().collect();
        let thresholds = thresholds(&settings.detector, classes.len());
        let tracking = &settings.tracking;
        self.predict_to_publish = tracking.predict_to_publish;
        // names that do not fit the model are refused before
        let heights = tracking.heights(&classes).unwrap_or_default();
        if heights != self.heights {
            let cameras = self.trackers.iter_mut();
            cameras.for_each(|camera| camera.ranging.reset());
            self.heights = heights;
        }
        let mountings: Vec<_> = settings
            .cameras
            .iter()
            .map(|camera| camera.mounting)
            .collect();
        let settings = tracking.settings(&classes, thresholds);
        self.trackers
            .iter_mut()
            .for_each(|camera| camera.tracker.set(settings.clone()));
        let new = || CameraTracker::new(settings.clone());
        self.trackers.resize_with(self.cameras, new);
        for (camera, mounting) in self.trackers.iter_mut().zip(mountings) {
            camera.mounting = mounting;
        }
    }
}

/// Returns the score thresholds by class id. A class that is not selected has no boxes.
fn thresholds(detector: &DetectorSettings, classes: usize) -> Vec<f32> {
    (0..classes)
        .map(|class_id| detector.threshold(class_id))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::ClassIds;
    use crate::model::class_ids::ClassIdForm;
    use crate::pipeline::settings::tests::tuned;
    use crate::pipeline::{RuntimeSettings, TrackingSettings};
    use shuffledet_core::labels::Label;
    use shuffledet_core::{BBox, Detection, ModelIdentity};
    use shuffledet_image::{BgrView, Pixels};
    use shuffledet_msg::{CameraInfo, Stamp};
    use shuffledet_track::TrackId;
    use shuffledet_track::camera::CalibratedCamera;

    fn settings(enabled: bool) -> Arc<SharedSettings> {
        let mut settings = tuned(&[1.0, 1.0]);
        settings.tracking = TrackingSettings {
            enabled,
            confirm_s: 0.1,
            coast_s: 0.5,
            delete_s: 1.0,
            ..TrackingSettings::default()
        };
        Arc::new(SharedSettings::new(settings))
    }

    fn labels() -> Arc<Labels> {
        let label = Label {
            name: "car".to_owned(),
            category_id: 3,
        };
        Arc::new(Labels::new(vec![label]).unwrap())
    }

    /// A frame of a camera at tenths of a second, with one car.
    fn frame(camera: usize, tenths: i32) -> Frame {
        let bbox = BBox {
            x1: 10.0,
            y1: 20.0,
            x2: 70.0,
            y2: 60.0,
        };
        Frame {
            camera,
            stamp: Stamp {
                sec: 100 + tenths / 10,
                nanosec: 100_000_000 * (tenths % 10) as u32,
            },
            size: Some((640, 480)),
            detections: vec![Detection::new(0, 0.8, bbox)],
            ..Frame::default()
        }
    }

    fn ids(tracking: &mut Tracking, mut frame: Frame) -> Vec<TrackId> {
        tracking.update(&mut frame, &Outcome::Published, "/camera");
        frame.tracks.iter().map(|track| track.id).collect()
    }

    #[test]
    fn cameras_and_times_have_tracks_of_their_own() {
        let mut tracking = Tracking::new(settings(true), labels());
        let mut seen = BTreeSet::new();
        for lap in 0..2 {
            for camera in 0..2 {
                let found: BTreeSet<_> = (0..30)
                    .flat_map(|tenths| ids(&mut tracking, frame(camera, tenths)))
                    .collect();
                assert_eq!(found.len(), 1, "lap {lap}, camera {camera}");
                assert!(found.is_disjoint(&seen));
                seen.extend(found);
            }
        }
    }

    fn model(number: u64, names: &[&str]) -> Arc<ServedModel> {
        let label = |(id, name): (usize, &&str)| Label {
            name: (*name).to_owned(),
            category_id: id as u32,
        };
        let labels = Labels::new(names.iter().enumerate().map(label).collect()).unwrap();
        Arc::new(ServedModel {
            number,
            identity: ModelIdentity::default(),
            class_ids: ClassIds::new(&labels, ClassIdForm::Name).unwrap(),
            labels: Arc::new(labels),
            least_threshold: 0.3,
        })
    }

    #[test]
    fn tracks_outlive_a_model_with_the_same_classes_and_no_other() {
        let settings = settings(true);
        let classes: [&[&str]; 4] = [&["car"], &["car"], &["bus", "car"], &["car"]];
        let first = model(0, classes[0]);
        let mut tracking = Tracking::new(Arc::clone(&settings), Arc::clone(&first.labels));
        let mut seen = Vec::new();
        let mut tenths = 0;
        for (number, names) in classes.iter().enumerate() {
            let model = model(number as u64, names);
            settings.set(RuntimeSettings {
                model: model.number,
                ..RuntimeSettings::clone(&settings.get())
            });
            let mut found = BTreeSet::new();
            for _ in 0..10 {
                tenths += 1;
                let mut frame = frame(0, tenths);
                frame.model = Some(Arc::clone(&model));
                found.extend(ids(&mut tracking, frame));
            }
            assert_eq!(found.len(), 1, "{names:?}");
            seen.extend(found);
        }
        assert_eq!(seen[0], seen[1]);
        assert!(seen[1] != seen[2] && seen[2] != seen[3] && seen[1] != seen[3]);
    }

    #[test]
    fn settings_of_the_next_model_wait_for_its_first_frame() {
        let settings = settings(true);
        let first = model(0, &["car"]);
        let mut tracking = Tracking::new(Arc::clone(&settings), Arc::clone(&first.labels));
        let of_first = |tenths| Frame {
            model: Some(Arc::clone(&first)),
            ..frame(0, tenths)
        };
        for tenths in 0..10 {
            ids(&mut tracking, of_first(tenths));
        }
        let mut next = RuntimeSettings::clone(&settings.get());
        (next.model, next.tracking.enabled) = (1, false);
        settings.set(next);
        assert_eq!(ids(&mut tracking, of_first(10)).len(), 1);
        let of_next = Frame {
            model: Some(model(1, &["car"])),
            ..frame(0, 11)
        };
        assert!(ids(&mut tracking, of_next).is_empty());
    }

    #[test]
    fn tracking_that_is_off_shows_nothing_and_forgets() {
        let settings = settings(false);
        let mut tracking = Tracking::new(Arc::clone(&settings), labels());
        let mut ids_at = |tenths| ids(&mut tracking, frame(0, tenths));
        assert!((0..5).all(|tenths| ids_at(tenths).is_empty()));
        let change = |enabled| {
            let mut changed = (*settings.get()).clone();
            changed.tracking.enabled = enabled;
            settings.set(changed);
        };
        change(true);
        let before: Vec<_> = (5..10).flat_map(&mut ids_at).collect();
        assert!(!before.is_empty());
        change(false);
        assert!(ids_at(10).is_empty());
        change(true);
        let after: Vec<_> = (11..15).flat_map(&mut ids_at).collect();
        assert!(!after.is_empty() && after.iter().all(|id| !before.contains(id)));
    }

    /// Fills in the grey copy of a frame whose picture moved to the left by these pixels.
    fn see(frame: &mut Frame, moved: usize) {
        const SIZE: (u32, u32) = (640, 480);
        let noise = |x: usize, y: usize| {
            let mixed = (x * 0x9E37_79B9 + y * 0x85EB_CA6B) & 0xFFFF_FFFF;
            let mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B_3C6D) & 0xFFFF_FFFF;
            ((mixed ^ (mixed >> 13)) & 0xFF) as f64 / 255.0
        };
        let layer = |x: usize, y: usize, cell: usize| {
            let part = |place: usize| (place % cell) as f64 / cell as f64;
            let (left, top, u, v) = (x / cell, y / cell, part(x), part(y));
            let row = |y| noise(left, y) * (1.0 - u) + noise(left + 1, y) * u;
            row(top) * (1.0 - v) + row(top + 1) * v
        };
        let shade = |x, y| {
            [5, 20, 60]
                .map(|cell| 80.0 * layer(x, y, cell))
                .iter()
                .sum::<f64>() as u8
        };
        let pixels: Vec<u8> = (0..480)
            .flat_map(|y| (0..640).flat_map(move |x| [shade(x + moved, y); 3]))
            .collect();
        let image = BgrView::new(SIZE.0, SIZE.1, 3 * 640, &pixels).unwrap();
        frame.grey.fill(&Pixels::Bgr(image)).unwrap();
    }

    /// Returns the left edge of a car that stands still and is hidden while the camera turns by 50
    /// pixels. One frame is lost, and one is late.
    fn place_after_a_turn(follow: bool) -> f32 {
        let mut tracking = Tracking::new(settings(true), labels());
        let mut last = 0.0;
        for (tenths, moved, found) in [
            (0, 0, true),
            (1, 0, true),
            (2, 0, true),
            (3, 0, true),
            (4, 20, false),
            (6, 50, false),
            (6, 0, false),
            (7, 50, false),
        ] {
            let mut frame = frame(0, tenths);
            let bbox = &mut frame.detections[0].bbox;
            (bbox.x1, bbox.x2) = (300.0, 360.0);
            if !found {
                frame.detections.clear();
            }
            if follow {
                see(&mut frame, moved);
            }
            tracking.update(&mut frame, &Outcome::Published, "/camera");
            last = frame.tracks.first().map_or(f32::NAN, |track| track.bbox.x1);
        }
        last
    }

    #[test]
    fn a_track_moves_with_the_picture_also_over_lost_and_late_frames() {
        let (still, followed) = (place_after_a_turn(false), place_after_a_turn(true));
        assert!((still - 300.0).abs() < 5.0, "{still}");
        assert!((followed - 250.0).abs() < 5.0, "{followed}");
    }

    #[test]
    fn tracks_are_predicted_to_the_time_of_publishing() {
        let left_edge = |predict_to_publish| {
            let settings = settings(true);
            let mut changed = (*settings.get()).clone();
            changed.tracking.predict_to_publish = predict_to_publish;
            settings.set(changed);
            let mut tracking = Tracking::new(settings, labels());
            let mut last = frame(0, 0);
            for tenths in 0..20_i32 {
                last = frame(0, tenths);
                let moved = 20.0 * tenths as f32;
                let bbox = &mut last.detections[0].bbox;
                (bbox.x1, bbox.x2) = (10.0 + moved, 70.0 + moved);
                last.age_on_receipt = Duration::from_millis(200);
                tracking.update(&mut last, &Outcome::Published, "/camera");
            }
            (
                last.tracks[0].bbox.x1,
                last.tracks[0].unseen_s,
                last.tracks_stamp(),
            )
        };
        let (now, unseen_s, stamp) = left_edge(false);
        assert_eq!((unseen_s, stamp.nanosec), (0.0, 900_000_000));
        let (ahead, unseen_s, stamp) = left_edge(true);
        // 200 pixels per second
        assert!((30.0..45.0).contains(&(ahead - now)), "{now} {ahead}");
        assert_eq!(unseen_s, 0.2);
        assert_eq!((stamp.sec, stamp.nanosec), (102, 100_000_000));
    }

    #[test]
    fn objects_have_a_distance_while_the_calibration_fits_the_images() {
        let info = CameraInfo {
            width: 640,
            height: 480,
            k: [400.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0],
            ..CameraInfo::default()
        };
        let camera = Arc::new(CalibratedCamera::new(&info, false).unwrap());
        let mut tracking = Tracking::new(settings(true), labels());
        let mut depth = |tenths, size, camera: Option<&Arc<CalibratedCamera>>| {
            let mut frame = frame(0, tenths);
            (frame.size, frame.calibration) = (Some(size), camera.cloned());
            tracking.update(&mut frame, &Outcome::Published, "/camera");
            let track = frame.tracks.first()?;
            track.range.map(|range| range.depth_m())
        };
        let whole = (640, 480);
        (0..3).for_each(|tenths| {
            depth(tenths, whole, None);
        });
        assert_eq!(depth(3, whole, None), None);
        // a car of 1.53 m that is 40 pixels high
        let found = depth(4, whole, Some(&camera)).unwrap();
        assert!((found - 400.0 * 1.53 / 40.0).abs() < 0.2, "{found}");
        let twice = depth(5, (1280, 960), Some(&camera)).unwrap();
        assert!((twice - 2.0 * found).abs() < 0.4, "{twice}");
        assert_eq!(depth(6, (640, 400), Some(&camera)), None);
        assert!(depth(7, whole, Some(&camera)).is_some());
    }

    #[test]
    fn frames_that_are_not_published_have_no_tracks() {
        let mut tracking = Tracking::new(settings(true), labels());
        (0..5).for_each(|tenths| {
            ids(&mut tracking, frame(0, tenths));
        });
        let mut dropped = frame(0, 5);
        let outcome = Outcome::Dropped(shuffledet_core::DropReason::TooOld);
        tracking.update(&mut dropped, &outcome, "/camera");
        assert!(dropped.tracks.is_empty() && dropped.trace.at(Mark::Tracked).is_none());
    }
}
