//! Axis-aligned boxes.

/// Corners in pixels. A box with an area has `x1 <= x2` and `y1 <= y2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    pub x1: f32,
    pub y1: f32,
    pub x2: f32,
    pub y2: f32,
}

impl BBox {
    /// Returns the width in pixels.
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Returns the area in square pixels; 0 if a side is negative or NaN.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Returns the intersection over union, in [0, 1]; 0 if one of the boxes has no area.
    pub fn iou(&self, other: &BBox) -> f32 {
        let overlap = self.overlap(other);
        let (ours, theirs) = (self.area(), other.area());
        let union = ours + theirs - overlap;
        // `min` and `max` above ignore NaN, the areas do not
        if ours > 0.0 && theirs > 0.0 && overlap > 0.0 && union.is_finite() {
            (overlap / union).min(1.0)
        } else {
            0.0
        }
    }

    /// Returns the share of the area of `other` that lies within this box, in [0, 1]; 0 if one of
    /// the boxes has no area.
    pub fn share_of(&self, other: &BBox) -> f32 {
        let (overlap, whole) = (self.overlap(other), other.area());
        if self.area() > 0.0 && whole > 0.0 && overlap > 0.0 && whole.is_finite() {
            (overlap / whole).min(1.0)
        } else {
            0.0
        }
    }

    /// Returns the area of the intersection in square pixels.
    fn overlap(&self, other: &BBox) -> f32 {
        BBox {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        }
        .area()
    }

    /// Returns the part within an image of `width` by `height` pixels.
    pub fn clip(&self, width: f32, height: f32) -> BBox {
        BBox {
            x1: self.x1.clamp(0.0, width),
            y1: self.y1.clamp(0.0, height),
            x2: self.x2.clamp(0.0, width),
            y2: self.y2.clamp(0.0, height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_box() -> impl Strategy<Value = BBox> {
        (-500f32..2000.0, -500f32..2000.0, 0f32..800.0, 0f32..800.0).prop_map(|(x1, y1, w, h)| {
            BBox {
                x1,
                y1,
                x2: x1 + w,
                y2: y1 + h,
            }
        })
    }

    #[test]
    fn disjoint_boxes_do_not_overlap_however_far_apart() {
        let a = BBox {
            x1: 0.0,
            y1: 0.0,
            x2: 10.0,
            y2: 10.0,
        };
        let b = BBox {
            x1: 20.0,
            y1: 20.0,
            x2: 30.0,
            y2: 30.0,
        };
        assert_eq!(a.iou(&b), 0.0);
    }

    #[test]
    fn half_of_two_squares() {
        let a = BBox {
            x1: 0.0,
            y1: 0.0,
            x2: 10.0,
            y2: 10.0,
        };
        let b = BBox {
            x1: 0.0,
            y1: 5.0,
            x2: 10.0,
            y2: 15.0,
        };
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn iou_is_symmetric_and_in_unit_range(a in any_box(), b in any_box()) {
            let iou = a.iou(&b);
            prop_assert!((0.0..=1.0).contains(&iou));
            prop_assert_eq!(iou, b.iou(&a));
        }

        #[test]
        fn iou_with_itself_is_one_unless_degenerate(a in any_box()) {
            let expected = if a.area() > 0.0 { 1.0 } else { 0.0 };
            prop_assert!((a.iou(&a) - expected).abs() < 1e-6);
        }

        #[test]
        fn the_share_is_that_of_the_other_box(a in any_box(), b in any_box()) {
            let share = a.share_of(&b);
            prop_assert!((0.0..=1.0).contains(&share));
            prop_assert!(share >= a.iou(&b) - 1e-6);
            if b.area() > 0.0 {
                let around = BBox { x1: b.x1 - 1.0, y1: b.y1 - 1.0, x2: b.x2 + 1.0, y2: b.y2 + 1.0 };
                prop_assert_eq!(around.share_of(&b), 1.0);
            }
        }

        #[test]
        fn degenerate_and_senseless_boxes_overlap_nothing(a in any_box(), v: f32) {
            for b in [
                BBox { x2: a.x1, ..a },
                BBox { y2: a.y1 - 1.0, ..a },
                BBox { x1: f32::NAN, ..a },
                BBox { x1: f32::NEG_INFINITY, x2: f32::INFINITY, ..a },
                BBox { x1: v, y1: v, x2: v, y2: v },
            ] {
                prop_assert_eq!(a.iou(&b), 0.0);
                prop_assert_eq!(b.iou(&a), 0.0);
                prop_assert_eq!(a.share_of(&b), 0.0);
            }
        }

        #[test]
        fn clipping_keeps_a_box_within_the_image(a in any_box(), w in 1f32..2000.0, h in 1f32..2000.0) {
            let c = a.clip(w, h);
            prop_assert!(0.0 <= c.x1 && c.x1 <= c.x2 && c.x2 <= w);
            prop_assert!(0.0 <= c.y1 && c.y1 <= c.y2 && c.y2 <= h);
            prop_assert_eq!(c.clip(w, h), c);
        }
    }
}
