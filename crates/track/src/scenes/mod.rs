//! Scenes with truth: cars and people on a ground plane, seen by a moving or a fixed camera, and the
//! boxes that a detector would report. Seeded: a seed and a scenario give one scene.

mod camera;
mod detector;
mod scenario;
mod world;

pub use detector::Profile;
pub use scenario::{Scenario, Traffic};

use fastrand::Rng;
use shuffledet_core::{BBox, Detection};

use crate::CameraMotion;

/// The class ids of scenes, those of COCO's 80 classes.
pub const PERSON: usize = 0;
pub const CAR: usize = 2;
pub const TRUCK: usize = 7;

/// A recording with its truth.
#[derive(Debug, Clone)]
pub struct Scene {
    pub width: u32,
    pub height: u32,
    pub frames: Vec<Frame>,
}

/// One frame of a scene.
#[derive(Debug, Clone)]
pub struct Frame {
    pub stamp_ns: i64,
    /// How the picture moved since the frame before.
    pub motion: CameraMotion,
    pub objects: Vec<Object>,
    /// The highest score first.
    pub detections: Vec<Detection>,
}

/// An object that a frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// The same in every frame.
    pub id: u64,
    pub class_id: usize,
    /// Clipped to the picture.
    pub bbox: BBox,
    /// The share of the box that nothing nearer hides.
    pub visible: f64,
    /// In metres.
    pub distance: f64,
}

impl Scene {
    /// Makes the scene of a scenario with this seed.
    pub fn new(scenario: &Scenario, seed: u64) -> Scene {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED);
        let mut world = world::World::new(scenario, &mut rng);
        let mut detector = detector::Detector::new(scenario, &mut rng);
        let count = (scenario.duration_s * scenario.rate_hz) as usize;
        let mut frames = Vec::with_capacity(count);
        for index in 0..count {
            let at_s = index as f64 / scenario.rate_hz;
            let motion = world.advance_to(at_s, &mut rng);
            let objects = world.objects(scenario);
            let detections = detector.detect(&objects, &world, scenario, &mut rng);
            frames.push(Frame {
                stamp_ns: 1_700_000_000_000_000_000 + (at_s * 1e9).round() as i64,
                motion,
                objects: objects
                    .into_iter()
                    .filter(|object| object.visible >= scenario.least_visible)
                    .collect(),
                detections,
            });
        }
        Scene {
            width: scenario.width,
            height: scenario.height,
            frames,
        }
    }

    /// Makes the scene of a scenario with this seed, and changes it.
    pub fn of_variant(scenario: &Scenario, seed: u64, variant: Variant) -> Scene {
        let mut scene = Self::new(scenario, seed);
        if matches!(variant, Variant::Weak | Variant::WeakHalf) {
            scene.weaken(0.5, 0.1);
        }
        if matches!(variant, Variant::Half | Variant::WeakHalf) {
            scene.lose_frames(0.5, seed);
        }
        scene
    }

    /// Loses each frame with this chance. The motion of the picture adds up over lost ones.
    fn lose_frames(&mut self, chance: f64, seed: u64) {
        let mut rng = Rng::with_seed(seed ^ 0x1057);
        let mut pending = CameraMotion::NONE;
        self.frames.retain_mut(|frame| {
            pending = pending.then(&frame.motion);
            let kept = rng.f64() >= chance;
            if kept {
                frame.motion = std::mem::replace(&mut pending, CameraMotion::NONE);
            }
            kept
        });
    }

    /// Makes all scores lower by this factor; boxes below `least` disappear.
    fn weaken(&mut self, factor: f32, least: f32) {
        for frame in &mut self.frames {
            let detections = &mut frame.detections;
            detections
                .iter_mut()
                .for_each(|detection| detection.score *= factor);
            detections.retain(|detection| detection.score >= least);
        }
    }
}

/// What happens to a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    All,
    /// Half of the frames are lost, at random.
    Half,
    /// Scores are half as high.
    Weak,
    WeakHalf,
}

impl Variant {
    pub const ALL: [Variant; 4] = [
        Variant::All,
        Variant::Half,
        Variant::Weak,
        Variant::WeakHalf,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Variant::All => "all",
            Variant::Half => "half",
            Variant::Weak => "weak",
            Variant::WeakHalf => "weak_half",
        }
    }
}

/// Returns a normally distributed number (Box and Muller's transform).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// A random process with unit deviation that forgets itself with a time constant.
#[derive(Debug, Clone, Copy, Default)]
struct Wander {
    value: f64,
    started: bool,
}

impl Wander {
    fn step(&mut self, dt: f64, lasts_s: f64, rng: &mut Rng) -> f64 {
        let kept = if self.started {
            (-dt / lasts_s).exp()
        } else {
            0.0
        };
        self.started = true;
        self.value = kept * self.value + (1.0 - kept * kept).sqrt() * normal(rng);
        self.value
    }
}
