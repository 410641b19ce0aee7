//! Layers with variables.

use tch::{Tensor, nn};

use super::description::Activation;

/// Divides by the root of the variance plus this.
pub const EPSILON: f64 = 1e-5;

/// The share of a batch in the running means.
pub const MOMENTUM: f64 = 0.1;

/// A convolution, what is added or normalised after it, and an activation.
#[derive(Debug)]
pub struct Conv {
    /// The path of its variables.
    pub name: String,
    /// Out x in / groups x kernel x kernel.
    pub weight: Tensor,
    pub offset: Offset,
    pub stride: i64,
    pub groups: i64,
    pub activation: Activation,
}

/// What follows a convolution.
#[derive(Debug)]
pub enum Offset {
    Bias(Tensor),
    Norm(BatchNorm),
}

/// A batch norm: (x - mean) / sqrt(variance + [`EPSILON`]) * weight + bias.
#[derive(Debug)]
pub struct BatchNorm {
    pub weight: Tensor,
    pub bias: Tensor,
    pub mean: Tensor,
    pub variance: Tensor,
}

/// A fully connected layer.
#[derive(Debug)]
pub struct Linear {
    pub name: String,
    /// Out x in.
    pub weight: Tensor,
    pub bias: Tensor,
}

/// The form of a convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub input: i64,
    pub output: i64,
    pub kernel: i64,
    pub stride: i64,
    pub groups: i64,
}

impl Shape {
    /// A convolution of 1x1 over all channels.
    pub fn pointwise(input: i64, output: i64) -> Self {
        Self {
            input,
            output,
            kernel: 1,
            stride: 1,
            groups: 1,
        }
    }

    /// A convolution of each channel by itself.
    pub fn depthwise(channels: i64, kernel: i64, stride: i64) -> Self {
        Self {
            input: channels,
            output: channels,
            kernel,
            stride,
            groups: channels,
        }
    }
}

impl Conv {
    /// Makes a convolution with a batch norm.
    pub(super) fn with_norm(path: &nn::Path<'_>, shape: Shape, activation: Activation) -> Self {
        let norm = path / "norm";
        let variable = |name, value| norm.var(name, &[shape.output], nn::Init::Const(value));
        let offset = Offset::Norm(BatchNorm {
            weight: variable("weight", 1.0),
            bias: variable("bias", 0.0),
            mean: norm.zeros_no_train("running_mean", &[shape.output]),
            variance: norm.ones_no_train("running_var", &[shape.output]),
        });
        // the deviation that keeps the variance behind a ReLU (He et al. 2015)
        let fan_in = shape.input / shape.groups * shape.kernel * shape.kernel;
        let deviation = (2.0 / fan_in as f64).sqrt();
        Self::new(path, shape, deviation, offset, activation)
    }

    /// Makes a convolution with a bias, which begins as `bias`, and small weights: the last layer of
    /// a head.
    pub(super) fn with_bias(path: &nn::Path<'_>, shape: Shape, bias: f64) -> Self {
        let bias = path.var("bias", &[shape.output], nn::Init::Const(bias));
        Self::new(
            path,
            shape,
            LAST_DEVIATION,
            Offset::Bias(bias),
            Activation::None,
        )
    }

    fn new(
        path: &nn::Path<'_>,
        shape: Shape,
        deviation: f64,
        offset: Offset,
        activation: Activation,
    ) -> Self {
        let dims = [
            shape.output,
            shape.input / shape.groups,
            shape.kernel,
            shape.kernel,
        ];
        let init = nn::Init::Randn {
            mean: 0.0,
            stdev: deviation,
        };
        Self {
            name: path.components().collect::<Vec<_>>().join("."),
            weight: path.var("weight", &dims, init),
            offset,
            stride: shape.stride,
            groups: shape.groups,
            activation,
        }
    }

    /// Returns the side length of the kernel.
    pub fn kernel(&self) -> i64 {
        self.weight.size()[2]
    }

    /// Returns the border on each side, which keeps the size of the map at stride 1.
    pub fn padding(&self) -> i64 {
        self.kernel() / 2
    }
}

/// The standard deviation of the weights of a head's last layer.
pub(crate) const LAST_DEVIATION: f64 = 0.01;

impl Linear {
    pub(super) fn new(path: &nn::Path<'_>, input: i64, output: i64) -> Self {
        let init = nn::Init::Randn {
            mean: 0.0,
            stdev: LAST_DEVIATION,
        };
        Self {
            name: path.components().collect::<Vec<_>>().join("."),
            weight: path.var("weight", &[output, input], init),
            bias: path.var("bias", &[output], nn::Init::Const(0.0)),
        }
    }
}
