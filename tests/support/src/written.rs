//! Workers whose model gives outputs that were written beforehand, after a pause.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use shuffledet_core::NodePlacement;
use shuffledet_detector::detect::Detector;
use shuffledet_detector::model::ModelDescription;
use shuffledet_detector::model::{Family, OutputDecoder};
use shuffledet_detector::pipeline::{Annotate, SharedSettings, Worker};
use shuffledet_infer::runner::{Signature, Tensors};
use shuffledet_infer::{
    Backend, Backoff, Opening, Provider, ProviderError, Runner, SessionOptions, WhileBuilding,
};

/// Gives the same outputs for every frame.
#[derive(Clone)]
struct Written {
    outputs: Vec<Vec<f32>>,
    signature: Signature,
    pause: Duration,
}

impl Written {
    /// Outputs of a shipped model in which every seventh value is high: hundreds of boxes, most of them suppressed.
    fn new(model: &ModelDescription, pause: Duration) -> Self {
        let shapes = match model.family {
            Family::FastestDet => vec![vec![1, 85, 22, 22]],
            Family::NanoDetPlus { .. } => vec![vec![1, 3598, 112]],
            Family::NanoDet { .. } => [80, 32]
                .iter()
                .flat_map(|&width| [2704, 676, 169].map(|anchors| vec![1, anchors, width]))
                .collect(),
            Family::YoloFastestV2 { .. } | Family::Boxes(_) => unreachable!("not shipped"),
        };
        let written = |shape: &Vec<i64>| {
            let count = shape.iter().product::<i64>() as usize;
            (0..count)
                .map(|i| if i % 7 == 0 { 0.9 } else { 0.1 })
                .collect()
        };
        let sides = [model.input.height, model.input.width].map(i64::from);
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

/// A worker that follows `tuning`, for a shipped model.
pub fn worker(model: &ModelDescription, tuning: &Arc<SharedSettings>, pause: Duration) -> Worker {
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let opening = Opening {
        backend: Arc::new(Written::new(model, pause)),
        model: "written",
        input: &model.input,
        options: &options,
        while_building: WhileBuilding::Wait,
        backoff: Backoff::default(),
        provider_statuses: Arc::default(),
    };
    let size = (model.input.width, model.input.height);
    let settings = tuning.get().detector.clone();
    let detector = Detector::with_session(
        opening
            .open(|shapes| OutputDecoder::for_model(model, model.input.resolution().sides(), shapes))
            .unwrap(),
        model,
        settings,
    );
    let labels = Arc::new(model.labels.clone());
    Worker::new(detector, labels, Arc::clone(tuning), Annotate::None).unwrap()
}
