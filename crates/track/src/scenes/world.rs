//! What moves in a scene.

use fastrand::Rng;
use shuffledet_core::BBox;

use super::camera::{Block, Pose};
use super::{CAR, Object, PERSON, Scenario, TRUCK, Wander, normal};
use crate::CameraMotion;

/// The step of the simulation, in seconds.
const STEP_S: f64 = 0.02;

/// The way of the camera, and everything beside it.
pub struct World {
    /// Points of the way every `STEP_S`, then straight on.
    poses: Vec<Pose>,
    now: usize,
    focal: f64,
    things: Vec<Thing>,
}

struct Thing {
    class_id: usize,
    block: Block,
    moves: Moves,
    starts_s: f64,
    speed: f64,
    wander: Wander,
    turn: Wander,
}

enum Moves {
    Never,
    /// Along the way: metres along, metres to the left, and 1 or -1.
    Along {
        along: f64,
        left: f64,
        direction: f64,
    },
    Freely,
}

impl World {
    pub fn new(scenario: &Scenario, rng: &mut Rng) -> Self {
        let poses = way(scenario, rng);
        let mut world = Self {
            poses,
            now: 0,
            focal: scenario.focal,
            things: Vec::new(),
        };
        world.populate(scenario, rng);
        world
    }

    fn populate(&mut self, scenario: &Scenario, rng: &mut Rng) {
        let traffic = scenario.traffic;
        let length = (scenario.speed * scenario.duration_s + 80.0).max(80.0);
        let minutes = scenario.duration_s / 60.0;
        let count = |expected: f64, rng: &mut Rng| (expected + rng.f64()) as usize;
        for _ in 0..count(traffic.parked * length / 100.0, rng) {
            let side = if rng.bool() { 1.0 } else { -1.0 };
            let (x, y, yaw) = self.beside(5.0 + rng.f64() * length, side * (3.2 + 4.0 * rng.f64()));
            let turned = if rng.f64() < 0.15 {
                1.57
            } else {
                0.06 * normal(rng)
            };
            let vehicle = vehicle(x, y, yaw + turned, rng);
            self.add(vehicle, Moves::Never, 0.0, 0.0);
        }
        for place in 0..traffic.ahead {
            let along = 12.0 + 22.0 * place as f64 + 8.0 * rng.f64();
            let left = if rng.f64() < 0.4 {
                3.5
            } else {
                0.2 * normal(rng)
            };
            let speed = scenario.speed * (1.0 + 0.12 * normal(rng));
            let thing = vehicle(0.0, 0.0, 0.0, rng);
            self.add(
                thing,
                Moves::Along {
                    along,
                    left,
                    direction: 1.0,
                },
                0.0,
                speed,
            );
        }
        for _ in 0..count(traffic.oncoming * minutes, rng) {
            let speed = (scenario.speed + 2.0) * (1.0 + 0.2 * normal(rng)).max(0.3);
            let left = 3.6 + 0.4 * normal(rng);
            let along = 30.0 + rng.f64() * (length + speed * scenario.duration_s);
            let thing = vehicle(0.0, 0.0, 0.0, rng);
            self.add(
                thing,
                Moves::Along {
                    along,
                    left,
                    direction: -1.0,
                },
                0.0,
                speed,
            );
        }
        for _ in 0..count(traffic.crossing * minutes, rng) {
            let (along, speed) = (20.0 + rng.f64() * length, 6.0 + 4.0 * rng.f64());
            let starts = (along / scenario.speed.max(1.0) - 5.0 - 3.0 * rng.f64()).max(0.0);
            let (x, y, yaw) = self.beside(along, 40.0);
            let thing = vehicle(x, y, yaw - 1.57, rng);
            self.add(thing, Moves::Freely, starts, speed);
        }
        for _ in 0..count(traffic.walking * length / 100.0, rng) {
            let side = if rng.bool() { 1.0 } else { -1.0 };
            let moves = Moves::Along {
                along: 6.0 + rng.f64() * length,
                left: side * (4.5 + 4.0 * rng.f64()),
                direction: if rng.bool() { 1.0 } else { -1.0 },
            };
            let speed = if rng.f64() < 0.2 {
                0.0
            } else {
                1.3 + 0.25 * normal(rng)
            };
            self.add(person(0.0, 0.0, 0.0, rng), moves, 0.0, speed);
        }
        for _ in 0..count(traffic.people_crossing * minutes, rng) {
            let along = 15.0 + rng.f64() * length;
            let side = if rng.bool() { 1.0 } else { -1.0 };
            let starts = (along / scenario.speed.max(1.0) - 6.0 - 4.0 * rng.f64()).max(0.0);
            let (x, y, yaw) = self.beside(along, side * 7.0);
            self.add(
                person(x, y, yaw - side * 1.57, rng),
                Moves::Freely,
                starts,
                1.4,
            );
        }
        self.gather(scenario, rng);
    }

