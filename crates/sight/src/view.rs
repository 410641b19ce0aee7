//! A small grey copy of a picture, out of the network's input.

/// The widest view, in pixels.
const WIDTH: usize = 320;

/// The part of a plane that the picture fills, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
    /// The side of a pixel of the picture in the plane, rounded up: more than 1 if the picture was
    /// enlarged.
    pub enlargement: usize,
}

/// A grey copy of a picture: means of blocks of at least 2x2 values, at most 320 pixels wide. The
/// means lower the noise of a sensor, which would hide a blur. A block has at least a pixel of a
/// picture that was enlarged, which would look blurred.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    width: usize,
    levels: Vec<f32>,
}

impl View {
    /// Replaces the copy by that of `area` of `plane`, whose rows have `stride` values. `level`
    /// converts a mean of its values to a grey level from 0 to 255; it must be linear. An area beyond
    /// the plane, or smaller than a block, leaves the view empty. Reuses the memory.
    pub fn fill(&mut self, plane: &[f32], stride: usize, area: Area, level: impl Fn(f32) -> f32) {
        self.clear();
        let Area {
            left,
            top,
            width,
            height,
            enlargement,
        } = area;
        let inside = left + width <= stride && (top + height) * stride <= plane.len();
        let block = width.div_ceil(WIDTH).max(2).max(enlargement);
        if !inside || width < block || height < block {
            return;
        }
        self.width = width / block;
        let share = 1.0 / (block * block) as f32;
        for y in 0..height / block {
            let row = self.levels.len();
            self.levels.resize(row + self.width, 0.0);
            let sums = &mut self.levels[row..];
            for line in 0..block {
                let start = (top + y * block + line) * stride + left;
                add_blocks(sums, &plane[start..start + self.width * block], block);
            }
            sums.iter_mut().for_each(|sum| *sum = level(*sum * share));
        }
    }

    /// Empties the view and keeps its memory.
    pub fn clear(&mut self) {
        self.width = 0;
        self.levels.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.levels.len().checked_div(self.width).unwrap_or(0)
    }

    /// Returns the grey levels, row by row.
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.levels[y * self.width..][..self.width]
    }

    /// Returns the mean absolute difference of two views of one size, in levels.
    pub(crate) fn difference(&self, other: &View) -> Option<f32> {
        let same = self.width == other.width && self.levels.len() == other.levels.len();
        (same && !self.is_empty()).then(|| mean_difference(&self.levels, &other.levels))
    }
}

/// Adds the sum of each `block` values to its place. The compiler adds in vectors where it knows the
/// length.
fn add_blocks(sums: &mut [f32], values: &[f32], block: usize) {
    match block {
        2 => add_blocks_of::<2>(sums, values),
        3 => add_blocks_of::<3>(sums, values),
        4 => add_blocks_of::<4>(sums, values),
        _ => {
            for (sum, values) in sums.iter_mut().zip(values.chunks_exact(block)) {
                *sum += values.iter().sum::<f32>();
            }
        }
    }
}

fn add_blocks_of<const BLOCK: usize>(sums: &mut [f32], values: &[f32]) {
    let (blocks, _) = values.as_chunks::<BLOCK>();
    for (sum, values) in sums.iter_mut().zip(blocks) {
        *sum += values.iter().sum::<f32>();
    }
}

/// Returns the mean absolute difference of values that belong together.
pub(crate) fn mean_difference(a: &[f32], b: &[f32]) -> f32 {
    let pairs = a.len().min(b.len()).max(1);
    sum_of_differences(a, b, f32::abs) / pairs as f32
}

/// Returns the sum of `measure` of each difference between values that belong together.
pub(crate) fn sum_of_differences(a: &[f32], b: &[f32], measure: impl Fn(f32) -> f32) -> f32 {
    let pairs = a.len().min(b.len());
    // eight sums: the compiler then adds in vectors
    let (mut sums, mut rest) = ([0.0f32; 8], 0.0);
    let (a, b) = (a[..pairs].chunks_exact(8), b[..pairs].chunks_exact(8));
    for (a, b) in a.remainder().iter().zip(b.remainder()) {
        rest += measure(a - b);
    }
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += measure(a - b);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_are_means_of_the_area_alone() {
        let plane: Vec<f32> = (0..48).map(|value| value as f32).collect();
        let area = Area {
            left: 2,
            top: 1,
            width: 5,
            height: 4,
            enlargement: 1,
        };
        let mut view = View::default();
        view.fill(&plane, 8, area, |value| 2.0 * value);
        assert_eq!((view.width(), view.height()), (2, 2));
        // 10, 11, 18, 19
        assert_eq!(view.levels(), [29.0, 33.0, 61.0, 65.0]);
    }

    proptest! {
        #[test]
        fn no_area_makes_a_panic(
            stride in 0usize..2000, left in 0usize..50, top in 0usize..50,
            width in 0usize..1000, height in 0usize..50, values in 0usize..50_000,
        ) {
            let mut view = View::default();
            view.fill(&vec![1.0; values], stride, Area { left, top, width, height, enlargement: 1 }, |value| value);
            prop_assert!(view.width() <= WIDTH);
            prop_assert_eq!(view.width() * view.height(), view.levels().len());
            prop_assert!(view.levels().iter().all(|&level| (level - 1.0).abs() < 1e-4));
        }

        #[test]
        fn the_difference_is_the_mean_of_all(pairs in prop::collection::vec((0f32..255.0, 0f32..255.0), 1..100)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let expected = pairs.iter().map(|(a, b)| (a - b).abs()).sum::<f32>() / pairs.len() as f32;
            prop_assert!((mean_difference(&a, &b) - expected).abs() < 1e-3);
        }
    }
}
