//! The self-test of a session: compares its outputs with those of a trusted session on a generated
//! image, before it serves frames.

use super::ProviderError;
use super::runner::{Runner, Tensors};
use shuffledet_core::Cause;
use shuffledet_core::{InputSpec, test_card};

/// An input tensor that needs no image file.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub shape: [usize; 4],
    pub tensor: Vec<f32>,
}

impl Probe {
    /// Returns the test card as the model's input tensor.
    pub fn new(input: &InputSpec) -> Self {
        let (width, height) = (input.width, input.height);
        let value = |channel: u32, y, x| {
            let (mean, std) = (input.mean[channel as usize], input.std[channel as usize]);
            (f32::from(test_card::level(x, y, channel)) - mean) / std
        };
        let row = |channel, y| (0..width).map(move |x| value(channel, y, x));
        let plane = |channel| (0..height).flat_map(move |y| row(channel, y));
        Self {
            shape: [1, 3, height as usize, width as usize],
            tensor: (0..3).flat_map(plane).collect(),
        }
    }
}

/// The outputs of a trusted session on the probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub probe: Probe,
    outputs: Vec<Vec<f32>>,
}

impl Reference {
    /// Runs `trusted` on the probe, which also warms it up. The only check on its outputs is that
    /// they are finite, see [`Reference::is_finite`].
    pub fn take(trusted: &mut dyn Runner, probe: Probe) -> Result<Self, ProviderError> {
        let outputs = outputs(trusted, &probe)?;
        Ok(Self { probe, outputs })
    }

    /// Whether every value is finite.
    pub fn is_finite(&self) -> bool {
        self.outputs.iter().flatten().all(|value| value.is_finite())
    }

    /// Runs `runner` on the probe.
    ///
    /// # Errors
    /// The run fails, or an output has other dimensions, a value that is not a number, or a
    /// difference above `tolerance`: the root mean square of the difference relative to that of the
    /// trusted output.
    pub fn check(&self, runner: &mut dyn Runner, tolerance: f64) -> Result<(), ProviderError> {
        let found = outputs(runner, &self.probe)?;
        let failed = |text| Err(ProviderError::new(Cause::SelfTestFailed, text));
        let counts = |outputs: &[Vec<f32>]| outputs.iter().map(Vec::len).collect::<Vec<_>>();
        let (expected, got) = (counts(&self.outputs), counts(&found));
        if expected != got {
            return failed(format!(
                "expected outputs of {expected:?} values, found {got:?}"
            ));
        }
        for (index, (expected, found)) in self.outputs.iter().zip(&found).enumerate() {
            let difference = difference(expected, found);
            // NaN fails, too
            if difference.is_nan() || difference > tolerance {
                return failed(format!(
                    "output {index} on the test card differs by {difference:.2e} of its root mean square, the limit is {tolerance:.2e}"
                ));
            }
        }
        Ok(())
    }
}

/// Returns every output of `runner` on the probe.
pub fn outputs(runner: &mut dyn Runner, probe: &Probe) -> Result<Vec<Vec<f32>>, ProviderError> {
    let count = runner.signature().outputs.len();
    match runner.run(probe.shape, &probe.tensor)? {
        Tensors::Plain(outputs) => Ok(outputs.to_vec()),
        Tensors::OnnxRuntime(outputs) => (0..count)
            .map(|index| outputs[index].try_extract_tensor::<f32>())
            .map(|tensor| Ok(tensor?.1.to_vec()))
            .collect::<ort::Result<_>>()
            .map_err(|error| ProviderError::new(Cause::Other, error.message())),
    }
}

/// Returns the root mean square of the difference relative to that of `expected`; NaN if any value
/// is NaN.
fn difference(expected: &[f32], found: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let pairs = expected.iter().zip(found);
    let error = squares(&mut pairs.map(|(&e, &f)| f64::from(e) - f64::from(f)));
    let whole = squares(&mut expected.iter().map(|&e| f64::from(e)));
    if error == 0.0 {
        0.0
    } else {
        (error / whole).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn differences_are_relative_and_nothing_hides_in_them() {
        assert_eq!(difference(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
        assert!((difference(&[3.0, 4.0], &[3.0, 4.5]) - 0.1).abs() < 1e-9);
        assert_eq!(difference(&[0.0], &[0.0]), 0.0);
        assert_eq!(difference(&[0.0], &[1.0]), f64::INFINITY);
        assert!(difference(&[1.0], &[f32::NAN]).is_nan());
    }

    proptest! {
        #[test]
        fn scaling_both_changes_nothing(values in prop::collection::vec(-9f32..9.0, 1..20), scale in 1f32..50.0) {
            let off: Vec<f32> = values.iter().map(|v| v + 0.5).collect();
            let scaled = |values: &[f32]| values.iter().map(|v| v * scale).collect::<Vec<_>>();
            let (plain, large) = (difference(&values, &off), difference(&scaled(&values), &scaled(&off)));
            prop_assume!(plain.is_finite());
            prop_assert!((plain - large).abs() <= 1e-3 * plain);
        }
    }
}
