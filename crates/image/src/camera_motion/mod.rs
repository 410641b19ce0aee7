//! How the picture moves between two frames: an affine map of the background.
//!
//! Points of the picture are followed from frame to frame on a small grey copy, those on objects left
//! out, and most of them agree on a map. The copy of a frame ([`GreyPyramid`]) can be made by any
//! worker; the [`MotionEstimator`] of a camera takes them in the order of the frames.
//!
//! OpenCV has the same steps in its modules `video` and `calib3d`. Their bindings bring `dnn`,
//! `features2d` and `flann` into the build, for two functions.

mod fit;
mod flow;
mod grey;
mod points;

use shuffledet_core::BBox;

pub use grey::GreyPyramid;

use fit::Match;

/// The motion of the background from the frame before to this one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureMotion {
    /// `[a, b, tx, c, d, ty]`, in pixels of the original image: x' = a x + b y + tx, y' = c x + d y + ty.
    pub affine: [f64; 6],
    /// Points that were followed.
    pub points: usize,
    /// Points that agree with the map.
    pub inliers: usize,
}

/// The fewest points that make a map, and the least share of them that must agree.
const LEAST_INLIERS: usize = 12;
const LEAST_SHARE: f64 = 0.35;

/// Follows the background of one camera. It keeps the latest frame, and nothing else.
#[derive(Debug, Default)]
pub struct MotionEstimator {
    /// The latest frame and the points in it that will be followed.
    latest: GreyPyramid,
    points: Vec<[f32; 2]>,
    matches: Vec<Match>,
}

impl MotionEstimator {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the latest frame: the next one has no motion.
    pub fn reset(&mut self) {
        self.latest.clear();
        self.points.clear();
    }

    /// Takes the next frame. `boxes` are its objects, in pixels of the original image; the next call
    /// leaves out what lies in them. Swaps the memory of `frame` with that of the frame before.
    ///
    /// Returns `None` for the first frame, for one of another size, and if too few points agree: in
    /// the dark, in fog, or when objects fill the picture.
    pub fn next(
        &mut self,
        frame: &mut GreyPyramid,
        boxes: impl Iterator<Item = BBox> + Clone,
    ) -> Option<PictureMotion> {
        let motion = if self.latest.is_same_size(frame) {
            self.follow(frame)
        } else {
            None
        };
        std::mem::swap(&mut self.latest, frame);
        points::select(&self.latest, boxes, &mut self.points);
        motion
    }

    fn follow(&mut self, frame: &GreyPyramid) -> Option<PictureMotion> {
        self.matches.clear();
        for &from in &self.points {
            if let Some(to) = flow::follow(&self.latest, frame, from) {
                // from the middles of pixels to distances from the border
                let [from, to] = [from, to].map(|point| point.map(|side| f64::from(side) + 0.5));
                self.matches.push(Match { from, to });
            }
        }
        let (affine, inliers) = fit::affine(&self.matches)?;
        let points = self.matches.len();
        let agree = inliers >= LEAST_INLIERS && inliers as f64 >= LEAST_SHARE * points as f64;
        agree.then(|| PictureMotion {
            affine: frame.in_image(affine),
            points,
            inliers,
        })
    }
}

#[cfg(test)]
mod tests;
