//! Collects what the page shows. Putting something in takes a short lock and never waits for a viewer;
//! of each camera only the last picture is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;

use crate::scene::{Scene, Shot};
use crate::seconds::{Second, Seconds};
use crate::warnings::{Lines, LogLine};
use shuffledet_core::{FrameCounts, Outcome, Trace};

/// The meeting point of a run and its viewers.
#[derive(Debug)]
pub struct Hub {
    start: Instant,
    /// By camera.
    cameras: Vec<CameraSlot>,
    seconds: Mutex<Seconds>,
    lines: Mutex<Lines>,
    /// Counts the pictures.
    sequence: watch::Sender<u64>,
    /// When somebody asked last, in milliseconds since `start`; 0: never.
    looked_ms: AtomicU64,
    /// The shortest time between two pictures of a camera, in milliseconds.
    period_ms: u64,
}

#[derive(Debug)]
struct CameraSlot {
    name: String,
    counts: Mutex<FrameCounts>,
    shown: Mutex<Option<Shown>>,
    /// When a picture was last asked for, in milliseconds since the hub's start; 0: never.
    claimed_ms: AtomicU64,
}

/// The last picture of a camera.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// The value of the hub's sequence that it has made.
    pub sequence: u64,
    pub jpeg: Bytes,
    pub scene: Arc<Scene>,
}

/// One camera as a viewer sees it.
#[derive(Debug)]
pub(crate) struct CameraView {
    pub name: String,
    pub counts: FrameCounts,
    /// `None` if the viewer has it.
    pub shown: Option<Shown>,
}

/// All that is new for a viewer.
#[derive(Debug)]
pub(crate) struct HubView {
    pub sequence: u64,
    pub cameras: Vec<CameraView>,
    pub seconds: Vec<Second>,
    pub lines: Vec<LogLine>,
}

/// For so long after a look pictures are wanted, in milliseconds.
const LOOK_MS: u64 = 3000;

impl Hub {
    /// Creates the hub of a run over `cameras`, which starts now. A camera has at most `max_rate_hz`
    /// pictures per second.
    pub fn new(cameras: Vec<String>, max_rate_hz: f64) -> Arc<Self> {
        let slot = |name| CameraSlot {
            name,
            counts: Mutex::default(),
            shown: Mutex::default(),
            claimed_ms: AtomicU64::new(0),
        };
        let start = Instant::now();
        Arc::new(Self {
            start,
            cameras: cameras.into_iter().map(slot).collect(),
            seconds: Mutex::new(Seconds::new(start)),
            lines: Mutex::default(),
            sequence: watch::Sender::new(0),
            looked_ms: AtomicU64::new(0),
            // a float cast saturates
            period_ms: (1000.0 / max_rate_hz.max(0.001)) as u64,
        })
    }

    /// Returns whether the caller should make a picture of this frame of a camera: somebody looks,
    /// and the camera's last picture is old enough. Calls within its period then return false.
    pub fn wants_picture(&self, camera: usize, now: Instant) -> bool {
        let now_ms = self.ms(now);
        let Some(slot) = self.cameras.get(camera).filter(|_| self.is_watched(now)) else {
            return false;
        };
        let claimed_ms = slot.claimed_ms.load(Ordering::Relaxed);
        if claimed_ms != 0 && now_ms.saturating_sub(claimed_ms) < self.period_ms {
            return false;
        }
        slot.claimed_ms.store(now_ms, Ordering::Relaxed);
        true
    }

    /// Returns whether somebody has looked within the last seconds.
    pub fn is_watched(&self, now: Instant) -> bool {
        let looked_ms = self.looked_ms.load(Ordering::Relaxed);
        looked_ms != 0 && self.ms(now).saturating_sub(looked_ms) <= LOOK_MS
    }

    /// Shows a picture of a camera in place of its last one.
    pub fn show(&self, camera: usize, shot: Shot) {
        let Some(slot) = self.cameras.get(camera) else {
            return;
        };
        let Shot { jpeg, mut scene } = shot;
        scene.bound();
        let (jpeg, scene) = (Bytes::from(jpeg), Arc::new(scene));
        self.sequence.send_modify(|sequence| {
            *sequence += 1;
            *lock(&slot.shown) = Some(Shown {
                sequence: *sequence,
                jpeg,
                scene,
            });
        });
    }

    /// Counts a frame that ended at `now`.
    pub fn record(&self, camera: usize, now: Instant, outcome: &Outcome, trace: &Trace) {
        if let Some(slot) = self.cameras.get(camera) {
            let mut counts = lock(&slot.counts);
            counts.received += 1;
            match outcome {
                Outcome::Published => counts.published += 1,
                Outcome::Dropped(reason) => *entry(&mut counts.dropped, reason.name()) += 1,
                Outcome::Failed(failure) => *entry(&mut counts.failed, failure.reason) += 1,
            }
        }
        lock(&self.seconds).record(now, outcome, trace);
    }

    /// Adds a line of the log.
    pub fn log(&self, is_error: bool, text: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = since.map_or(0, |since| since.as_millis() as u64);
        lock(&self.lines).push(time_ms, is_error, text);
    }