    /// Adds people in front of the camera, alone or in pairs, some standing.
    fn gather(&mut self, scenario: &Scenario, rng: &mut Rng) {
        let reach = if scenario.speed > 0.0 { 45.0 } else { 26.0 };
        for _ in 0..scenario.traffic.crowd {
            let ahead = 4.0 + reach * rng.f64();
            let left = (rng.f64() - 0.5) * 1.6 * ahead.min(18.0);
            let across = rng.f64() < 0.45;
            let heading = if across { 1.57 } else { 0.0 }
                + if rng.bool() {
                    std::f64::consts::PI
                } else {
                    0.0
                }
                + 0.35 * normal(rng);
            let standing = rng.f64() < 0.15;
            let speed = if standing {
                0.0
            } else {
                (1.25 + 0.3 * normal(rng)).max(0.3)
            };
            // those who come later start outside
            let starts = if rng.f64() < 0.35 {
                rng.f64() * scenario.duration_s
            } else {
                0.0
            };
            let back = if starts > 0.0 && !standing { 12.0 } else { 0.0 };
            let (x, y) = (ahead - back * heading.cos(), left - back * heading.sin());
            self.add(person(x, y, heading, rng), Moves::Freely, starts, speed);
            if rng.f64() < 0.25 {
                let beside = 0.7 + 0.2 * rng.f64();
                let (x, y) = (x - beside * heading.sin(), y + beside * heading.cos());
                self.add(person(x, y, heading, rng), Moves::Freely, starts, speed);
            }
        }
    }

    fn add(&mut self, (class_id, block): (usize, Block), moves: Moves, starts_s: f64, speed: f64) {
        self.things.push(Thing {
            class_id,
            block,
            moves,
            starts_s,
            speed,
            wander: Wander::default(),
            turn: Wander::default(),
        });
    }

    /// Returns the pose of the camera.
    pub fn pose(&self) -> Pose {
        self.poses[self.now]
    }

    /// Moves everything to this time. Returns how the picture of what is far moved.
    pub fn advance_to(&mut self, at_s: f64, rng: &mut Rng) -> CameraMotion {
        let before = self.pose();
        let until = ((at_s / STEP_S).round() as usize).min(self.poses.len() - 1);
        // all that moves along the way must be placed in the first frame, too
        for step in self.now..=until {
            let now_s = step as f64 * STEP_S;
            let dt = if step == self.now { 0.0 } else { STEP_S };
            for index in 0..self.things.len() {
                if self.things[index].starts_s <= now_s {
                    self.advance(index, dt, rng);
                }
            }
        }
        self.now = until;
        let now = self.pose();
        CameraMotion {
            tx: self.focal * (now.yaw - before.yaw),
            ty: self.focal * (before.pitch - now.pitch),
            ..CameraMotion::NONE
        }
    }

    fn advance(&mut self, index: usize, dt: f64, rng: &mut Rng) {
        let thing = &mut self.things[index];
        let person = thing.class_id == PERSON;
        let pace =
            1.0 + if person { 0.15 } else { 0.08 } * thing.wander.step(dt.max(1e-6), 2.0, rng);
        let forward = thing.speed * pace.max(0.0) * dt;
        match &mut thing.moves {
            Moves::Never => {}
            Moves::Along {
                along,
                left,
                direction,
            } => {
                *along += *direction * forward;
                let (along, left, direction) = (*along, *left, *direction);
                let sway = if person { 0.3 } else { 0.1 } * thing.turn.step(dt.max(1e-6), 3.0, rng);
                let (x, y, yaw) = self.beside(along, left + sway);
                let block = &mut self.things[index].block;
                (block.x, block.y) = (x, y);
                block.yaw = yaw
                    + if direction < 0.0 {
                        std::f64::consts::PI
                    } else {
                        0.0
                    };
            }
            Moves::Freely => {
                let turning = if person { 0.25 } else { 0.03 };
                thing.block.yaw += turning * thing.turn.step(dt.max(1e-6), 1.5, rng) * dt;
                thing.block.x += forward * thing.block.yaw.cos();
                thing.block.y += forward * thing.block.yaw.sin();
            }
        }
    }

