//! Which part of a picture fills the network's input.

use rand::Rng;
use shuffledet_core::{BBox, PixelRect, Resolution};

use super::Target;
use crate::data::LabelledBox;

/// The most that a crop may be stretched, as a ratio of its aspects.
const MOST_STRETCH: f32 = 1.9;
/// A box with a smaller part left is neither an object nor background.
const LEAST_VISIBLE: f32 = 0.35;
/// In pixels of the input: smaller sides show nothing.
const LEAST_SIDE: f32 = 2.0;

/// A part of a picture, and where it goes in the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    /// In pixels of the picture, within it.
    pub part: PixelRect,
    /// In pixels of the input: where the part goes. The rest is margin.
    pub place: PixelRect,
    pub mirrored: bool,
}

impl Crop {
    /// Takes the whole of a picture of `size` (width, height) to the whole of `input`.
    pub fn whole(size: (u32, u32), input: Resolution) -> Self {
        Self {
            part: rect(0, 0, size.0, size.1),
            place: rect(0, 0, input.width, input.height),
            mirrored: false,
        }
    }

    /// Draws a part of a picture of `size`. Its aspect is between that of the input and that of the picture: the product
    /// stretches pictures of another aspect, by no more than that.
    pub fn draw(
        random: &mut impl Rng,
        size: (u32, u32),
        input: Resolution,
        zoom: [f32; 2],
        mirror: bool,
    ) -> Self {
        let (width, height) = (size.0 as f32, size.1 as f32);
        let wanted = input.width as f32 / input.height as f32;
        let stretch = (width / height / wanted).clamp(1.0 / MOST_STRETCH, MOST_STRETCH);
        let aspect = wanted
            * stretch.powf(random.random_range(0.0..=1.0))
            * random.random_range(0.9..=1.1f32);
        // the largest part of that aspect
        let (w, h) = match aspect >= width / height {
            true => (width, width / aspect),
            false => (height * aspect, height),
        };
        let zoom = random.random_range(zoom[0]..=zoom[1]);
        let mirrored = mirror && random.random_bool(0.5);
        let (left, top) = (
            random.random_range(0.0..=1.0f32),
            random.random_range(0.0..=1.0f32),
        );
        let share = zoom.min(1.0);
        let part_width = ((w * share).round() as u32).clamp(1, size.0);
        let part_height = ((h * share).round() as u32).clamp(1, size.1);
        let part = rect(
            (left * (size.0 - part_width) as f32) as u32,
            (top * (size.1 - part_height) as f32) as u32,
            part_width,
            part_height,
        );
        let inner = |side: u32| ((side as f32 / zoom.max(1.0)).round() as u32).clamp(1, side);
        let (place_width, place_height) = (inner(input.width), inner(input.height));
        let place = rect(
            (left * (input.width - place_width) as f32) as u32,
            (top * (input.height - place_height) as f32) as u32,
            place_width,
            place_height,
        );
        Self {
            part,
            place,
            mirrored,
        }
    }

    /// Returns the object as it is in the input of `input` pixels; `None` if nothing is left of it.
    pub fn target(&self, object: &LabelledBox, input: Resolution) -> Option<Target> {
        let (part, place) = (bounds(self.part), bounds(self.place));
        let (sx, sy) = (place.width() / part.width(), place.height() / part.height());
        let x = |x: f32| (x - part.x1) * sx + place.x1;
        let y = |y: f32| (y - part.y1) * sy + place.y1;
        let mut whole = BBox {
            x1: x(object.bbox.x1),
            y1: y(object.bbox.y1),
            x2: x(object.bbox.x2),
            y2: y(object.bbox.y2),
        };
        if self.mirrored {
            let width = input.width as f32;
            (whole.x1, whole.x2) = (width - whole.x2, width - whole.x1);
        }
        let mut edge = place;
        if self.mirrored {
            let width = input.width as f32;
            (edge.x1, edge.x2) = (width - place.x2, width - place.x1);
        }
        let clipped = BBox {
            x1: whole.x1.max(edge.x1),
            y1: whole.y1.max(edge.y1),
            x2: whole.x2.min(edge.x2),
            y2: whole.y2.min(edge.y2),
        };
        // false for what is not a number
        if !(clipped.width() > 0.0 && clipped.height() > 0.0 && whole.area().is_finite()) {
            return None;
        }
        let visible = clipped.area() / whole.area();
        let small = clipped.width().min(clipped.height()) < LEAST_SIDE;
        Some(Target {
            class: object.class,
            bbox: clipped,
            weight: object.weight,
            ignored: object.ignored || small || visible < LEAST_VISIBLE,
        })
    }
}

