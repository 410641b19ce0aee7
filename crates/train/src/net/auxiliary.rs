//! NanoDet-Plus's auxiliary head, which assigns boxes to cells while the head itself is still bad
//! (the "assign guidance module" of github.com/RangiLyu/nanodet).
//!
//! It has a neck of its own, and four 3x3 convolutions each for classes and sides, shared by all
//! strides. That is twelve times the arithmetic of the rest of the network, in training alone.

use tch::{Tensor, nn};

use super::description::Description;
use super::nanodet_plus::{GhostPan, PRIOR_BIAS, channels};
use super::tensors::{self, TensorPass, leaky_relu};
use super::{DISTANCES, NANODET_PLUS_STRIDES};

const CONVS: usize = 4;

#[derive(Debug)]
pub(super) struct Auxiliary {
    neck: GhostPan,
    classes: Tower,
    sides: Tower,
    /// Multiplies the sides of each stride.
    scales: Vec<Tensor>,
}

/// Convolutions with group norms, and the last layer.
#[derive(Debug)]
struct Tower {
    convs: Vec<(nn::Conv2D, nn::GroupNorm)>,
    last: nn::Conv2D,
}

impl Auxiliary {
    pub fn new(root: &nn::Path<'_>, description: &Description) -> Self {
        let path = root / "auxiliary";
        // the maps of both necks
        let channels = 2 * channels(description.width);
        let scales = NANODET_PLUS_STRIDES
            .map(|stride| path.var(&format!("scale{stride}"), &[1], nn::Init::Const(1.0)));
        let classes = description.classes.len() as i64;
        Self {
            neck: GhostPan::new(&(&path / "neck"), description),
            classes: Tower::new(&(&path / "classes"), channels, classes, PRIOR_BIAS),
            sides: Tower::new(&(&path / "sides"), channels, 4 * DISTANCES, 0.0),
            scales: scales.into(),
        }
    }

    /// Returns N x cells x (classes + 4 * 8) from the maps of the backbone and of the main neck.
    pub fn run(
        &self,
        pass: &mut TensorPass,
        features: &[Tensor; 3],
        neck: &[Tensor; 4],
        detached: bool,
    ) -> Tensor {
        let entering = |x: &Tensor| {
            if detached {
                x.detach()
            } else {
                x.shallow_clone()
            }
        };
        let own = self.neck.run(pass, &features.each_ref().map(entering));
        let maps: Vec<Tensor> = (neck.iter().zip(&own).zip(&self.scales))
            .map(|((main, own), scale)| {
                let x = Tensor::cat(&[entering(main), own.shallow_clone()], 1);
                let sides = self.sides.run(&x) * scale;
                Tensor::cat(&[self.classes.run(&x), sides], 1)
            })
            .collect();
        tensors::cells(&maps)
    }
}

impl Tower {
    fn new(path: &nn::Path<'_>, channels: i64, outputs: i64, bias: f64) -> Self {
        let config = nn::ConvConfig {
            padding: 1,
            ws_init: nn::Init::Randn {
                mean: 0.0,
                stdev: super::layers::LAST_DEVIATION,
            },
            bs_init: nn::Init::Const(bias),
            ..Default::default()
        };
        let conv = |index: usize| {
            let path = path / index;
            let config = nn::ConvConfig {
                bias: false,
                ..config
            };
            let conv = nn::conv2d(&path, channels, channels, 3, config);
            let norm = nn::group_norm(&path / "norm", 32, channels, Default::default());
            (conv, norm)
        };
        Self {
            convs: (0..CONVS).map(conv).collect(),
            last: nn::conv2d(path / "last", channels, outputs, 3, config),
        }
    }

    fn run(&self, x: &Tensor) -> Tensor {
        let convs = self.convs.iter();
        convs
            .fold(x.shallow_clone(), |x, (conv, norm)| {
                leaky_relu(&x.apply(conv).apply(norm))
            })
            .apply(&self.last)
    }
}
