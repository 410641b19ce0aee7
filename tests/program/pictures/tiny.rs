//! A model so small that thousands of sequences go through whole workers: every value of its outputs depends on the picture.

use std::sync::Arc;

use shuffledet_detector::detect::Detector;
use shuffledet_detector::model::{Manifest, ModelDescription, OutputDecoder};
use shuffledet_detector::pipeline::{Annotate, SharedSettings, Worker};
use shuffledet_infer::runner::Signature;
use shuffledet_infer::{Backoff, Opening, Provider, SessionOptions, WhileBuilding};
use shuffledet_testing::computed::ComputedBackend;

/// Of its input, which is as wide as high.
const SIDE: u32 = 32;

/// What a session does to outputs that are right.
pub type Change = fn(Provider, &mut [f32]);

pub fn unchanged(_: Provider, _: &mut [f32]) {}

/// FastestDet with a small input.
pub fn model() -> ModelDescription {
    let manifest = Manifest::shipped().unwrap();
    let entry = manifest.model("fastestdet_352").unwrap();
    let mut model = manifest.describe(entry).unwrap();
    (model.input.width, model.input.height) = (SIDE, SIDE);
    model
}

/// Returns a backend of the small model whose outputs go through `change`.
fn backend(change: Change) -> ComputedBackend {
    let cells = i64::from(SIDE / 16);
    ComputedBackend {
        signature: Signature {
            inputs: vec![vec![1, 3, i64::from(SIDE), i64::from(SIDE)]],
            described: "tiny".to_owned(),
            outputs: vec![vec![1, 85, cells, cells]],
        },
        outputs: vec![vec![0.0; (85 * cells * cells) as usize]],
        compute: Arc::new(move |provider, tensor, outputs| {
            let output = &mut outputs[0];
            output.fill(0.0);
            let count = output.len();
            for (index, value) in tensor.iter().enumerate() {
                output[index % count] += value * (index % 7 + 1) as f32;
            }
            output
                .iter_mut()
                .for_each(|value| *value = value.abs().fract());
            change(provider, output);
        }),
        tolerance: 0.01,
    }
}

pub fn detector(change: Change, providers: &[Provider], tuning: &SharedSettings) -> Detector {
    let model = model();
    let options = SessionOptions {
        providers: providers.to_vec(),
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let opening = Opening {
        backend: Arc::new(backend(change)),
        model: "tiny",
        input: &model.input,
        options: &options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
    };
    let settings = tuning.get().detector.clone();
    let opened = opening.open(|shapes| OutputDecoder::for_model(&model, (SIDE, SIDE), shapes));
    Detector::with_session(opened.unwrap(), &model, settings)
}

/// A worker that draws every frame, too.
pub fn worker(change: Change, providers: &[Provider], tuning: &Arc<SharedSettings>) -> Worker {
    let labels = Arc::new(model().labels);
    let annotate = Annotate::All { max_width: 30 };
    let detector = detector(change, providers, tuning);
    Worker::new(detector, labels, Arc::clone(tuning), annotate).unwrap()
}
