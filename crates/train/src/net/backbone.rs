//! ShuffleNet V2 without its classifier: stem and stages 2 to 4.
//!
//! Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018
//! (arXiv:1807.11164), figure 3 (c) and (d), table 5.

use tch::nn;

use super::description::{Activation, Description, Split};
use super::layers::{Conv, Shape};
use super::pass::Pass;

const STEM: i64 = 24;

/// The units of stages 2, 3 and 4.
const UNITS: [usize; 3] = [4, 8, 4];

#[derive(Debug)]
pub(super) struct Backbone {
    split: Split,
    stem: Conv,
    stages: [Stage; 3],
}

/// A unit of stride 2, then units of stride 1.
#[derive(Debug)]
struct Stage {
    down: Down,
    units: Vec<Branch>,
}

/// The unit of stride 2: both branches see all channels.
#[derive(Debug)]
struct Down {
    depthwise: Conv,
    pointwise: Conv,
    branch: Branch,
}

/// Pointwise, depthwise and pointwise convolution.
#[derive(Debug)]
struct Branch([Conv; 3]);

impl Backbone {
    pub fn new(root: &nn::Path<'_>, description: &Description) -> Self {
        let path = root / "backbone";
        let activation = description.units.activation;
        let stem = Shape {
            input: 3,
            output: STEM,
            kernel: 3,
            stride: 2,
            groups: 1,
        };
        let stem = Conv::with_norm(&(&path / "stem"), stem, activation);
        let mut input = STEM;
        let channels = description.width.stages();
        let stages = [0, 1, 2].map(|stage| {
            let path = &path / format!("stage{}", stage + 2);
            let half = channels[stage] / 2;
            let down = Down::new(&(&path / 0), input, half, activation);
            input = channels[stage];
            let unit = |unit| Branch::new(&(&path / unit), [half, half], 1, activation);
            Stage {
                down,
                units: (1..UNITS[stage]).map(unit).collect(),
            }
        });
        Self {
            split: description.units.split,
            stem,
            stages,
        }
    }

    /// Returns the maps of stages 2, 3 and 4, at strides 8, 16 and 32.
    pub fn run<P: Pass>(&self, pass: &mut P, image: &P::Value) -> [P::Value; 3] {
        let stem = pass.conv(image, &self.stem);
        let x = pass.max_pool(&stem);
        let [second, third, fourth] = &self.stages;
        let second = second.run(pass, &x, self.split);
        let third = third.run(pass, &second, self.split);
        let fourth = fourth.run(pass, &third, self.split);
        [second, third, fourth]
    }
}

impl Stage {
    fn run<P: Pass>(&self, pass: &mut P, x: &P::Value, split: Split) -> P::Value {
        let join = |pass: &mut P, [a, b]: [P::Value; 2]| match split {
            Split::Halves => pass.interleave(&a, &b),
            Split::Alternate => pass.join(&[&a, &b]),
        };
        let parts = self.down.run(pass, x);
        let mut x = join(pass, parts);
        for unit in &self.units {
            let [kept, entering] = match split {
                Split::Halves => pass.halves(&x),
                Split::Alternate => pass.alternate(&x),
            };
            let worked = unit.run(pass, &entering);
            x = join(pass, [kept, worked]);
        }
        x
    }
}

impl Down {
    fn new(path: &nn::Path<'_>, input: i64, output: i64, activation: Activation) -> Self {
        let short = path / "short";
        Self {
            depthwise: Conv::with_norm(
                &(&short / "depthwise"),
                Shape::depthwise(input, 3, 2),
                Activation::None,
            ),
            pointwise: Conv::with_norm(
                &(&short / "pointwise"),
                Shape::pointwise(input, output),
                activation,
            ),
            branch: Branch::new(path, [input, output], 2, activation),
        }
    }

    fn run<P: Pass>(&self, pass: &mut P, x: &P::Value) -> [P::Value; 2] {
        let short = pass.conv(x, &self.depthwise);
        let short = pass.conv(&short, &self.pointwise);
        [short, self.branch.run(pass, x)]
    }
}

impl Branch {
    fn new(
        path: &nn::Path<'_>,
        [input, output]: [i64; 2],
        stride: i64,
        activation: Activation,
    ) -> Self {
        let path = path / "branch";
        Self([
            Conv::with_norm(&(&path / 0), Shape::pointwise(input, output), activation),
            Conv::with_norm(
                &(&path / 1),
                Shape::depthwise(output, 3, stride),
                Activation::None,
            ),
            Conv::with_norm(&(&path / 2), Shape::pointwise(output, output), activation),
        ])
    }

    fn run<P: Pass>(&self, pass: &mut P, x: &P::Value) -> P::Value {
        let [first, depthwise, last] = &self.0;
        let x = pass.conv(x, first);
        let x = pass.conv(&x, depthwise);
        pass.conv(&x, last)
    }
}
