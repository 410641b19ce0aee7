//! Settings that can change while frames are processed; they apply between two frames.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::TrackingSettings;
use crate::detect::DetectorSettings;
use shuffledet_core::Regions;
use shuffledet_image::{ImageLimits, JpegScale};
use shuffledet_sight as sight;

/// The current settings. They change all together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeSettings {
    /// The number of the model that `detector` belongs to ([`ServedModel`](super::ServedModel)).
    pub model: u64,
    pub detector: DetectorSettings,
    pub tracking: TrackingSettings,
    /// By camera.
    pub cameras: Vec<CameraSettings>,
}

/// How the frames of one camera are selected and searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraSettings {
    /// The maximum age of a frame; older frames are dropped.
    pub max_age: Option<Duration>,
    /// The maximum mean rate of admitted frames, above 0; frames beyond it are dropped.
    pub max_rate_hz: Option<f64>,
    /// The camera's weight under overload, relative to the other cameras; above 0.
    pub priority: f64,
    /// Whether its frames are processed; otherwise they are dropped.
    pub enabled: bool,
    /// The scale at which its JPEG images are decoded.
    pub jpeg_scale: JpegScale,
    /// The limits of its images.
    pub limits: ImageLimits,
    /// The parts of its pictures that are searched.
    pub regions: Regions,
    /// How its pictures are judged; `None` if they are not.
    pub sight: Option<sight::Settings>,
    pub mounting: CameraMounting,
}

/// How a camera is mounted on its vehicle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CameraMounting {
    /// Above the ground, in metres, if it is known.
    pub height_m: Option<f64>,
    /// Positive if the camera looks down, in radians; `None`: the boxes tell it.
    pub pitch_rad: Option<f64>,
}

impl CameraMounting {
    pub const UNKNOWN: Self = Self {
        height_m: None,
        pitch_rad: None,
    };
}

impl CameraSettings {
    /// Processes every frame, as a lossless replay does.
    pub const EVERY_FRAME: Self = Self {
        max_age: None,
        max_rate_hz: None,
        priority: 1.0,
        enabled: true,
        jpeg_scale: JpegScale::Full,
        limits: ImageLimits::DEFAULT,
        regions: Regions::WHOLE,
        sight: None,
        mounting: CameraMounting::UNKNOWN,
    };
}

/// Who wants the annotated frames of a camera, by their form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Viewers {
    pub jpeg: bool,
    pub bgr: bool,
}

impl Viewers {
    /// Somebody wants the JPEG.
    pub const JPEG: Self = Self {
        jpeg: true,
        bgr: false,
    };
}

/// Shares [`RuntimeSettings`] between its writers and the threads that follow it.
#[derive(Debug)]
pub struct SharedSettings {
    tuned: RwLock<Arc<RuntimeSettings>>,
    version: AtomicU64,
    /// By camera: who currently wants its annotated frames.
    viewers: Vec<[AtomicBool; 2]>,
    /// Whether a tracker takes the frames.
    tracked: AtomicBool,
}

impl SharedSettings {
    pub fn new(tuned: RuntimeSettings) -> Self {
        let viewers = tuned.cameras.iter().map(|_| Default::default()).collect();
        Self {
            tuned: RwLock::new(Arc::new(tuned)),
            version: AtomicU64::new(0),
            viewers,
            tracked: AtomicBool::new(false),
        }
    }

    /// Applies new settings from the next frame on.
    pub fn set(&self, tuned: RuntimeSettings) {
        // a poisoned lock still holds a whole value: it is replaced in one step
        *self.tuned.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tuned);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub fn get(&self) -> Arc<RuntimeSettings> {
        Arc::clone(&self.tuned.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns who wants the camera's annotated frames.
    pub fn viewers(&self, camera: usize) -> Viewers {
        let wanted = |form: usize| {
            let flags = self.viewers.get(camera);
            flags.is_some_and(|flags| flags[form].load(Ordering::Relaxed))
        };
        Viewers {
            jpeg: wanted(0),
            bgr: wanted(1),
        }
    }

    /// Whether a tracker takes the frames, so that workers prepare what it needs.
    pub fn is_tracked(&self) -> bool {
        self.tracked.load(Ordering::Relaxed)
    }

    pub(super) fn set_tracked(&self) {
        self.tracked.store(true, Ordering::Relaxed);
    }

    pub fn set_viewers(&self, camera: usize, viewers: Viewers) {
        if let Some([jpeg, bgr]) = self.viewers.get(camera) {
            jpeg.store(viewers.jpeg, Ordering::Relaxed);
            bgr.store(viewers.bgr, Ordering::Relaxed);
        }
    }
}

/// One thread's copy of the settings, updated only when they change.
#[derive(Debug)]
pub struct SettingsReader {
    tuning: Arc<SharedSettings>,
    seen: u64,
    tuned: Arc<RuntimeSettings>,
}

impl SettingsReader {
    pub fn new(tuning: Arc<SharedSettings>) -> Self {
        let seen = tuning.version.load(Ordering::Acquire);
        let tuned = tuning.get();
        Self {
            tuning,
            seen,
            tuned,
        }
    }

    /// Returns the current settings, and whether they changed since the last call.
    pub fn current(&mut self) -> (&RuntimeSettings, bool) {
        let version = self.tuning.version.load(Ordering::Acquire);
        let changed = version != self.seen;
        if changed {
            self.seen = version;
            self.tuned = self.tuning.get();
        }
        (&self.tuned, changed)
    }

    pub fn tuning(&self) -> &SharedSettings {
        &self.tuning
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::detect::settings::Thresholds;
    use crate::model::Manifest;

    /// Returns settings of cameras with these priorities.
    pub fn tuned(priorities: &[f64]) -> RuntimeSettings {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest
            .describe(manifest.model("nanodet_m_416").unwrap())
            .unwrap();
        let camera = |&priority| CameraSettings {
            priority,
            ..CameraSettings::EVERY_FRAME
        };
        RuntimeSettings {
            model: 0,
            detector: DetectorSettings::new(&Thresholds::default(), &model).unwrap(),
            tracking: TrackingSettings::default(),
            cameras: priorities.iter().map(camera).collect(),
        }
    }

    #[test]
    fn a_change_is_seen_once_and_whole() {
        let tuning = Arc::new(SharedSettings::new(tuned(&[1.0])));
        let mut follower = SettingsReader::new(Arc::clone(&tuning));
        assert!(!follower.current().1);
        tuning.set(tuned(&[2.0]));
        let (seen, changed) = follower.current();
        assert!(changed && seen.cameras[0].priority == 2.0);
        assert!(!follower.current().1);
    }
}
