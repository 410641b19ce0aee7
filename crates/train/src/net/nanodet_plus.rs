//! NanoDet-Plus (github.com/RangiLyu/nanodet): Ghost-PAN as neck, and a head of depthwise
//! convolutions for each of four strides that computes classes and sides together.

use tch::nn;

use super::DISTANCES;
use super::description::{Activation, Description, Width};
use super::layers::{Conv, Shape};
use super::pass::Pass;

/// The logit of a probability of 0.01, where the scores begin (Lin et al. 2017, focal loss).
pub(crate) const PRIOR_BIAS: f64 = -4.595_119_850_134_59;

const ACTIVATION: Activation = Activation::LeakyRelu;

/// The side length of the kernels in neck and head.
const KERNEL: i64 = 5;

#[derive(Debug)]
pub(super) struct NanoDetPlus {
    neck: GhostPan,
    /// For each stride: two pairs of depthwise and pointwise convolution, and the last layer.
    head: Vec<([DepthwisePointwise; 2], Conv)>,
}

/// The neck: a feature pyramid with a path from top to bottom and one back.
#[derive(Debug)]
pub(super) struct GhostPan {
    /// For the stages in turn.
    reduce: Vec<Conv>,
    /// Strides 16 and 8.
    top_down: [Ghost; 2],
    /// Strides 16 and 32.
    down: [DepthwisePointwise; 2],
    bottom_up: [Ghost; 2],
    extra_in: DepthwisePointwise,
    extra_out: DepthwisePointwise,
}

/// A ghost bottleneck (Han et al. 2020, GhostNet), with a shortcut of two convolutions.
#[derive(Debug)]
struct Ghost {
    /// Each makes half of its channels with a pointwise convolution, and the others from those with
    /// a depthwise one.
    modules: [[Conv; 2]; 2],
    shortcut: [Conv; 2],
}

#[derive(Debug)]
struct DepthwisePointwise([Conv; 2]);

/// Returns the channels of neck and head.
pub(super) fn channels(width: Width) -> i64 {
    match width {
        Width::X0_5 | Width::X1_0 => 96,
        Width::X1_5 | Width::X2_0 => 128,
    }
}

impl NanoDetPlus {
    pub fn new(root: &nn::Path<'_>, description: &Description) -> Self {
        let channels = channels(description.width);
        let path = root / "head";
        let outputs = description.classes.len() as i64 + 4 * DISTANCES;
        let head = super::NANODET_PLUS_STRIDES.map(|stride| {
            let path = &path / format!("stride{stride}");
            let pairs = [0, 1].map(|pair| DepthwisePointwise::new(&(&path / pair), channels, 1));
            let last = Shape::pointwise(channels, outputs);
            (pairs, Conv::with_bias(&(&path / "last"), last, PRIOR_BIAS))
        });
        Self {
            neck: GhostPan::new(&(root / "neck"), description),
            head: head.into(),
        }
    }

    /// Returns the maps of the neck at the four strides.
    pub fn neck<P: Pass>(&self, pass: &mut P, features: &[P::Value; 3]) -> [P::Value; 4] {
        self.neck.run(pass, features)
    }

    /// Returns the maps of the head at the four strides.
    pub fn maps<P: Pass>(&self, pass: &mut P, neck: &[P::Value; 4]) -> Vec<P::Value> {
        let levels = self.head.iter().zip(neck);
        let maps = levels.map(|((pairs, last), x)| {
            let x = pairs[0].run(pass, x);
            let x = pairs[1].run(pass, &x);
            pass.conv(&x, last)
        });
        maps.collect()
    }
}

