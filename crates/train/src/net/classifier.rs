//! The paper's classifier: conv5, the mean of each channel, and a fully connected layer.

use tch::nn;

use super::description::Description;
use super::layers::{Conv, Linear, Shape};
use super::pass::Pass;

#[derive(Debug)]
pub(super) struct Classifier {
    conv5: Conv,
    last: Linear,
}

impl Classifier {
    pub fn new(root: &nn::Path<'_>, description: &Description) -> Self {
        let path = root / "head";
        let width = description.width;
        let conv5 = Shape::pointwise(width.stages()[2], width.last());
        Self {
            conv5: Conv::with_norm(&(&path / "conv5"), conv5, description.units.activation),
            last: Linear::new(
                &(&path / "classes"),
                width.last(),
                description.classes.len() as i64,
            ),
        }
    }

    pub fn run<P: Pass>(&self, pass: &mut P, [_, _, fourth]: &[P::Value; 3]) -> P::Value {
        let x = pass.conv(fourth, &self.conv5);
        let x = pass.mean(&x);
        pass.linear(&x, &self.last)
    }
}
