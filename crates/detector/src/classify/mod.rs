//! The classifier: tells what a whole picture shows, or the box of a detection.

mod crop;
pub mod second_stage;

pub use second_stage::{SecondStage, SecondStageError};

use crate::detect::{DetectError, open_with};
use crate::model::scores::ScoreReader;
use crate::model::{Family, Model};
use shuffledet_core::Labels;
use shuffledet_image::{Pixels, TensorBuilder};
use shuffledet_infer::{InferError, Runtime, Session, SessionOptions};

/// Classifies one picture at a time.
pub struct Classifier {
    session: Session,
    reader: ScoreReader,
    builder: TensorBuilder,
    labels: Labels,
    /// The share of the picture's shorter side that the network sees, in (0, 1].
    crop: f64,
    input: (u32, u32),
    probabilities: Vec<f32>,
    /// Whether the last output was invalid.
    suspect: bool,
}

/// A class of a classifier, and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The index in the model.
    pub class_id: usize,
    /// In [0, 1].
    pub probability: f32,
}

impl Classifier {
    /// Opens a session of `model` on the best provider, however long that takes.
    ///
    /// # Errors
    /// No provider can run the model, or its input or output does not match its description.
    pub fn open(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<Self, InferError> {
        let description = &model.description;
        let (session, reader) = open_with(runtime, model, options, |shapes| {
            ScoreReader::for_model(description, shapes)
        })?;
        let crop = match description.family {
            Family::Classifier(form) => form.crop,
            // the reader has refused other families
            _ => 1.0,
        };
        Ok(Self {
            session,
            reader,
            builder: TensorBuilder::new(description.input.clone()),
            labels: description.labels.clone(),
            crop,
            input: description.input.resolution().sides(),
            probabilities: Vec::new(),
            suspect: false,
        })
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Lets the session change its provider. Call it before each picture.
    pub fn between_frames(&mut self) {
        if std::mem::take(&mut self.suspect) {
            self.session.test_again();
        }
        self.session.between_frames();
    }

    /// Returns the probability of each class for `image`.
    ///
    /// # Errors
    /// OpenCV refuses the picture, the provider fails, or the output has an invalid value.
    pub fn classify<'a>(&mut self, image: impl Into<Pixels<'a>>) -> Result<&[f32], DetectError> {
        let image = image.into();
        if self.crop < 1.0 {
            let centre = crop::centre(image.size(), self.input, self.crop);
            self.builder.fill(crop::cut(&image, centre)?)?;
        } else {
            self.builder.fill(image)?;
        }
        self.run()
    }

    /// Returns the most probable class for `image`, the first of equals. The same as
    /// [`Classifier::classify`] besides.
    pub fn best<'a>(&mut self, image: impl Into<Pixels<'a>>) -> Result<Answer, DetectError> {
        let probabilities = self.classify(image)?;
        let none = Answer {
            class_id: 0,
            probability: f32::NEG_INFINITY,
        };
        let all = probabilities.iter().copied().enumerate();
        Ok(all.fold(none, |best, (class_id, probability)| {
            if probability > best.probability {
                Answer {
                    class_id,
                    probability,
                }
            } else {
                best
            }
        }))
    }

    fn run(&mut self) -> Result<&[f32], DetectError> {
        let outputs = self
            .session
            .run(self.builder.shape(), self.builder.tensor())?;
        let read = outputs.values().and_then(|values| {
            // the reader has asked for one output
            let output = values.first().copied().unwrap_or_default();
            Ok(self.reader.read(output, &mut self.probabilities)?)
        });
        self.suspect |= read.is_err();
        read?;
        Ok(&self.probabilities)
    }
}

/// Returns the `count` most probable classes, the best first; equals in the order of their ids.
pub fn most_probable(probabilities: &[f32], count: usize) -> Vec<Answer> {
    let all = probabilities.iter().enumerate();
    let answer = |(class_id, &probability)| Answer {
        class_id,
        probability,
    };
    let mut all: Vec<Answer> = all.map(answer).collect();
    all.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_keep_their_order() {
        let best = most_probable(&[0.1, 0.4, 0.1, 0.4], 3);
        let ids: Vec<_> = best.iter().map(|answer| answer.class_id).collect();
        assert_eq!(ids, [1, 3, 0]);
        assert!(most_probable(&[], 3).is_empty());
    }
}
