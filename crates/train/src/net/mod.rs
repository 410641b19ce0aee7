//! ShuffleNet V2 networks: a backbone, and a head that makes them detectors or a classifier.
//!
//! The layers of a network are written once, as calls of a [`Pass`]. A pass over tensors computes
//! the outputs ([`Network::forward`]); a pass over names writes the ONNX graph
//! ([`export`](crate::export)). So the exported graph has the layers that were trained.

mod auxiliary;
mod backbone;
mod classifier;
mod description;
mod fastestdet;
mod layers;
mod nanodet_plus;
mod pass;
mod tensors;
#[cfg(test)]
mod tests;

use tch::{Device, Tensor, nn};
use thiserror::Error;

use auxiliary::Auxiliary;
use backbone::Backbone;
use classifier::Classifier;
use fastestdet::FastestDet;
use nanodet_plus::NanoDetPlus;
use tensors::TensorPass;

pub use description::{Activation, Description, DescriptionError, Head, Split, Units, Width};
pub use layers::{BatchNorm, Conv, EPSILON, Linear, Offset};
pub use pass::Pass;
pub use tensors::Norms;

/// The distances over which a side of a NanoDet-Plus box is distributed, in strides: 0 to 7.
pub const DISTANCES: i64 = 8;

/// The strides of NanoDet-Plus, in the order of its output.
pub const NANODET_PLUS_STRIDES: [i64; 4] = [8, 16, 32, 64];

/// The stride of FastestDet.
pub const FASTESTDET_STRIDE: i64 = 16;

/// The group of the backbone's variables, for an optimiser's learning rates.
pub const BACKBONE_GROUP: usize = 0;

/// The group of all other variables.
pub const HEAD_GROUP: usize = 1;

/// A network cannot be made.
#[derive(Debug, Error)]
pub enum NetworkError {
    #[error(transparent)]
    Description(#[from] DescriptionError),
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// A network and its variables.
#[derive(Debug)]
pub struct Network {
    pub vs: nn::VarStore,
    pub description: Description,
    /// Whether gradients of the auxiliary head stop at the neck, as NanoDet-Plus does after its
    /// first epochs.
    pub auxiliary_detached: bool,
    frozen_backbone: bool,
    backbone: Backbone,
    head: HeadLayers,
}

#[derive(Debug)]
enum HeadLayers {
    FastestDet(Box<FastestDet>),
    NanoDetPlus(Box<NanoDetPlus>, Option<Box<Auxiliary>>),
    Classifier(Classifier),
}

/// What a network computes for a batch of images. All values are logits.
#[derive(Debug)]
pub struct Output {
    /// - NanoDet-Plus: N x cells x (classes + 4 * 8), the cells of strides 8, 16, 32 and 64 in turn,
    ///   row by row. The sides are left, top, right, bottom, each over 8 distances.
    /// - FastestDet: N x (1 + 4 + classes) x H/16 x W/16: objectness, box before tanh and sigmoid,
    ///   classes.
    /// - Classifier: N x classes.
    pub main: Tensor,
    /// The same from NanoDet-Plus's auxiliary head, while training with one.
    pub auxiliary: Option<Tensor>,
}

/// The maps with which a network's layers end.
#[derive(Debug)]
pub enum Maps<V> {
    /// Objectness, box and classes.
    FastestDet([V; 3]),
    /// A map for each stride: classes, then sides.
    NanoDetPlus(Vec<V>),
    /// N x classes.
    Classifier(V),
}

/// Names of trainable variables by part of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    pub backbone: Vec<String>,
    pub head: Vec<String>,
}

impl Network {
    /// Makes a network with random weights. `tch::manual_seed` decides which.
    ///
    /// # Errors
    /// The description has no classes, or an input whose sides are not multiples of 32.
    pub fn new(description: &Description, device: Device) -> Result<Self, NetworkError> {
        description.check()?;
        let vs = nn::VarStore::new(device);
        let root = vs.root();
        let backbone = Backbone::new(&root.set_group(BACKBONE_GROUP), description);
        let root = root.set_group(HEAD_GROUP);
        let head = match description.head {
            Head::FastestDet => {
                HeadLayers::FastestDet(Box::new(FastestDet::new(&root, description)))
            }
            Head::NanoDetPlus => HeadLayers::NanoDetPlus(
                Box::new(NanoDetPlus::new(&root, description)),
                description
                    .auxiliary
                    .then(|| Box::new(Auxiliary::new(&root, description))),
            ),
            Head::Classifier => HeadLayers::Classifier(Classifier::new(&root, description)),
        };
        Ok(Self {
            vs,
            description: description.clone(),
            auxiliary_detached: false,
            frozen_backbone: false,
            backbone,
            head,
        })
    }

