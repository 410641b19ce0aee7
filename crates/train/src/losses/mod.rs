//! What a training minimises, for each head.
//!
//! Every loss is finite for every batch: pictures without objects, boxes without area, classes that a picture is not
//! annotated for. Such classes are ignored in it: they are neither objects nor background.

mod assign;
mod boxes;
mod cells;
pub mod fastestdet;
pub mod nanodet_plus;
#[cfg(test)]
mod tests;

use shuffledet_core::Resolution;
use tch::{Kind, Tensor};

use crate::augment::Targets;
use crate::net::{Head, Output};

/// A loss and its parts, for the log. The parts are weighted as they are in the total.
#[derive(Debug)]
pub struct Loss {
    /// A scalar with gradients.
    pub total: Tensor,
    pub parts: Vec<(&'static str, Tensor)>,
}

/// Computes the loss of a detector's output for images of `size`. `native` is the size of the input in the network's
/// description.
pub fn detection(
    head: Head,
    output: &Output,
    targets: &[Targets],
    size: Resolution,
    native: Resolution,
) -> Loss {
    match head {
        Head::FastestDet => fastestdet::loss(&output.main, targets, native),
        Head::NanoDetPlus => {
            nanodet_plus::loss(&output.main, output.auxiliary.as_ref(), targets, size)
        }
        Head::Classifier => panic!("a classifier has no boxes; its loss is `classification`"),
    }
}

/// Computes the cross entropy of a classifier's logits, N x classes, with the classes of the pictures.
pub fn classification(logits: &Tensor, classes: &[i64]) -> Loss {
    let targets = Tensor::from_slice(classes).to_device(logits.device());
    let total =
        logits.cross_entropy_loss::<Tensor>(&targets, None, tch::Reduction::Mean, -100, 0.0);
    Loss {
        parts: vec![("class", total.detach())],
        total,
    }
}

/// Copies a tensor to a vector of f32.
fn values(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor
        .detach()
        .to_device(tch::Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous();
    let mut values = vec![0.0; tensor.numel()];
    let count = values.len();
    tensor.copy_data(&mut values, count);
    values
}

/// Makes a tensor of `shape` beside another.
fn beside(tensor: &Tensor, values: &[f32], shape: &[i64]) -> Tensor {
    Tensor::from_slice(values)
        .view(shape)
        .to_device(tensor.device())
}
