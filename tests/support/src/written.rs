//! Workers whose model gives outputs that were written beforehand, after a pause.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use shuffledet_core::{InputSize, NodePlacement, Resolution};
use shuffledet_detector::detect::opener::SizedBackends;
use shuffledet_detector::detect::{Detector, InputChoice, NetworkOpener};
use shuffledet_detector::model::Family;
use shuffledet_detector::model::ModelDescription;
use shuffledet_detector::pipeline::{Annotate, SharedSettings, Worker};
use shuffledet_infer::runner::{Signature, Tensors};
use shuffledet_infer::{
    Backend, Backoff, InferError, Provider, ProviderError, Runner, SessionOptions, WhileBuilding,
};

/// Gives the same outputs for every frame.
#[derive(Clone)]
struct Written {
    outputs: Vec<Vec<f32>>,
    signature: Signature,
    pause: Duration,
}

impl Written {
    /// Outputs of a shipped model at `input` in which every seventh value is high: hundreds of boxes, most of them
    /// suppressed.
    fn new(model: &ModelDescription, input: Resolution, pause: Duration) -> Self {
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
        let written = |shape: &Vec<i64>| {
            let count = shape.iter().product::<i64>() as usize;
            (0..count)
                .map(|i| if i % 7 == 0 { 0.9 } else { 0.1 })
                .collect()
        };
        Self {
            outputs: shapes.iter().map(written).collect(),
            signature: Signature {
                inputs: vec![[&[1, 3], &sides[..]].concat()],
                described: "written beforehand".to_owned(),
                outputs: shapes,
            },
            pause,
        }
    }
}

impl Backend for Written {
    fn build(&self, _: Provider) -> Result<Box<dyn Runner>, ProviderError> {
        Ok(Box::new(self.clone()))
    }

    fn tolerance(&self, _: Provider) -> f64 {
        0.0
    }
}

impl Runner for Written {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &[NodePlacement] {
        &[]
    }

    fn run(&mut self, _: [usize; 4], _: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        if !self.pause.is_zero() {
            thread::sleep(self.pause);
        }
        Ok(Tensors::Plain(&self.outputs))
    }
}

/// Gives the same outputs at every resolution that a picture needs.
struct WrittenAtAnySize {
    model: ModelDescription,
    pause: Duration,
}

impl SizedBackends for WrittenAtAnySize {
    fn backend(&self, resolution: Resolution) -> Result<Arc<dyn Backend>, InferError> {
        Ok(Arc::new(Written::new(&self.model, resolution, self.pause)))
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
