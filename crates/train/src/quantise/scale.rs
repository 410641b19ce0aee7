//! Scales of integers, and the numbers that they stand for.

/// The range of a value's elements, which always contains 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub least: f32,
    pub most: f32,
}

/// Unsigned integers of 8 bits: (q - zero) * scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub scale: f32,
    pub zero: u8,
}

/// Returns the largest weight as an integer on this machine: 8 bits, or 7 where the processor adds
/// two products in 16 bits, which larger weights overflow (x86 without VNNI).
pub fn largest_weight() -> f32 {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx512vnni")
        && !std::arch::is_x86_feature_detected!("avxvnni")
    {
        return 64.0;
    }
    127.0
}

/// Keeps the quotient of a value and its scale finite.
const SMALLEST_SCALE: f32 = 1e-32;

impl Range {
    pub const EMPTY: Range = Range {
        least: 0.0,
        most: 0.0,
    };

    /// Returns the smallest range with both.
    pub fn with(self, other: Range) -> Range {
        Range {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    /// Returns the range of all but a share of the values at each end. Values that are no numbers are
    /// left out.
    pub fn of_most(values: &[f32], left_out: f64) -> Range {
        let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let beyond = (sorted.len() as f64 * left_out) as usize;
        let Some(last) = sorted.len().checked_sub(1) else {
            return Range::EMPTY;
        };
        let least = *sorted
            .select_nth_unstable_by(beyond.min(last), f32::total_cmp)
            .1;
        let most = *sorted
            .select_nth_unstable_by(last - beyond.min(last), f32::total_cmp)
            .1;
        Range { least, most }.with(Range::EMPTY)
    }

    /// Returns the scale that covers the range.
    pub fn scale(self) -> Scale {
        let scale = ((self.most - self.least) / 255.0).max(SMALLEST_SCALE);
        let zero = (-self.least / scale).round().clamp(0.0, 255.0);
        Scale {
            scale,
            zero: zero as u8,
        }
    }
}

/// Returns the scale of each row of weights, and the weights as integers up to `most`.
pub fn weights(values: &[f32], rows: usize, most: f32) -> (Vec<f32>, Vec<i8>) {
    let length = values.len().checked_div(rows).unwrap_or(0).max(1);
    let mut scales = Vec::with_capacity(rows);
    let mut integers = Vec::with_capacity(values.len());
    for row in values.chunks(length) {
        let largest = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let scale = (largest / most).max(SMALLEST_SCALE);
        let integer = |w: &f32| (w / scale).round().clamp(-most, most) as i8;
        integers.extend(row.iter().map(integer));
        scales.push(scale);
    }
    (scales, integers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_leaves_outliers_out_and_has_zero() {
        let mut values: Vec<f32> = (0..1000).map(|v| v as f32 / 100.0 + 1.0).collect();
        values.push(1e6);
        values.push(f32::NAN);
        let range = Range::of_most(&values, 0.002);
        assert!(range.least == 0.0 && range.most < 11.0, "{range:?}");
        assert_eq!(Range::of_most(&[], 0.1), Range::EMPTY);
        assert_eq!(
            Range::of_most(&[-2.0], 0.0),
            Range {
                least: -2.0,
                most: 0.0
            }
        );
    }

    proptest! {
        #[test]
        fn values_within_a_range_lose_half_a_step(least in -100f32..0.0, most in 0f32..100.0, at in 0f32..1.0) {
            let Scale { scale, zero } = Range { least, most }.scale();
            let value = least + (most - least) * at;
            let integer = (value / scale).round() + f32::from(zero);
            let back = (integer.clamp(0.0, 255.0) - f32::from(zero)) * scale;
            prop_assert!((back - value).abs() <= scale * 1.01);
            // 0 is exact: the border of a convolution
            prop_assert_eq!((f32::from(zero) - f32::from(zero)) * scale, 0.0);
        }

        #[test]
        fn weights_lose_half_a_step_of_their_row(
            values in prop::collection::vec(-3f32..3.0, 12), most in prop::sample::select(vec![64.0, 127.0]),
        ) {
            let (scales, integers) = weights(&values, 3, most);
            prop_assert_eq!((scales.len(), integers.len()), (3, 12));
            for (at, (value, integer)) in values.iter().zip(integers).enumerate() {
                let scale = scales[at / 4];
                prop_assert!((f32::from(integer) * scale - value).abs() <= scale * 0.51);
            }
        }
    }
}
