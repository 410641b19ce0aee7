//! Checks that a model's outputs are valid numbers. It checks every value, not only those that form
//! a box: NaN exceeds no threshold, so an invalid output would look like an image without objects.

use std::ops::RangeInclusive;

use shuffledet_infer::BadOutput;

/// Half precision and fast approximations exceed [0, 1] by at most this; such a score counts as 0
/// or 1.
const SLACK: f32 = 1e-3;
pub const LOWEST_SCORE: f32 = -SLACK;
const SCORES: RangeInclusive<f32> = LOWEST_SCORE..=1.0 + SLACK;

/// Fails unless each of `scores` is in [0, 1]. The first is at `offset` of output `output`.
pub fn check_scores(scores: &[f32], output: usize, offset: usize) -> Result<(), BadOutput> {
    check(scores, output, offset, "a score in [0, 1]", |score| {
        SCORES.contains(&score)
    })
}

/// Does the same as [`check_scores`] for scores that are logits in some exports of the model.
pub fn check_class_scores(scores: &[f32], output: usize, offset: usize) -> Result<(), BadOutput> {
    const EXPECTED: &str = "a score in [0, 1] (for logits, write class_activation: sigmoid in the model's description)";
    check(scores, output, offset, EXPECTED, |score| {
        SCORES.contains(&score)
    })
}

/// Does the same as [`check_class_scores`] for an objectness.
pub fn check_objectness(values: &[f32], output: usize, offset: usize) -> Result<(), BadOutput> {
    const EXPECTED: &str = "an objectness in [0, 1] (for logits, write objectness_activation: sigmoid in the model's description)";
    check(values, output, offset, EXPECTED, |value| {
        SCORES.contains(&value)
    })
}

/// Fails unless each of `values` is finite.
pub fn check_finite(values: &[f32], output: usize, offset: usize) -> Result<(), BadOutput> {
    check(values, output, offset, "a finite number", f32::is_finite)
}

/// Checks values in blocks without a branch for each, so that the compiler can vectorise.
fn check(
    values: &[f32],
    output: usize,
    offset: usize,
    expected: &'static str,
    good: impl Fn(f32) -> bool,
) -> Result<(), BadOutput> {
    const BLOCK: usize = 1024;
    for (block, values) in values.chunks(BLOCK).enumerate() {
        if values.iter().fold(true, |all, &value| all & good(value)) {
            continue;
        }
        let bad = values.iter().position(|&value| !good(value));
        // the fold has found one in this block
        let within = bad.unwrap_or_default();
        return Err(BadOutput {
            output,
            position: offset + block * BLOCK + within,
            value: values[within],
            expected,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_is_forgiven_and_nothing_else() {
        for score in [0.0, -0.0, 1.0, 0.5, f32::MIN_POSITIVE, 1.000_001, -1e-6] {
            assert_eq!(check_scores(&[score], 0, 0), Ok(()), "{score}");
        }
        for score in [1.01, -0.01, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 7.0] {
            assert!(check_scores(&[score], 0, 0).is_err(), "{score}");
        }
        assert_eq!(
            check_finite(&[f32::MAX, f32::MIN, -0.0, 1e-40], 0, 0),
            Ok(())
        );
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(check_finite(&[0.0, value], 0, 0).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_value_is_found_wherever_it_is(length in 1usize..5000, at in any::<prop::sample::Index>(), offset in 0usize..99) {
            let mut values = vec![0.5; length];
            let at = at.index(length);
            values[at] = f32::NAN;
            for error in [check_scores(&values, 3, offset), check_finite(&values, 3, offset)] {
                let error = error.unwrap_err();
                prop_assert_eq!((error.output, error.position), (3, offset + at));
                prop_assert!(error.to_string().contains("NaN"), "{}", error);
            }
        }
    }
}
