//! Where a network's input lies in the picture.

use shuffledet_core::{BBox, PixelRect};
use shuffledet_image::Letterbox;

/// Maps boxes of a network's input to the picture, and tells which of them the edge of a region
/// cuts.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    letterbox: Letterbox,
    /// The part of the picture that was searched, in pixels of the picture.
    part: BBox,
    picture: (f32, f32),
    /// How near to an edge of the part, in pixels of the picture, a box counts as cut by it.
    near: (f32, f32),
}

/// How near to the edge of a region a box counts as cut, in pixels of the network's input: one
/// cell of the finest grid.
const NEAR_PX: f32 = 8.0;

impl Placement {
    /// Places the input of `letterbox` at `part` of a picture of `picture` (width, height).
    pub fn new(letterbox: Letterbox, part: PixelRect, picture: (u32, u32)) -> Self {
        let (x1, y1) = (part.left as f32, part.top as f32);
        let (width, height) = (part.width as f32, part.height as f32);
        let (x, y) = letterbox.size;
        Self {
            letterbox,
            part: BBox {
                x1,
                y1,
                x2: x1 + width,
                y2: y1 + height,
            },
            picture: (picture.0 as f32, picture.1 as f32),
            near: (NEAR_PX * width / x as f32, NEAR_PX * height / y as f32),
        }
    }

    /// Returns the box in pixels of the picture, without what is beyond an inner edge, and whether
    /// an inner edge cuts it. An inner edge is an edge of the part that is not one of the picture.
    pub fn to_picture(&self, bbox: BBox) -> (BBox, bool) {
        let (x1, y1) = self.letterbox.to_image(bbox.x1, bbox.y1);
        let (x2, y2) = self.letterbox.to_image(bbox.x2, bbox.y2);
        let (part, (near_x, near_y)) = (self.part, self.near);
        let mut found = BBox {
            x1: x1 + part.x1,
            y1: y1 + part.y1,
            x2: x2 + part.x1,
            y2: y2 + part.y1,
        };
        let mut cut = false;
        if part.x1 > 0.0 {
            cut |= found.x1 < part.x1 + near_x;
            found.x1 = found.x1.max(part.x1);
        }
        if part.y1 > 0.0 {
            cut |= found.y1 < part.y1 + near_y;
            found.y1 = found.y1.max(part.y1);
        }
        if part.x2 < self.picture.0 {
            cut |= found.x2 > part.x2 - near_x;
            found.x2 = found.x2.min(part.x2);
        }
        if part.y2 < self.picture.1 {
            cut |= found.y2 > part.y2 - near_y;
            found.y2 = found.y2.min(part.y2);
        }
        (found, cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::ResizeMode;

    fn bbox([x1, y1, x2, y2]: [f32; 4]) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    fn placed(part: PixelRect) -> Placement {
        let letterbox = Letterbox::new(part.size(), (100, 50), ResizeMode::Stretch);
        Placement::new(letterbox, part, (400, 100))
    }

    #[test]
    fn only_the_regions_own_edges_cut() {
        // the right half: two pixels of the picture for each of the input
        let right = placed(PixelRect {
            left: 200,
            top: 0,
            width: 200,
            height: 100,
        });
        assert_eq!(
            right.to_picture(bbox([10.0, 0.0, 100.0, 50.0])),
            (bbox([220.0, 0.0, 400.0, 100.0]), false)
        );
        assert_eq!(
            right.to_picture(bbox([3.0, 10.0, 30.0, 20.0])),
            (bbox([206.0, 20.0, 260.0, 40.0]), true)
        );
        // what is beyond the region was not seen
        assert_eq!(
            right.to_picture(bbox([-20.0, 10.0, 30.0, 60.0])),
            (bbox([200.0, 20.0, 260.0, 120.0]), true)
        );
    }

    #[test]
    fn nothing_cuts_in_the_whole_picture() {
        let whole = placed(PixelRect {
            left: 0,
            top: 0,
            width: 400,
            height: 100,
        });
        let (found, cut) = whole.to_picture(bbox([-5.0, -5.0, 105.0, 55.0]));
        assert_eq!((found, cut), (bbox([-20.0, -10.0, 420.0, 110.0]), false));
    }
}
