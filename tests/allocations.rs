//! What a frame asks of the heap once the buffers have grown: nothing. The model's run is left out, of which ONNX Runtime
//! and its bindings have their own allocations; outputs that were written beforehand stand in for it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shuffledet::detect::settings::Thresholds;
use shuffledet::detect::{Detector, DetectorSettings};
use shuffledet::image::BgrView;
use shuffledet::image::jpeg::JpegEncoder;
use shuffledet::infer::runner::{Shapes, Tensors};
use shuffledet::infer::{
    Backend, Backoff, Opening, Patience, Placed, Provider, ProviderError, Runner, SessionOptions,
};
use shuffledet::metrics::{Tally, allocations};
use shuffledet::model::{Manifest, ModelDescription};
use shuffledet::msg::{CompressedImageView, HeaderView, ImageView};
use shuffledet::pipeline::{
    Annotate, CameraTuning, Frame, Mark, Outcome, Pace, Source, Transport, Tuned, Tuning, Worker,
    run,
};
use shuffledet::sink::ResultMessages;

#[global_allocator]
static ALLOCATOR: allocations::CountingAllocator = allocations::CountingAllocator;

const SIZE: (u32, u32) = (640, 360);
const FRAMES: u64 = 600;
/// By then every buffer has grown.
const WARM: u64 = 200;

/// Gives the same outputs for every frame.
#[derive(Clone)]
struct Written {
    outputs: Vec<Vec<f32>>,
    shapes: Shapes,
}