impl GhostPan {
    pub fn new(path: &nn::Path<'_>, description: &Description) -> Self {
        let channels = channels(description.width);
        let reduce = description.width.stages().into_iter().enumerate();
        let reduce = reduce.map(|(stage, input)| {
            let path = path / "reduce" / stage;
            Conv::with_norm(&path, Shape::pointwise(input, channels), ACTIVATION)
        });
        let ghosts = |name: &str| {
            [0, 1].map(|level| Ghost::new(&(path / name / level), 2 * channels, channels))
        };
        let pair = |path: nn::Path<'_>| DepthwisePointwise::new(&path, channels, 2);
        Self {
            reduce: reduce.collect(),
            top_down: ghosts("top_down"),
            down: [0, 1].map(|level| pair(path / "down" / level)),
            bottom_up: ghosts("bottom_up"),
            extra_in: pair(path / "extra_in"),
            extra_out: pair(path / "extra_out"),
        }
    }

    pub fn run<P: Pass>(&self, pass: &mut P, features: &[P::Value; 3]) -> [P::Value; 4] {
        let [second, third, fourth] =
            [0, 1, 2].map(|stage| pass.conv(&features[stage], &self.reduce[stage]));
        let up = |pass: &mut P, x: &P::Value, beside: &P::Value, ghost: &Ghost| {
            let x = pass.double_linear(x);
            let x = pass.join(&[&x, beside]);
            ghost.run(pass, &x)
        };
        let middle = up(pass, &fourth, &third, &self.top_down[0]);
        let eighth = up(pass, &middle, &second, &self.top_down[1]);
        let down = |pass: &mut P, x: &P::Value, beside: &P::Value, level: usize| {
            let x = self.down[level].run(pass, x);
            let x = pass.join(&[&x, beside]);
            self.bottom_up[level].run(pass, &x)
        };
        let sixteenth = down(pass, &eighth, &middle, 0);
        let thirty_second = down(pass, &sixteenth, &fourth, 1);
        let a = self.extra_in.run(pass, &fourth);
        let b = self.extra_out.run(pass, &thirty_second);
        let sixty_fourth = pass.add(&a, &b);
        [eighth, sixteenth, thirty_second, sixty_fourth]
    }
}

impl Ghost {
    fn new(path: &nn::Path<'_>, input: i64, output: i64) -> Self {
        let half = output / 2;
        let module = |module: usize, input, activation| {
            let path = path / module;
            [
                Conv::with_norm(
                    &(&path / "primary"),
                    Shape::pointwise(input, half),
                    activation,
                ),
                Conv::with_norm(&(&path / "cheap"), Shape::depthwise(half, 3, 1), activation),
            ]
        };
        let shortcut = path / "shortcut";
        Self {
            modules: [
                module(0, input, ACTIVATION),
                module(1, output, Activation::None),
            ],
            shortcut: [
                Conv::with_norm(
                    &(&shortcut / "depthwise"),
                    Shape::depthwise(input, KERNEL, 1),
                    Activation::None,
                ),
                Conv::with_norm(
                    &(&shortcut / "pointwise"),
                    Shape::pointwise(input, output),
                    Activation::None,
                ),
            ],
        }
    }

    fn run<P: Pass>(&self, pass: &mut P, x: &P::Value) -> P::Value {
        let module = |pass: &mut P, x: &P::Value, [primary, cheap]: &[Conv; 2]| {
            let a = pass.conv(x, primary);
            let b = pass.conv(&a, cheap);
            pass.join(&[&a, &b])
        };
        let long = module(pass, x, &self.modules[0]);
        let long = module(pass, &long, &self.modules[1]);
        let short = pass.conv(x, &self.shortcut[0]);
        let short = pass.conv(&short, &self.shortcut[1]);
        pass.add(&long, &short)
    }
}

impl DepthwisePointwise {
    fn new(path: &nn::Path<'_>, channels: i64, stride: i64) -> Self {
        let depthwise = Shape::depthwise(channels, KERNEL, stride);
        let pointwise = Shape::pointwise(channels, channels);
        Self([
            Conv::with_norm(&(path / "depthwise"), depthwise, ACTIVATION),
            Conv::with_norm(&(path / "pointwise"), pointwise, ACTIVATION),
        ])
    }

    fn run<P: Pass>(&self, pass: &mut P, x: &P::Value) -> P::Value {
        let x = pass.conv(x, &self.0[0]);
        pass.conv(&x, &self.0[1])
    }
}