    /// Notes that somebody looks.
    pub(crate) fn look(&self, now: Instant) {
        self.looked_ms.store(self.ms(now), Ordering::Relaxed);
    }

    /// Waits until there is a picture after `sequence`, at most for `longest`.
    pub(crate) async fn wait_for(&self, sequence: u64, longest: Duration) {
        let mut changes = self.sequence.subscribe();
        let newer = changes.wait_for(|&last| last > sequence);
        // the sender lives as long as the hub, and a viewer without a new picture gets the counts
        let _ = tokio::time::timeout(longest, newer).await;
    }

    /// Returns the pictures after `sequence`, and the seconds from `second` on. A `sequence` of
    /// another run is taken for 0.
    pub(crate) fn view(&self, now: Instant, sequence: u64, second: u64) -> HubView {
        let last = *self.sequence.borrow();
        let known = if sequence > last { 0 } else { sequence };
        let cameras = self.cameras.iter().map(|slot| {
            let shown = lock(&slot.shown).clone();
            CameraView {
                name: slot.name.clone(),
                counts: lock(&slot.counts).clone(),
                shown: shown.filter(|shown| shown.sequence > known),
            }
        });
        HubView {
            cameras: cameras.collect(),
            sequence: last,
            seconds: lock(&self.seconds).since(now, second),
            lines: lock(&self.lines).all(),
        }
    }

    /// At least 1, because 0 stands for never.
    fn ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

fn entry<'a>(counts: &'a mut std::collections::BTreeMap<String, u64>, reason: &str) -> &'a mut u64 {
    if !counts.contains_key(reason) {
        counts.insert(reason.to_owned(), 0);
    }
    counts.entry(reason.to_owned()).or_default()
}

/// Locks a mutex, whose data is valid after each change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::{DropReason, Failure};

    fn hub() -> Arc<Hub> {
        Hub::new(vec!["/front".to_owned(), "/rear".to_owned()], 10.0)
    }

    fn shot(byte: u8) -> Shot {
        Shot {
            jpeg: vec![byte],
            scene: Scene::default(),
        }
    }

    #[test]
    fn pictures_are_wanted_only_while_somebody_looks_and_not_too_often() {
        let (hub, now) = (hub(), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        assert!(!hub.wants_picture(0, at(0)));
        hub.look(at(10));
        assert!(hub.wants_picture(0, at(20)));
        assert!(!hub.wants_picture(0, at(60)));
        assert!(hub.wants_picture(1, at(60)));
        assert!(hub.wants_picture(0, at(140)));
        assert!(!hub.wants_picture(2, at(140)));
        assert!(!hub.wants_picture(0, at(10 + LOOK_MS + 100)));
    }

    #[test]
    fn a_viewer_gets_each_cameras_last_picture_once() {
        let (hub, now) = (hub(), Instant::now());
        hub.show(0, shot(1));
        hub.show(0, shot(2));
        hub.show(1, shot(3));
        let bytes = |view: &HubView| -> Vec<_> {
            let shown = view.cameras.iter().map(|camera| camera.shown.as_ref());
            shown.map(|shown| shown.map(|s| s.jpeg[0])).collect()
        };
        let first = hub.view(now, 0, 0);
        assert_eq!(bytes(&first), [Some(2), Some(3)]);
        let second = hub.view(now, first.sequence, 0);
        assert_eq!(bytes(&second), [None, None]);
        // a cursor of another run, whose process is gone
        assert_eq!(bytes(&hub.view(now, 99, 0)), [Some(2), Some(3)]);
    }

    #[test]
    fn the_books_balance() {
        let (hub, now, trace) = (hub(), Instant::now(), Trace::default());
        let failed = Outcome::Failed(Failure {
            reason: "decode",
            message: "x".into(),
        });
        hub.record(0, now, &Outcome::Published, &trace);
        hub.record(0, now, &Outcome::Dropped(DropReason::TooOld), &trace);
        hub.record(0, now, &failed, &trace);
        let counts = &hub.view(now, 0, 0).cameras[0].counts;
        let sum =
            |reasons: &std::collections::BTreeMap<String, u64>| -> u64 { reasons.values().sum() };
        assert_eq!(counts.received, 3);
        assert_eq!(
            counts.published + sum(&counts.dropped) + sum(&counts.failed),
            3
        );
    }

    #[test]
    fn a_scene_with_a_thousand_boxes_is_cut() {
        let hub = hub();
        let sides = [0.0; 4];
        let one = crate::SceneBox {
            sides,
            label: "car".to_owned(),
            score: 1.0,
        };
        let scene = Scene {
            boxes: vec![one; 1000],
            ..Scene::default()
        };
        hub.show(
            0,
            Shot {
                jpeg: Vec::new(),
                scene,
            },
        );
        let view = hub.view(Instant::now(), 0, 0);
        let shown = view.cameras[0].shown.as_ref().unwrap();
        assert_eq!(shown.scene.boxes.len(), Scene::MOST);
    }
}