impl Written {
    /// Outputs in which every seventh value is high: hundreds of boxes, most of them suppressed.
    fn new(model: &ModelDescription, shapes: Vec<Vec<i64>>) -> Self {
        let (width, height) = (model.input.width, model.input.height);
        let written = |shape: &Vec<i64>| {
            let count = shape.iter().product::<i64>() as usize;
            (0..count)
                .map(|i| if i % 7 == 0 { 0.9 } else { 0.1 })
                .collect()
        };
        Self {
            outputs: shapes.iter().map(written).collect(),
            shapes: Shapes {
                inputs: vec![vec![1, 3, i64::from(height), i64::from(width)]],
                described: "written beforehand".to_owned(),
                outputs: shapes,
            },
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
    fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    fn placement(&self) -> &[Placed] {
        &[]
    }

    fn run(&mut self, _: [usize; 4], _: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        Ok(Tensors::Plain(&self.outputs))
    }
}

/// The same message again and again, from two cameras in turn.
struct Repeated {
    transport: Transport,
    message: Vec<u8>,
    given: u64,
}

impl Source for Repeated {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        frame.camera = (self.given % 2) as usize;
        self.fill(frame);
        self.given += 1;
        Ok(self.given <= FRAMES)
    }
}

impl Repeated {
    fn fill(&self, frame: &mut Frame) {
        frame.transport = self.transport;
        frame.message.extend_from_slice(&self.message);
        frame.read_header();
    }
}

fn messages() -> [(&'static str, Transport, Vec<u8>); 2] {
    let (width, height) = SIZE;
    let pixels: Vec<u8> = (0..3 * width * height).map(|i| (i % 251) as u8).collect();
    let view = BgrView::new(width, height, 3 * width as usize, &pixels).unwrap();
    let header = HeaderView {
        frame_id: "front_camera_optical_frame",
        ..HeaderView::default()
    };
    let raw = ImageView {
        header,
        height,
        width,
        encoding: "bgr8",
        is_bigendian: false,
        step: 3 * width,
        data: &pixels,
    };
    let jpeg = JpegEncoder::new(90).unwrap().encode(&view).unwrap();
    let compressed = CompressedImageView {
        header,
        format: "jpeg",
        data: &jpeg,
    };
    let (mut of_raw, mut of_jpeg) = (Vec::new(), Vec::new());
    raw.write(&mut of_raw).unwrap();
    compressed.write(&mut of_jpeg).unwrap();
    [
        ("bgr8", Transport::Raw, of_raw),
        ("jpeg", Transport::Compressed, of_jpeg),
    ]
}

fn worker(model: &ModelDescription, outputs: &[&[i64]], tuning: &Arc<Tuning>) -> Worker {
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let shapes = outputs.iter().map(|shape| shape.to_vec()).collect();
    let opening = Opening {
        backend: Arc::new(Written::new(model, shapes)),
        model: "written",
        description: model,
        options: &options,
        patience: Patience::Wait,
        backoff: Backoff::default(),
        standing: Arc::default(),
    };
    let settings = tuning.get().detector.clone();
    let detector = Detector::with_session(opening.open().unwrap(), model, settings);
    let labels = Arc::new(model.labels.clone());
    Worker::new(detector, labels, Arc::clone(tuning), Annotate::None).unwrap()
}

/// All that is done with a finished frame, short of writing it to a file.
#[derive(Default)]
struct Sink {
    messages: ResultMessages,
    tally: Tally,
}

impl Sink {
    fn publish(&mut self, frame: &mut Frame, outcome: &Outcome, model: &ModelDescription) {
        assert_eq!(*outcome, Outcome::Published);
        assert!(frame.detections.len() > 20, "{}", frame.detections.len());
        self.messages.detections(frame, &model.labels).unwrap();
        frame.trace.mark(Mark::Published);
        self.messages.latency(frame, outcome, "/camera").unwrap();
        self.tally.record(frame, outcome, "/camera", &model.labels);
    }
}

// one test: the count is that of the process
#[test]
fn a_frame_takes_nothing_from_the_heap() {
    let manifest = Manifest::shipped().unwrap();
    let models: [(&str, &[&[i64]]); 2] = [
        ("fastestdet_352", &[&[1, 85, 22, 22]]),
        (
            "nanodet_m_416",
            &[
                &[1, 2704, 80],
                &[1, 676, 80],
                &[1, 169, 80],
                &[1, 2704, 32],
                &[1, 676, 32],
                &[1, 169, 32],
            ],
        ),
    ];
    for (name, outputs) in models {
        let model = manifest.describe(manifest.model(name).unwrap()).unwrap();
        let thresholds = Thresholds {
            score: Some(0.5),
            class_scores: BTreeMap::new(),
            ..Thresholds::default()
        };
        let tuning = Arc::new(Tuning::new(Tuned {
            detector: DetectorSettings::new(&thresholds, &model).unwrap(),
            cameras: vec![CameraTuning::EVERY_FRAME; 2],
        }));
        for (encoding, transport, message) in messages() {
            let mut source = Repeated {
                transport,
                message,
                given: 0,
            };
            let mut workers = [(); 2].map(|()| worker(&model, outputs, &tuning));

            let (mut frame, mut sink) = (Frame::new(), Sink::default());
            let mut warm = 0;
            for number in 0..FRAMES {
                if number == WARM {
                    warm = allocations::so_far();
                }
                frame.reset();
                frame.trace.mark(Mark::Received);
                source.fill(&mut frame);
                let outcome = workers[0].process(&mut frame);
                frame.trace.mark(Mark::Ordered);
                sink.publish(&mut frame, &outcome, &model);
            }
            let taken = allocations::so_far() - warm;
            assert_eq!(taken, 0, "{name}, {encoding}, one thread");

            let mut sink = Sink::default();
            let (mut published, mut warm) = (0, 0);
            let stop = AtomicBool::new(false);
            let pace = Pace::Lossless;
            run(
                &mut source,
                &tuning,
                &mut workers,
                pace,
                None,
                &stop,
                |frame, outcome| {
                    published += 1;
                    if published == WARM {
                        warm = allocations::so_far();
                    }
                    sink.publish(frame, outcome, &model);
                    Ok::<(), Infallible>(())
                },
            )
            .unwrap();
            let taken = allocations::so_far() - warm;
            // a thread that waits in a channel for the first time makes itself known there once
            assert!(taken < 10, "{name}, {encoding}, pipeline: {taken}");
        }
    }
}
