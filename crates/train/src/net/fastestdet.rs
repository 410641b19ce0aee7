//! FastestDet's head (github.com/dog-qiuqiu/FastestDet): one map of stride 16 out of all three
//! stages, a spatial pyramid of 5x5 convolutions, and three branches.

use tch::nn;

use super::description::{Activation, Description};
use super::layers::{Conv, Shape};
use super::pass::Pass;

#[derive(Debug)]
pub(super) struct FastestDet {
    entry: Conv,
    /// One, two and three convolutions in a row.
    pyramid: [(Conv, Vec<Conv>); 3],
    pyramid_end: Conv,
    shared: Conv,
    /// Objectness, box and classes.
    branches: [[Conv; 2]; 3],
}

impl FastestDet {
    pub fn new(root: &nn::Path<'_>, description: &Description) -> Self {
        let path = root / "head";
        let stages = description.width.stages();
        let width = stages[1];
        let depthwise = |path: nn::Path<'_>| {
            Conv::with_norm(&path, Shape::depthwise(width, 5, 1), Activation::Relu)
        };
        let pointwise = |name: &str, input, activation| {
            Conv::with_norm(&(&path / name), Shape::pointwise(input, width), activation)
        };
        let row = |length: usize| {
            let path = &path / format!("pyramid{length}");
            let rest = (1..length).map(|conv| depthwise(&path / conv));
            (depthwise(&path / 0), rest.collect())
        };
        let branch = |name: &str, output: usize| {
            let path = &path / name;
            let last = Shape::pointwise(width, output as i64);
            [
                depthwise(&path / "depthwise"),
                Conv::with_norm(&(&path / "last"), last, Activation::None),
            ]
        };
        Self {
            entry: pointwise("entry", stages.iter().sum(), Activation::Relu),
            pyramid: [row(1), row(2), row(3)],
            pyramid_end: pointwise("pyramid_end", 3 * width, Activation::None),
            shared: pointwise("shared", width, Activation::Relu),
            branches: [
                branch("objectness", 1),
                branch("box", 4),
                branch("classes", description.classes.len()),
            ],
        }
    }

    /// Returns the maps of objectness, box and classes.
    pub fn run<P: Pass>(
        &self,
        pass: &mut P,
        [second, third, fourth]: &[P::Value; 3],
    ) -> [P::Value; 3] {
        let fourth = pass.double_nearest(fourth);
        let second = pass.average_pool(second);
        let x = pass.join(&[&second, third, &fourth]);
        let entry = pass.conv(&x, &self.entry);
        let rows = self.pyramid.each_ref().map(|row| {
            let (first, rest) = row;
            let x = pass.conv(&entry, first);
            rest.iter().fold(x, |x, layer| pass.conv(&x, layer))
        });
        let x = pass.join(&rows.each_ref());
        let x = pass.conv(&x, &self.pyramid_end);
        let x = pass.add(&entry, &x);
        let x = pass.relu(&x);
        let x = pass.conv(&x, &self.shared);
        self.branches.each_ref().map(|[depthwise, last]| {
            let x = pass.conv(&x, depthwise);
            pass.conv(&x, last)
        })
    }
}
