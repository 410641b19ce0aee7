//! Workers whose model gives outputs that were written beforehand, after a pause.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::computed::ComputedBackend;
use shuffledet_core::{InputSize, Resolution};
use shuffledet_detector::detect::opener::SizedBackends;
use shuffledet_detector::detect::{Detector, InputChoice, NetworkOpener};
use shuffledet_detector::model::Family;
use shuffledet_detector::model::ModelDescription;
use shuffledet_detector::pipeline::{Annotate, SharedSettings, Worker};
use shuffledet_infer::runner::Signature;
use shuffledet_infer::{Backend, Backoff, InferError, Provider, SessionOptions, WhileBuilding};

/// Returns a backend whose outputs are those of a shipped model at `input`, with a high value in
/// every seventh place: hundreds of boxes, most of them suppressed. Each run takes `pause`.
fn written(model: &ModelDescription, input: Resolution, pause: Duration) -> ComputedBackend {
    let sides = [input.height, input.width].map(i64::from);
    let cells = |stride: i64| sides.map(|side| (side + stride - 1) / stride);
    let shapes = match model.family {
        Family::FastestDet => vec![[&[1, 85], &cells(16)[..]].concat()],
        Family::NanoDetPlus { .. } => {
            let anchors = [8, 16, 32, 64].map(|stride| cells(stride).iter().product::<i64>());
            vec![vec![1, anchors.iter().sum(), 112]]
        }
        Family::NanoDet { .. } => [80, 32]
            .iter()
            .flat_map(|&width| {
                [8, 16, 32].map(|stride| vec![1, cells(stride).iter().product(), width])
            })
            .collect(),
        Family::YoloFastestV2 { .. } | Family::Boxes(_) => unreachable!("not shipped"),
    };
    let outputs = shapes.iter().map(|shape| {
        let count = shape.iter().product::<i64>() as usize;
        (0..count)
            .map(|i| if i % 7 == 0 { 0.9 } else { 0.1 })
            .collect::<Vec<f32>>()
    });
    ComputedBackend {
        outputs: outputs.collect(),
        signature: Signature {
            inputs: vec![[&[1, 3], &sides[..]].concat()],
            described: "written beforehand".to_owned(),
            outputs: shapes.clone(),
        },
        compute: Arc::new(move |_, _, _| {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }),
        tolerance: 0.0,
    }
}

/// Gives the same outputs at every resolution that a picture needs.
struct WrittenAtAnySize {
    model: ModelDescription,
    pause: Duration,
}

impl SizedBackends for WrittenAtAnySize {
    fn backend(&self, resolution: Resolution) -> Result<Arc<dyn Backend>, InferError> {
        Ok(Arc::new(written(&self.model, resolution, self.pause)))
    }
}

/// A worker that follows `tuning`, for a shipped model at the resolutions of `size`.
pub fn worker(
    model: &ModelDescription,
    size: InputSize,
    tuning: &Arc<SharedSettings>,
    pause: Duration,
) -> Worker {
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let opener = NetworkOpener {
        backends: Arc::new(WrittenAtAnySize {
            model: model.clone(),
            pause,
        }),
        description: model.clone(),
        model: "written".to_owned(),
        options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
        refused: Arc::default(),
        background: Mutex::default(),
    };
    let choice = InputChoice {
        size,
        ..InputChoice::native(&model.input)
    };
    let settings = tuning.get().detector.clone();
    let detector = Detector::with_opener(&Arc::new(opener), choice, settings).unwrap();
    let labels = Arc::new(model.labels.clone());
    Worker::new(detector, labels, Arc::clone(tuning), Annotate::None).unwrap()
}