pub(super) fn rect(left: u32, top: u32, width: u32, height: u32) -> PixelRect {
    PixelRect {
        left,
        top,
        width,
        height,
    }
}

fn bounds(rect: PixelRect) -> BBox {
    BBox {
        x1: rect.left as f32,
        y1: rect.top as f32,
        x2: (rect.left + rect.width) as f32,
        y2: (rect.top + rect.height) as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Origin;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn object(x1: f32, y1: f32, x2: f32, y2: f32) -> LabelledBox {
        LabelledBox {
            class: 1,
            bbox: BBox { x1, y1, x2, y2 },
            weight: 1.0,
            ignored: false,
            origin: Origin::Person,
        }
    }

    const INPUT: Resolution = Resolution {
        width: 64,
        height: 32,
    };

    #[test]
    fn boxes_follow_their_picture() {
        let whole = Crop::whole((128, 128), INPUT);
        let target = whole
            .target(&object(32.0, 64.0, 64.0, 128.0), INPUT)
            .unwrap();
        assert_eq!(
            target.bbox,
            BBox {
                x1: 16.0,
                y1: 16.0,
                x2: 32.0,
                y2: 32.0
            }
        );
        let mirrored = Crop {
            mirrored: true,
            ..whole
        };
        let target = mirrored
            .target(&object(32.0, 64.0, 64.0, 128.0), INPUT)
            .unwrap();
        assert_eq!((target.bbox.x1, target.bbox.x2), (32.0, 48.0));
        let half = Crop {
            part: rect(64, 0, 64, 128),
            ..whole
        };
        assert!(half.target(&object(0.0, 0.0, 60.0, 60.0), INPUT).is_none());
        assert!(
            half.target(&object(0.0, 0.0, 70.0, 60.0), INPUT)
                .unwrap()
                .ignored
        );
        assert!(
            !half
                .target(&object(50.0, 0.0, 120.0, 60.0), INPUT)
                .unwrap()
                .ignored
        );
    }

    proptest! {
        #[test]
        fn targets_lie_within_the_input(
            seed: u64, size in (1u32..900, 1u32..900), corner in (-50f32..900.0, -50f32..900.0),
            sides in (-5f32..500.0, -5f32..500.0), zoom in (0.2f32..1.0, 1.0f32..1.6),
        ) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let crop = Crop::draw(&mut random, size, INPUT, [zoom.0, zoom.1], true);
            prop_assert!(crop.part.width >= 1 && crop.part.left + crop.part.width <= size.0);
            prop_assert!(crop.part.height >= 1 && crop.part.top + crop.part.height <= size.1);
            prop_assert!(crop.place.left + crop.place.width <= INPUT.width);
            let object = object(corner.0, corner.1, corner.0 + sides.0, corner.1 + sides.1);
            if let Some(target) = crop.target(&object, INPUT) {
                let b = target.bbox;
                prop_assert!(0.0 <= b.x1 && b.x1 < b.x2 && b.x2 <= 64.0, "{b:?}");
                prop_assert!(0.0 <= b.y1 && b.y1 < b.y2 && b.y2 <= 32.0, "{b:?}");
            }
        }
    }
}
