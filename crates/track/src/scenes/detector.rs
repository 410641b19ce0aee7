//! A detector with the errors of small networks.

use std::collections::BTreeMap;

use fastrand::Rng;
use shuffledet_core::{BBox, Detection};

use super::camera::Block;
use super::world::World;
use super::{CAR, Object, PERSON, Scenario, TRUCK, Wander, normal};

/// How good a detector is.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The height in pixels, as a share of the picture's, at which half of the objects are found.
    pub half_found: f64,
    /// The score's logit of an object of twice that height that is fully visible.
    pub sure: f64,
    /// Scores lie between these.
    pub scores: (f64, f64),
    /// Boxes below this score are not reported.
    pub threshold: f64,
    /// The standard deviation of an edge, as a share of the side.
    pub edge: f64,
    /// False boxes: fixed places per scene, and random ones per frame.
    pub false_places: usize,
    pub false_boxes: f64,
    /// The chance that an object has a second box.
    pub doubled: f64,
}

impl Profile {
    /// Many objects missed, low scores, rough boxes.
    pub const FASTESTDET: Profile = Profile {
        half_found: 0.075,
        sure: 1.2,
        scores: (0.0, 0.85),
        threshold: 0.25,
        edge: 0.05,
        false_places: 14,
        false_boxes: 0.35,
        doubled: 0.03,
    };
    /// Scores spread over the whole range.
    pub const NANODET_PLUS: Profile = Profile {
        half_found: 0.055,
        sure: 1.9,
        scores: (0.0, 0.92),
        threshold: 0.2,
        edge: 0.035,
        false_places: 10,
        false_boxes: 0.3,
        doubled: 0.03,
    };
    /// Nearly everything found, with scores near 1.
    pub const STRONG: Profile = Profile {
        half_found: 0.05,
        sure: 3.0,
        scores: (0.1, 1.0),
        threshold: 0.3,
        edge: 0.02,
        false_places: 8,
        false_boxes: 0.2,
        doubled: 0.01,
    };
}

/// The detector, which errs the same way for a while.
pub struct Detector {
    errors: BTreeMap<u64, Errors>,
    false_places: Vec<(u64, usize, Block)>,
    class_mix: f64,
}

#[derive(Default)]
struct Errors {
    bias: Option<f64>,
    score: Wander,
    edges: [Wander; 4],
    class: Wander,
}

/// False places have ids from here on.
const FALSE_IDS: u64 = 1 << 32;

impl Detector {
    pub fn new(scenario: &Scenario, rng: &mut Rng) -> Self {
        let length = (scenario.speed * scenario.duration_s + 40.0).max(40.0);
        let false_places = (0..scenario.profile.false_places as u64).map(|index| {
            let class_id = [PERSON, CAR][rng.usize(..2)];
            let size = if class_id == PERSON {
                (0.6, 1.6)
            } else {
                (2.2, 1.5)
            };
            let block = Block {
                x: 6.0 + rng.f64() * length,
                y: (rng.f64() - 0.5) * 24.0,
                yaw: 0.0,
                length: size.0 * (0.7 + rng.f64()),
                width: size.0 * (0.7 + rng.f64()),
                height: size.1 * (0.7 + rng.f64()),
            };
            (FALSE_IDS + index, class_id, block)
        });
        Self {
            errors: BTreeMap::new(),
            false_places: false_places.collect(),
            class_mix: 0.25,
        }
    }

