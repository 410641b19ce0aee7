//! What may change while frames run, applied between two frames.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::detect::DetectorSettings;
use shuffledet_image::JpegScale;

/// The settings of one moment. They change all at once or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    pub detector: DetectorSettings,
    /// By camera.
    pub cameras: Vec<CameraTuning>,
}

/// How the frames of one camera are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraTuning {
    /// A frame that has waited longer is dropped.
    pub max_age: Option<Duration>,
    /// The mean rate of the frames that are taken, above 0; what comes faster is dropped.
    pub max_rate_hz: Option<f64>,
    /// This camera's share of the work when there is too much of it, as against the other cameras'; above 0.
    pub priority: f64,
    /// Its frames are dropped when not.
    pub enabled: bool,
    /// How large its JPEGs are decoded.
    pub jpeg_scale: JpegScale,
}

impl CameraTuning {
    /// Takes every frame: what a lossless replay needs.
    pub const EVERY_FRAME: Self = Self {
        max_age: None,
        max_rate_hz: None,
        priority: 1.0,
        enabled: true,
        jpeg_scale: JpegScale::Full,
    };
}

/// Shares [`Tuned`] between whoever changes it and the threads that follow it.
#[derive(Debug)]
pub struct Tuning {
    tuned: RwLock<Arc<Tuned>>,
    version: AtomicU64,
    /// By camera: whether somebody wants to see its annotated frames now.
    watched: Vec<AtomicBool>,
}

impl Tuning {
    pub fn new(tuned: Tuned) -> Self {
        let watched = tuned
            .cameras
            .iter()
            .map(|_| AtomicBool::new(false))
            .collect();
        Self {
            tuned: RwLock::new(Arc::new(tuned)),
            version: AtomicU64::new(0),
            watched,
        }
    }

    /// Puts new settings in force from the next frame on.
    pub fn set(&self, tuned: Tuned) {
        // a poisoned lock still holds a whole value: it is replaced in one step
        *self.tuned.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tuned);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub fn get(&self) -> Arc<Tuned> {
        Arc::clone(&self.tuned.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether somebody wants to see the camera's annotated frames.
    pub fn is_watched(&self, camera: usize) -> bool {
        self.watched
            .get(camera)
            .is_some_and(|watched| watched.load(Ordering::Relaxed))
    }

    pub fn set_watched(&self, camera: usize, watched: bool) {
        if let Some(flag) = self.watched.get(camera) {
            flag.store(watched, Ordering::Relaxed);
        }
    }
}

/// One thread's view of the settings: looks again only when they have changed.
#[derive(Debug)]
pub struct Follower {
    tuning: Arc<Tuning>,
    seen: u64,
    tuned: Arc<Tuned>,
}

impl Follower {
    pub fn new(tuning: Arc<Tuning>) -> Self {
        let seen = tuning.version.load(Ordering::Acquire);
        let tuned = tuning.get();
        Self {
            tuning,
            seen,
            tuned,
        }
    }

    /// The settings in force, and whether they are others than at the last call.
    pub fn current(&mut self) -> (&Tuned, bool) {
        let version = self.tuning.version.load(Ordering::Acquire);
        let changed = version != self.seen;
        if changed {
            self.seen = version;
            self.tuned = self.tuning.get();
        }
        (&self.tuned, changed)
    }

    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::detect::settings::Thresholds;
    use crate::model::Manifest;

    /// Settings of cameras of these priorities.
    pub fn tuned(priorities: &[f64]) -> Tuned {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap();
        let camera = |&priority| CameraTuning {
            priority,
            ..CameraTuning::EVERY_FRAME
        };
        Tuned {
            detector: DetectorSettings::new(&Thresholds::default(), &model).unwrap(),
            cameras: priorities.iter().map(camera).collect(),
        }
    }

    #[test]
    fn a_change_is_seen_once_and_whole() {
        let tuning = Arc::new(Tuning::new(tuned(&[1.0])));
        let mut follower = Follower::new(Arc::clone(&tuning));
        assert!(!follower.current().1);
        tuning.set(tuned(&[2.0]));
        let (seen, changed) = follower.current();
        assert!(changed && seen.cameras[0].priority == 2.0);
        assert!(!follower.current().1);
    }
}
