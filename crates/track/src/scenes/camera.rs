//! A pinhole camera above a ground plane.

use shuffledet_core::BBox;

/// Where the camera is: metres, radians; x and y on the ground, yaw to the left.
#[derive(Debug, Clone, Copy)]
pub struct Pose {
    pub x: f64,
    pub y: f64,
    pub yaw: f64,
    /// Down.
    pub pitch: f64,
    pub height: f64,
}

/// A block on the ground.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub x: f64,
    pub y: f64,
    pub yaw: f64,
    pub length: f64,
    pub width: f64,
    pub height: f64,
}

/// The nearest depth at which a corner counts, in metres.
const NEAREST: f64 = 0.5;

impl Pose {
    /// Returns the distance to the block's centre along the view, and its box in a picture of this
    /// size, clipped. `None` if it is behind or outside.
    pub fn see(&self, block: &Block, focal: f64, width: f64, height: f64) -> Option<(f64, BBox)> {
        let (mut x1, mut y1, mut x2, mut y2) = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
        let mut behind = 0;
        for corner in 0..8 {
            let sign = |bit: usize| if corner >> bit & 1 == 1 { 0.5 } else { -0.5 };
            let (along, across) = (sign(0) * block.length, sign(1) * block.width);
            let x = block.x + along * block.yaw.cos() - across * block.yaw.sin();
            let y = block.y + along * block.yaw.sin() + across * block.yaw.cos();
            let up = (sign(2) + 0.5) * block.height;
            let (right, down, ahead) = self.place(x, y, up);
            behind += usize::from(ahead < NEAREST);
            let ahead = ahead.max(NEAREST);
            let (u, v) = (
                width / 2.0 + focal * right / ahead,
                height / 2.0 + focal * down / ahead,
            );
            (x1, x2, y1, y2) = (x1.min(u), x2.max(u), y1.min(v), y2.max(v));
        }
        let (_, _, distance) = self.place(block.x, block.y, block.height / 2.0);
        let bbox = BBox {
            x1: x1 as f32,
            y1: y1 as f32,
            x2: x2 as f32,
            y2: y2 as f32,
        };
        let clipped = bbox.clip(width as f32, height as f32);
        let inside = clipped.width() >= 4.0 && clipped.height() >= 4.0;
        // mostly outside: nobody would draw a box
        let enough = clipped.area() >= 0.15 * bbox.area();
        (behind < 4 && distance > 1.0 && inside && enough).then_some((distance, clipped))
    }

    /// Returns a point in the camera's optical frame: right, down, ahead.
    fn place(&self, x: f64, y: f64, up: f64) -> (f64, f64, f64) {
        let (dx, dy) = (x - self.x, y - self.y);
        let level = dx * self.yaw.cos() + dy * self.yaw.sin();
        let left = -dx * self.yaw.sin() + dy * self.yaw.cos();
        let below = self.height - up;
        let ahead = level * self.pitch.cos() + below * self.pitch.sin();
        let down = below * self.pitch.cos() - level * self.pitch.sin();
        (-left, down, ahead)
    }
}
