//! Four pictures in one.

use rand::Rng;
use shuffledet_core::{BBox, Resolution};

use super::{Target, Targets};

/// Joins four tensors of `input` into the first: each gives the quarter around a point near the middle. A class counts as
/// annotated if all four pictures are annotated for it.
pub fn join(random: &mut impl Rng, input: Resolution, parts: &mut [(Vec<f32>, Targets); 4]) {
    let (width, height) = (input.width as usize, input.height as usize);
    let middle = |random: &mut dyn FnMut() -> f32, side: usize| {
        ((0.35 + 0.3 * random()) * side as f32) as usize
    };
    let mut share = || random.random_range(0.0..=1.0f32);
    let (x, y) = (middle(&mut share, width), middle(&mut share, height));
    let quarters = [
        (0, 0, x, y),
        (x, 0, width, y),
        (0, y, x, height),
        (x, y, width, height),
    ];
    let (first, rest) = parts.split_at_mut(1);
    let (tensor, targets) = &mut first[0];
    for ((from, _), &(x1, y1, x2, y2)) in rest.iter().zip(&quarters[1..]) {
        for (plane, from) in tensor
            .chunks_exact_mut(width * height)
            .zip(from.chunks_exact(width * height))
        {
            for row in y1..y2 {
                let range = row * width + x1..row * width + x2;
                plane[range.clone()].copy_from_slice(&from[range]);
            }
        }
    }
    let mut objects = clipped(targets, quarters[0]);
    for ((_, of), &quarter) in rest.iter().zip(&quarters[1..]) {
        objects.extend(clipped(of, quarter));
        for (annotated, &also) in targets.annotated.iter_mut().zip(&of.annotated) {
            *annotated &= also;
        }
    }
    targets.objects = objects;
}

fn clipped(targets: &Targets, (x1, y1, x2, y2): (usize, usize, usize, usize)) -> Vec<Target> {
    let within = targets.objects.iter().filter_map(|object| {
        let bbox = BBox {
            x1: object.bbox.x1.max(x1 as f32),
            y1: object.bbox.y1.max(y1 as f32),
            x2: object.bbox.x2.min(x2 as f32),
            y2: object.bbox.y2.min(y2 as f32),
        };
        let visible = bbox.area() / object.bbox.area();
        (bbox.width() > 0.0 && bbox.height() > 0.0).then_some(Target {
            bbox,
            ignored: object.ignored || visible < 0.35,
            ..*object
        })
    });
    within.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn each_quarter_is_another_picture() {
        let input = Resolution {
            width: 32,
            height: 32,
        };
        let target = Target {
            class: 0,
            bbox: BBox {
                x1: 0.0,
                y1: 0.0,
                x2: 32.0,
                y2: 32.0,
            },
            weight: 1.0,
            ignored: false,
        };
        let mut parts: [_; 4] = std::array::from_fn(|at| {
            let targets = Targets {
                objects: vec![target],
                annotated: vec![true, at > 0],
            };
            (vec![at as f32; 3 * 32 * 32], targets)
        });
        join(
            &mut rand_chacha::ChaCha8Rng::seed_from_u64(3),
            input,
            &mut parts,
        );
        let (tensor, targets) = &parts[0];
        assert_eq!(
            (tensor[0], tensor[31], tensor[31 * 32], tensor[1023]),
            (0.0, 1.0, 2.0, 3.0)
        );
        assert_eq!(targets.annotated, [true, false]);
        let area: f32 = targets
            .objects
            .iter()
            .map(|object| object.bbox.area())
            .sum();
        assert_eq!((targets.objects.len(), area), (4, 1024.0));
    }
}