    /// Computes the outputs of `images`, N x 3 x H x W of f32, normalised as the description says; H
    /// and W are multiples of 32. With `train`, norms use the batch and update their means, and
    /// gradients are kept; without, neither.
    pub fn forward(&self, images: &Tensor, train: bool) -> Output {
        if train {
            self.compute(images, Norms::Batch)
        } else {
            tch::no_grad(|| self.compute(images, Norms::Running))
        }
    }

    /// Computes the outputs as [`forward`](Self::forward) does for training, but with the running
    /// means and variances in the norms, which stay as they are.
    pub fn forward_with_fixed_norms(&self, images: &Tensor) -> Output {
        self.compute(images, Norms::Running)
    }

    /// Measures the means and variances of the norms on `images`, and changes the norms' weights so
    /// that [`forward`](Self::forward) without training gives what it gave before. `share` is the
    /// weight of these images, from 0 to 1: 1 for the first batch, 1/2 for the second, and so on.
    ///
    /// Weights out of a file with folded norms need this before a training: with the batch's
    /// statistics their fresh norms would compute something else.
    pub fn measure_norms(&self, images: &Tensor, share: f64) {
        tch::no_grad(|| self.compute(images, Norms::Measured { share }));
    }

    fn compute(&self, images: &Tensor, norms: Norms) -> Output {
        let images = tensors::channels_last(images);
        let features = if self.frozen_backbone && matches!(norms, Norms::Batch) {
            tch::no_grad(|| {
                self.backbone
                    .run(&mut TensorPass::new(Norms::Running), &images)
            })
        } else {
            self.backbone.run(&mut TensorPass::new(norms), &images)
        };
        let mut pass = TensorPass::new(norms);
        match &self.head {
            HeadLayers::FastestDet(head) => {
                let maps = head.run(&mut pass, &features);
                Output {
                    main: Tensor::cat(&maps, 1),
                    auxiliary: None,
                }
            }
            HeadLayers::NanoDetPlus(head, auxiliary) => {
                let reduced_and_neck = head.neck(&mut pass, &features);
                let auxiliary = auxiliary.as_ref().filter(|_| matches!(norms, Norms::Batch));
                let auxiliary = auxiliary.map(|auxiliary| {
                    let detached = self.auxiliary_detached;
                    auxiliary.run(&mut pass, &features, &reduced_and_neck, detached)
                });
                Output {
                    main: tensors::cells(&head.maps(&mut pass, &reduced_and_neck)),
                    auxiliary,
                }
            }
            HeadLayers::Classifier(head) => Output {
                main: head.run(&mut pass, &features),
                auxiliary: None,
            },
        }
    }

    /// Runs the layers of the network, without the auxiliary head, through a pass.
    pub fn run<P: Pass>(&self, pass: &mut P, image: &P::Value) -> Maps<P::Value> {
        let features = self.backbone.run(pass, image);
        match &self.head {
            HeadLayers::FastestDet(head) => Maps::FastestDet(head.run(pass, &features)),
            HeadLayers::NanoDetPlus(head, _) => {
                let neck = head.neck(pass, &features);
                Maps::NanoDetPlus(head.maps(pass, &neck))
            }
            HeadLayers::Classifier(head) => Maps::Classifier(head.run(pass, &features)),
        }
    }

    /// Returns the names of the trainable variables, sorted.
    pub fn groups(&self) -> Groups {
        let names = (self.vs.variables().into_iter())
            .filter(|(_, tensor)| tensor.requires_grad())
            .map(|(name, _)| name);
        let (mut backbone, mut head): (Vec<_>, Vec<_>) =
            names.partition(|name| name.starts_with(BACKBONE_PREFIX));
        backbone.sort();
        head.sort();
        Groups { backbone, head }
    }

    /// Freezes the backbone: its weights get no gradients, and its norms keep their means.
    pub fn freeze_backbone(&mut self) {
        self.frozen_backbone = true;
        for (name, tensor) in self.vs.variables() {
            if name.starts_with(BACKBONE_PREFIX) {
                let _ = tensor.set_requires_grad(false);
            }
        }
    }
}

/// What the names of the backbone's variables begin with.
pub(crate) const BACKBONE_PREFIX: &str = "backbone.";
