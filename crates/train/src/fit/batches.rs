//! The batches of a run, and the tensors of their pictures.

use shuffledet_image::ImageDecoder;
use tch::{Device, Tensor};

use super::Settings;
use crate::augment::loader::Source;
use crate::augment::{Batch, Renderer};
use crate::data::Sample;
use crate::net::Network;

/// Batches on which the norms of a start are measured.
const NORM_BATCHES: u64 = 8;

/// Measures the norms of weights that a file has folded, on the first batches.
pub fn measure_norms(network: &Network, source: &Source) {
    let mut decoder = ImageDecoder::new();
    for step in 0..NORM_BATCHES {
        let images = images(&source.batch(step, &mut decoder), network.vs.device());
        network.measure_norms(&images, 1.0 / (step + 1) as f64);
    }
}

/// Returns what makes the batches of a run over `samples`.
pub fn source(settings: &Settings, samples: &[Sample]) -> Source {
    Source {
        samples: samples.to_vec(),
        renderer: Renderer {
            spec: settings.description.input.clone(),
        },
        augmentation: settings.augmentation.clone(),
        batch_size: settings.batch_size,
        seed: settings.seed,
    }
}

/// Returns the pictures of a batch, N x 3 x height x width.
pub fn images(batch: &Batch, device: Device) -> Tensor {
    let (width, height) = batch.size.sides();
    let shape = [
        batch.targets.len() as i64,
        3,
        i64::from(height),
        i64::from(width),
    ];
    Tensor::from_slice(&batch.images)
        .view(shape)
        .to_device(device)
}