    /// Returns what the camera sees, nearest first.
    pub fn objects(&self, scenario: &Scenario) -> Vec<Object> {
        let now_s = self.now as f64 * STEP_S;
        let pose = self.pose();
        let (width, height) = (f64::from(scenario.width), f64::from(scenario.height));
        let mut objects: Vec<Object> = Vec::new();
        for (index, thing) in self.things.iter().enumerate() {
            if thing.starts_s > now_s {
                continue;
            }
            if let Some((distance, bbox)) = pose.see(&thing.block, scenario.focal, width, height)
                && f64::from(bbox.height()) >= (0.035 * height).max(25.0)
            {
                objects.push(Object {
                    id: index as u64 + 1,
                    class_id: thing.class_id,
                    bbox,
                    visible: 1.0,
                    distance,
                });
            }
        }
        objects.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        for index in 0..objects.len() {
            let (nearer, further) = objects.split_at_mut(index);
            further[0].visible = visible(&further[0].bbox, nearer);
        }
        objects
    }

    /// Returns the place so far along the way and so far to its left.
    fn beside(&self, along: f64, left: f64) -> (f64, f64, f64) {
        let mut gone = 0.0;
        for pair in self.poses.windows(2) {
            let step = (pair[1].x - pair[0].x).hypot(pair[1].y - pair[0].y);
            if gone + step > along && step > 0.0 {
                return place(&pair[0], along - gone, left);
            }
            gone += step;
        }
        place(&self.poses[self.poses.len() - 1], along - gone, left)
    }
}

fn place(pose: &Pose, along: f64, left: f64) -> (f64, f64, f64) {
    let (sin, cos) = pose.yaw.sin_cos();
    let x = pose.x + along * cos - left * sin;
    let y = pose.y + along * sin + left * cos;
    (x, y, pose.yaw)
}

/// Returns the way of the camera.
fn way(scenario: &Scenario, rng: &mut Rng) -> Vec<Pose> {
    let (mut x, mut y, mut yaw) = (0.0, 0.0, 0.0);
    let (mut speed, mut turn, mut shake, mut sway) = (
        Wander::default(),
        Wander::default(),
        Wander::default(),
        Wander::default(),
    );
    let mut poses = Vec::new();
    for _ in 0..=(scenario.duration_s / STEP_S) as usize {
        let pitch = scenario.pitch + scenario.shaking * shake.step(STEP_S, 0.25, rng);
        let swayed = 0.3 * scenario.shaking * sway.step(STEP_S, 0.4, rng);
        poses.push(Pose {
            x,
            y,
            yaw: yaw + swayed,
            pitch,
            height: scenario.camera_height,
        });
        let now = scenario.speed * (1.0 + 0.35 * speed.step(STEP_S, 5.0, rng)).max(0.0);
        yaw += scenario.turning * turn.step(STEP_S, 1.5, rng) * STEP_S;
        x += now * yaw.cos() * STEP_S;
        y += now * yaw.sin() * STEP_S;
    }
    poses
}

fn vehicle(x: f64, y: f64, yaw: f64, rng: &mut Rng) -> (usize, Block) {
    let truck = rng.f64() < 0.1;
    let grow = 1.0 + 0.07 * normal(rng);
    let (length, width, height) = if truck {
        (7.0, 2.3, 2.9)
    } else {
        (4.2, 1.75, 1.5)
    };
    let block = Block {
        x,
        y,
        yaw,
        length: length * grow,
        width,
        height: height * grow,
    };
    (if truck { TRUCK } else { CAR }, block)
}

fn person(x: f64, y: f64, yaw: f64, rng: &mut Rng) -> (usize, Block) {
    let height = 1.7 + 0.1 * normal(rng);
    (
        PERSON,
        Block {
            x,
            y,
            yaw,
            length: 0.5,
            width: 0.6,
            height,
        },
    )
}

/// Returns the share of a box that no nearer box covers, by a grid of points.
fn visible(bbox: &BBox, nearer: &[Object]) -> f64 {
    const SIDE: usize = 10;
    let hides = |x: f32, y: f32| {
        nearer.iter().any(|object| {
            let other = &object.bbox;
            // the corners of a box show what is behind
            let (mx, my) = (0.08 * other.width(), 0.03 * other.height());
            x > other.x1 + mx && x < other.x2 - mx && y > other.y1 + my && y < other.y2
        })
    };
    let open = (0..SIDE * SIDE).filter(|point| {
        let share = |at: usize| (at as f32 + 0.5) / SIDE as f32;
        let x = bbox.x1 + share(point % SIDE) * bbox.width();
        let y = bbox.y1 + share(point / SIDE) * bbox.height();
        !hides(x, y)
    });
    open.count() as f64 / (SIDE * SIDE) as f64
}
