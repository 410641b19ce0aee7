//! The pass that computes tensors.
//!
//! Maps are kept with their channels innermost (PyTorch's `channels_last`): the pointwise and
//! depthwise convolutions of libtorch are faster that way on a CPU.

use tch::Tensor;

use super::description::Activation;
use super::layers::{BatchNorm, Conv, EPSILON, Linear, MOMENTUM, Offset};
use super::pass::Pass;

/// What the norms use as means and variances.
#[derive(Debug, Clone, Copy)]
pub enum Norms {
    /// The running ones.
    Running,
    /// Those of the batch, which the running ones follow.
    Batch,
    /// The running ones, which are replaced by those of the batch with this share, with weights
    /// that make up for it.
    Measured { share: f64 },
}

/// Computes the outputs of a batch.
pub(super) struct TensorPass {
    norms: Norms,
}

impl TensorPass {
    pub fn new(norms: Norms) -> Self {
        Self { norms }
    }

    fn norm(&self, x: &Tensor, norm: &BatchNorm) -> Tensor {
        let apply = |training: bool| {
            Tensor::batch_norm(
                x,
                Some(&norm.weight),
                Some(&norm.bias),
                Some(&norm.mean),
                Some(&norm.variance),
                training,
                MOMENTUM,
                EPSILON,
                true,
            )
        };
        match self.norms {
            Norms::Running => apply(false),
            Norms::Batch => apply(true),
            Norms::Measured { share } => {
                let normalised = apply(false);
                measure(x, norm, share);
                normalised
            }
        }
    }
}

/// Moves the running mean and variance towards those of `x`, and changes weight and bias so that the
/// norm computes what it did.
fn measure(x: &Tensor, norm: &BatchNorm, share: f64) {
    let (variance, mean) = x.var_mean_dim([0i64, 2, 3].as_slice(), false, false);
    let new_mean = norm.mean.lerp(&mean, share);
    let new_variance = norm.variance.lerp(&variance, share);
    let slope = &norm.weight / (&norm.variance + EPSILON).sqrt();
    let new_bias = &norm.bias + &slope * (&new_mean - &norm.mean);
    let new_weight = slope * (&new_variance + EPSILON).sqrt();
    for (variable, value) in [
        (&norm.weight, new_weight),
        (&norm.bias, new_bias),
        (&norm.mean, new_mean),
        (&norm.variance, new_variance),
    ] {
        variable.shallow_clone().copy_(&value);
    }
}

impl Pass for TensorPass {
    type Value = Tensor;

    fn conv(&mut self, x: &Tensor, layer: &Conv) -> Tensor {
        let padding = layer.padding();
        let bias = match &layer.offset {
            Offset::Bias(bias) => Some(bias),
            Offset::Norm(_) => None,
        };
        let x = x.conv2d(
            &layer.weight,
            bias,
            [layer.stride; 2],
            [padding; 2],
            [1, 1],
            layer.groups,
        );
        let x = match &layer.offset {
            Offset::Bias(_) => x,
            Offset::Norm(norm) => self.norm(&x, norm),
        };
        match layer.activation {
            Activation::None => x,
            Activation::Relu => x.relu(),
            Activation::LeakyRelu => leaky_relu(&x),
        }
    }

    fn linear(&mut self, x: &Tensor, layer: &Linear) -> Tensor {
        x.linear(&layer.weight, Some(&layer.bias))
    }

    fn max_pool(&mut self, x: &Tensor) -> Tensor {
        x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)
    }

    fn average_pool(&mut self, x: &Tensor) -> Tensor {
        x.avg_pool2d([3, 3], [2, 2], [1, 1], false, true, None)
    }

    fn mean(&mut self, x: &Tensor) -> Tensor {
        x.mean_dim([2i64, 3].as_slice(), false, None)
    }

    fn double_nearest(&mut self, x: &Tensor) -> Tensor {
        x.upsample_nearest2d(doubled(x), None, None)
    }

    fn double_linear(&mut self, x: &Tensor) -> Tensor {
        x.upsample_bilinear2d(doubled(x), false, None, None)
    }

    fn relu(&mut self, x: &Tensor) -> Tensor {
        x.relu()
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        a + b
    }

    fn join(&mut self, parts: &[&Tensor]) -> Tensor {
        Tensor::cat(parts, 1)
    }

    fn interleave(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        // one copy that keeps the channels innermost
        Tensor::stack(&[channels_to_end(a), channels_to_end(b)], 4)
            .flatten(3, 4)
            .permute([0, 3, 1, 2])
    }

    fn halves(&mut self, x: &Tensor) -> [Tensor; 2] {
        let half = x.size()[1] / 2;
        [x.narrow(1, 0, half), x.narrow(1, half, half)]
    }

    fn alternate(&mut self, x: &Tensor) -> [Tensor; 2] {
        let x = channels_to_end(x);
        let pairs = x.unflatten(3, [-1, 2]);
        [0, 1].map(|part| pairs.select(4, part).contiguous().permute([0, 3, 1, 2]))
    }
}

/// Returns the tensor with its channels innermost in memory; its shape stays.
pub(super) fn channels_last(x: &Tensor) -> Tensor {
    channels_to_end(x).contiguous().permute([0, 3, 1, 2])
}

fn channels_to_end(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1])
}

/// Flattens maps of N x C x H x W and joins them: N x cells x C.
pub(super) fn cells(maps: &[Tensor]) -> Tensor {
    let flat: Vec<Tensor> = (maps.iter())
        .map(|map| channels_to_end(map).flatten(1, 2))
        .collect();
    Tensor::cat(&flat, 1)
}

fn doubled(x: &Tensor) -> [i64; 2] {
    let size = x.size();
    [2 * size[2], 2 * size[3]]
}

/// Multiplies values below 0 by a tenth. tch's own function knows only a hundredth.
pub(super) fn leaky_relu(x: &Tensor) -> Tensor {
    x.lerp(&x.relu(), 0.9)
}
