//! Activations that a graph leaves to the decoder.

pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Returns a finite logit below which [`sigmoid`] is less than `probability`, which is at most 1.
/// It is less than the logit itself, to allow for rounding.
pub fn logit_below(probability: f32) -> f32 {
    const SLACK: f64 = 0.999;
    let p = f64::from(probability) * SLACK;
    if p > 0.0 {
        (p / (1.0 - p)).ln() as f32
    } else {
        f32::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_above_the_threshold_is_below_the_logit(p in 0f32..=1.0, x in -120f32..120.0) {
            prop_assert!(x > logit_below(p) || sigmoid(x) <= p);
        }
    }

    #[test]
    fn every_score_is_above_no_threshold() {
        for p in [0.0, -1.0, f32::NEG_INFINITY] {
            assert_eq!(logit_below(p), f32::MIN);
        }
        assert!(logit_below(1.0) > 6.0 && logit_below(1.0).is_finite());
    }
}
