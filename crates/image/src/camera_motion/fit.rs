//! The affine map that most matches agree on: M. A. Fischler and R. C. Bolles, "Random Sample
//! Consensus" (1981), with similarities of two matches, and a least-squares fit of what agrees.

/// A point and where it is in the next picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Match {
    pub from: [f64; 2],
    pub to: [f64; 2],
}

type Affine = [f64; 6];

const SAMPLES: usize = 80;
/// How far a match may be from the map: while searching, and at the end. In pixels.
const NEAR_PX: f64 = 2.5;
const CLOSE_PX: f64 = 1.2;
/// Of the rounds of the least-squares fit.
const LIMITS_PX: [f64; 3] = [NEAR_PX, CLOSE_PX, CLOSE_PX];
/// Points of a sample that are nearer to each other say nothing about scale and turn, in pixels.
const APART_PX: f64 = 40.0;

/// Returns the map and the number of matches that agree with it. The same matches give the same map.
pub(super) fn affine(matches: &[Match]) -> Option<(Affine, usize)> {
    let mut random = Sequence(0x9E37_79B9_7F4A_7C15);
    let agreeing = |map: Affine, limit: f64| {
        let near = move |found: &&Match| residual(&map, found) < limit;
        matches.iter().filter(near)
    };
    let mut best: Option<(Affine, usize)> = None;
    for _ in 0..SAMPLES {
        let one = random.below(matches.len())?;
        let other = random.below(matches.len())?;
        let Some(map) = similarity(&matches[one], &matches[other]) else {
            continue;
        };
        let agree = agreeing(map, NEAR_PX).count();
        if best.is_none_or(|(_, most)| agree > most) {
            best = Some((map, agree));
        }
    }
    let (mut map, _) = best?;
    for limit in LIMITS_PX {
        map = least_squares(agreeing(map, limit))?;
    }
    Some((map, agreeing(map, CLOSE_PX).count()))
}

fn residual(map: &Affine, found: &Match) -> f64 {
    let [a, b, tx, c, d, ty] = map;
    let [x, y] = found.from;
    (a * x + b * y + tx - found.to[0]).hypot(c * x + d * y + ty - found.to[1])
}

/// The turn, scale and shift of two matches.
fn similarity(one: &Match, other: &Match) -> Option<Affine> {
    let difference = |a: [f64; 2], b: [f64; 2]| [b[0] - a[0], b[1] - a[1]];
    let [x, y] = difference(one.from, other.from);
    let [u, v] = difference(one.to, other.to);
    let length = x * x + y * y;
    if length < APART_PX * APART_PX {
        return None;
    }
    // as complex numbers: (u + iv) / (x + iy)
    let (a, c) = ((u * x + v * y) / length, (v * x - u * y) / length);
    let [from_x, from_y] = one.from;
    let tx = one.to[0] - a * from_x + c * from_y;
    let ty = one.to[1] - c * from_x - a * from_y;
    Some([a, -c, tx, c, a, ty])
}

/// The map with the least sum of squares; `None` if the points lie on a line.
fn least_squares<'a>(matches: impl Iterator<Item = &'a Match> + Clone) -> Option<Affine> {
    let mut sums = [0.0; 4];
    let mut count = 0.0;
    for found in matches.clone() {
        let sides = [found.from[0], found.from[1], found.to[0], found.to[1]];
        sums.iter_mut()
            .zip(sides)
            .for_each(|(sum, side)| *sum += side);
        count += 1.0;
    }
    let [mean_x, mean_y, mean_u, mean_v] = sums.map(|sum| sum / count);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let mut to = [[0.0; 2]; 2];
    for found in matches {
        let (x, y) = (found.from[0] - mean_x, found.from[1] - mean_y);
        xx += x * x;
        xy += x * y;
        yy += y * y;
        for (sums, side) in to
            .iter_mut()
            .zip([found.to[0] - mean_u, found.to[1] - mean_v])
        {
            sums[0] += x * side;
            sums[1] += y * side;
        }
    }
    let determinant = xx * yy - xy * xy;
    if determinant.is_nan() || determinant <= 1e-6 * (xx + yy) * (xx + yy) {
        return None;
    }
    let [[a, b], [c, d]] = to.map(|[x, y]| {
        [
            (yy * x - xy * y) / determinant,
            (xx * y - xy * x) / determinant,
        ]
    });
    let (tx, ty) = (
        mean_u - a * mean_x - b * mean_y,
        mean_v - c * mean_x - d * mean_y,
    );
    Some([a, b, tx, c, d, ty])
}

/// Numbers that look random and are the same each time (Marsaglia's xorshift).
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, end: usize) -> Option<usize> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 as usize >> 8).checked_rem(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(map: Affine, wrong: usize) -> Vec<Match> {
        let [a, b, tx, c, d, ty] = map;
        (0..150)
            .map(|at| {
                let (x, y) = (f64::from(at * 37 % 600), f64::from(at * 91 % 350));
                let off = if (at as usize) < wrong {
                    f64::from(at * 13 % 41) + 5.0
                } else {
                    0.0
                };
                let to = [a * x + b * y + tx + off, c * x + d * y + ty - off];
                Match { from: [x, y], to }
            })
            .collect()
    }

    #[test]
    fn too_few_matches_have_no_map() {
        assert_eq!(affine(&[]), None);
        let same = Match {
            from: [1.0, 2.0],
            to: [1.0, 2.0],
        };
        assert_eq!(affine(&[same; 40]), None);
        let nowhere = Match {
            from: [1.0, 2.0],
            to: [f64::NAN; 2],
        };
        assert_eq!(affine(&[nowhere, same]), None);
    }

    proptest! {
        #[test]
        fn the_map_of_most_is_found(scale in 0.95..1.05_f64, turn in -0.05..0.05_f64,
            shift in [-30.0..30.0_f64, -30.0..30.0], wrong in 0_usize..60) {
            let (sin, cos) = turn.sin_cos();
            let map = [scale * cos, -scale * sin, shift[0], scale * sin, scale * cos, shift[1]];
            let (found, agree) = affine(&matches(map, wrong)).unwrap();
            prop_assert!(agree >= 150 - wrong);
            for (found, expected) in found.iter().zip(map) {
                prop_assert!((found - expected).abs() < 1e-6);
            }
        }
    }
}
