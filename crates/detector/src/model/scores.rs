//! Reads a classifier's output: one score for each class.

use super::ModelDescription;
use super::decoder::{check_finite, check_scores};
use super::family::{ClassActivation, Family};
use shuffledet_infer::{BadOutput, ShapeMismatch};

/// Turns the output of one classifier into probabilities.
#[derive(Debug, Clone, Copy)]
pub struct ScoreReader {
    activation: ClassActivation,
}

impl ScoreReader {
    /// Creates a reader of the output of `model` and returns the number of values in it. `shapes`
    /// are the shapes of the outputs, -1 for a dimension that is not fixed. Dimensions of 1 do not
    /// count.
    ///
    /// # Errors
    /// The model is no classifier, or does not have one output with a value for each label.
    pub fn for_model(
        model: &ModelDescription,
        shapes: &[Vec<i64>],
    ) -> Result<(Self, Vec<usize>), ShapeMismatch> {
        let classes = model.labels.count();
        let mismatch = |found: String| ShapeMismatch {
            family: model.family.name(),
            classes,
            expected: format!("one output of 1 x {classes}"),
            found,
        };
        let Family::Classifier(form) = model.family else {
            return Err(mismatch("those of a detector".to_owned()));
        };
        match shapes {
            [shape] if classes_of(shape) == Some(classes) => {
                let activation = form.activation;
                Ok((Self { activation }, vec![classes]))
            }
            _ => Err(mismatch(format!("{shapes:?}"))),
        }
    }

    /// Replaces `probabilities` by the probability of each class, in [0, 1].
    ///
    /// # Errors
    /// A value is not finite, or no probability though the description says that the graph gives
    /// probabilities.
    pub fn read(&self, output: &[f32], probabilities: &mut Vec<f32>) -> Result<(), BadOutput> {
        probabilities.clear();
        match self.activation {
            ClassActivation::None => {
                check_scores(output, 0, 0).map_err(|bad| BadOutput {
                    expected: "a probability in [0, 1] (for logits, write class_activation: softmax in the model's description)",
                    ..bad
                })?;
                probabilities.extend(output.iter().map(|value| value.clamp(0.0, 1.0)));
            }
            ClassActivation::Sigmoid => {
                check_finite(output, 0, 0)?;
                probabilities.extend(output.iter().map(|value| 1.0 / (1.0 + (-value).exp())));
            }
            ClassActivation::Softmax => {
                check_finite(output, 0, 0)?;
                let most = output.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                probabilities.extend(output.iter().map(|value| (value - most).exp()));
                // the greatest contributes 1
                let sum: f32 = probabilities.iter().sum();
                for probability in probabilities {
                    *probability /= sum;
                }
            }
        }
        Ok(())
    }
}

/// Returns the number of classes that an output of this shape has; `None` if it is not one row of
/// fixed length.
pub fn classes_of(shape: &[i64]) -> Option<usize> {
    // a batch that is not fixed is 1
    let (first, rest) = shape.split_first()?;
    let rows: Vec<i64> = match (first, rest) {
        (-1, [_, ..]) => rest.to_vec(),
        _ => shape.to_vec(),
    };
    let mut long = rows.iter().filter(|&&dim| dim != 1);
    let length = long.next().copied().unwrap_or(1);
    let count = usize::try_from(length).ok()?;
    (count > 0 && long.next().is_none()).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(activation: ClassActivation, output: &[f32]) -> Result<Vec<f32>, BadOutput> {
        let mut probabilities = vec![9.0; 3];
        ScoreReader { activation }.read(output, &mut probabilities)?;
        Ok(probabilities)
    }

    #[test]
    fn one_row_has_the_classes_wherever_its_other_dimensions_are() {
        let classes = [
            &[1, 7][..],
            &[7],
            &[-1, 7],
            &[1, 7, 1, 1],
            &[1, 1],
            &[-1, 1],
        ]
        .map(classes_of);
        assert_eq!(
            classes,
            [Some(7), Some(7), Some(7), Some(7), Some(1), Some(1)]
        );
        for none in [
            &[][..],
            &[2, 7],
            &[1, -1],
            &[1, 7, 3],
            &[-1, -1],
            &[-1, 7, 7],
            &[-1],
        ] {
            assert_eq!(classes_of(none), None, "{none:?}");
        }
    }

    #[test]
    fn logits_where_probabilities_are_described_are_refused() {
        let error = read(ClassActivation::None, &[0.5, 3.0])
            .unwrap_err()
            .to_string();
        assert!(error.contains("class_activation: softmax"), "{error}");
        for activation in [ClassActivation::Sigmoid, ClassActivation::Softmax] {
            assert!(read(activation, &[0.0, f32::NAN]).is_err());
        }
        let same = read(ClassActivation::None, &[1.0005, 0.25]).unwrap();
        assert_eq!(same, [1.0, 0.25]);
    }

    proptest! {
        #[test]
        fn softmax_gives_probabilities_in_the_order_of_the_logits(
            logits in prop::collection::vec(-1e30f32..1e30, 1..40),
        ) {
            let found = read(ClassActivation::Softmax, &logits).unwrap();
            prop_assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            for (a, x) in found.iter().zip(&logits) {
                for (b, y) in found.iter().zip(&logits) {
                    prop_assert!((a > b) <= (x > y));
                }
            }
        }
    }
}