    pub fn detect(
        &mut self,
        objects: &[Object],
        world: &World,
        scenario: &Scenario,
        rng: &mut Rng,
    ) -> Vec<Detection> {
        let dt = 1.0 / scenario.rate_hz;
        let profile = scenario.profile;
        let mut found = Vec::new();
        for object in objects {
            let height = f64::from(object.bbox.height()) / f64::from(scenario.height);
            let hidden = 1.0 - object.visible;
            let larger = (height / profile.half_found).log2().min(2.0);
            let logit = profile.sure * larger - 5.0 * hidden.powf(1.3);
            let (score, class_id) =
                self.score(object.id, object.class_id, logit, dt, &profile, rng);
            if score < profile.threshold {
                continue;
            }
            let edge = profile.edge * (1.0 + 1.2 * hidden);
            let bbox = self.box_with_errors(object.id, &object.bbox, edge, dt, rng);
            found.push(Detection::new(class_id, score as f32, bbox));
            if rng.f64() < profile.doubled {
                let bbox = self.box_with_errors(object.id, &object.bbox, 0.2, dt, rng);
                let score = score * (0.4 + 0.5 * rng.f64());
                if score >= profile.threshold {
                    found.push(Detection::new(class_id, score as f32, bbox));
                }
            }
        }
        let (width, height) = (f64::from(scenario.width), f64::from(scenario.height));
        for index in 0..self.false_places.len() {
            let (id, class_id, block) = self.false_places[index];
            if let Some((_, bbox)) = world.pose().see(&block, scenario.focal, width, height) {
                let (score, class_id) =
                    self.score(id, class_id, -profile.sure - 0.6, dt, &profile, rng);
                if score >= profile.threshold && bbox.height() > 18.0 {
                    let bbox = self.box_with_errors(id, &bbox, 2.0 * profile.edge, dt, rng);
                    found.push(Detection::new(class_id, score as f32, bbox));
                }
            }
        }
        let mut expected = profile.false_boxes;
        while rng.f64() < expected {
            expected -= 1.0;
            found.push(false_box(scenario, rng));
        }
        for detection in &mut found {
            detection.bbox = detection.bbox.clip(width as f32, height as f32);
        }
        found.retain(|detection| detection.bbox.width() > 3.0 && detection.bbox.height() > 3.0);
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }

    /// Returns the score and the class that the detector reports.
    fn score(
        &mut self,
        id: u64,
        class_id: usize,
        logit: f64,
        dt: f64,
        profile: &Profile,
        rng: &mut Rng,
    ) -> (f64, usize) {
        let errors = self.errors.entry(id).or_default();
        let bias = *errors.bias.get_or_insert_with(|| 0.5 * normal(rng));
        let slow = 0.6 * errors.score.step(dt, 0.5, rng);
        let logit = logit + bias + slow + 0.35 * normal(rng);
        let (low, high) = profile.scores;
        let score = low + (high - low) / (1.0 + (-logit).exp());
        let confusing = errors.class.step(dt, 0.3, rng) > 1.0;
        let class_id = match class_id {
            CAR if confusing && rng.f64() < self.class_mix => TRUCK,
            TRUCK if confusing => CAR,
            same => same,
        };
        (score, class_id)
    }

    fn box_with_errors(&mut self, id: u64, bbox: &BBox, edge: f64, dt: f64, rng: &mut Rng) -> BBox {
        let errors = self.errors.entry(id).or_default();
        let mut error = |side: f32, index: usize, rng: &mut Rng| {
            let wide = if rng.f64() < 0.03 { 3.0 } else { 1.0 };
            let slow = errors.edges[index].step(dt, 0.6, rng);
            (f64::from(side) * edge * wide * (0.6 * slow + 0.8 * normal(rng))) as f32
        };
        let (width, height) = (bbox.width(), bbox.height());
        BBox {
            x1: bbox.x1 + error(width, 0, rng),
            y1: bbox.y1 + error(height, 1, rng),
            x2: bbox.x2 + error(width, 2, rng),
            y2: bbox.y2 + error(height, 3, rng),
        }
    }
}

fn false_box(scenario: &Scenario, rng: &mut Rng) -> Detection {
    let class_id = [PERSON, CAR, CAR][rng.usize(..3)];
    let height = f64::from(scenario.height) * (0.05 + 0.25 * rng.f64() * rng.f64());
    let width = height * if class_id == PERSON { 0.4 } else { 1.4 };
    let x = rng.f64() * (f64::from(scenario.width) - width).max(1.0);
    let y = rng.f64() * (f64::from(scenario.height) - height).max(1.0);
    let threshold = scenario.profile.threshold;
    let (_, highest) = scenario.profile.scores;
    let score = threshold + (highest - threshold) * rng.f64().powi(4);
    let bbox = BBox {
        x1: x as f32,
        y1: y as f32,
        x2: (x + width) as f32,
        y2: (y + height) as f32,
    };
    Detection::new(class_id, score as f32, bbox)
}
