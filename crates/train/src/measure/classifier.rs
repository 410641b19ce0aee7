//! The share of pictures whose class a classifier finds.

use std::path::Path;

use anyhow::Context;
use shuffledet_detector::classify::Classifier;
use shuffledet_detector::config::Config;
use shuffledet_detector::model::Model;
use shuffledet_image::{BgrView, ImageDecoder, TensorBuilder};
use shuffledet_infer::Runtime;
use tch::Tensor;

use crate::data::{Picture, Sample};
use crate::net::Network;

/// Returns the share of pictures for which `classify` finds the class. One that cannot be read is wrong.
///
/// # Errors
/// Those of `classify`.
fn accuracy(
    samples: &[(Sample, i64)],
    mut classify: impl FnMut(&BgrView<'_>) -> anyhow::Result<i64>,
) -> anyhow::Result<f64> {
    let mut decoder = ImageDecoder::new();
    let mut right = 0;
    for (sample, class) in samples {
        if let Ok(picture) = Picture::read(&sample.path, &mut decoder) {
            let found = classify(&picture.view()).with_context(|| sample.file_name.clone())?;
            right += usize::from(found == *class);
        }
    }
    Ok(right as f64 / samples.len().max(1) as f64)
}

/// Returns the share of pictures whose class scores highest in the network.
///
/// # Errors
/// OpenCV cannot resize a picture.
pub fn network_accuracy(network: &Network, samples: &[(Sample, i64)]) -> anyhow::Result<f64> {
    let spec = &network.description.input;
    let mut builder = TensorBuilder::new(spec.clone());
    let shape = [1, 3, i64::from(spec.height), i64::from(spec.width)];
    accuracy(samples, |picture| {
        builder.fill(picture)?;
        let image = Tensor::from_slice(builder.tensor())
            .view(shape)
            .to_device(network.vs.device());
        let logits = network.forward(&image, false).main;
        Ok(logits.argmax(1, false).int64_value(&[0]))
    })
}

/// Returns the share of pictures whose class the exported classifier at `onnx` finds, as the product runs it.
///
/// # Errors
/// The product refuses the model, or ONNX Runtime cannot be loaded or fails.
pub fn product_accuracy(onnx: &Path, samples: &[(Sample, i64)]) -> anyhow::Result<f64> {
    let name = onnx.to_str().context("the path is not UTF-8")?;
    let model = Model::load_classifier(name)?;
    let config = Config::load(None, Some(name), &[])?;
    let mut classifier = Classifier::open(&Runtime::load()?, &model, &config.session)?;
    accuracy(samples, |picture| {
        Ok(classifier.best(picture)?.class_id as i64)
    })
}
