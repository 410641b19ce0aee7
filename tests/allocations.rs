//! What a frame asks of the heap once the buffers have grown: nothing. The model's run is left out, of which ONNX Runtime
//! and its bindings have their own allocations; outputs that were written beforehand stand in for it.

use shuffledet_testing::written;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use shuffledet_core::{InputSize, Mark, Outcome, Regions};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::metrics::{Tally, allocations};
use shuffledet_detector::model::{Manifest, ModelDescription};
use shuffledet_detector::pipeline::{
    CameraSettings, Frame, Pace, RuntimeSettings, SharedSettings, Source, Tracking,
    TrackingSettings, Transport, run,
};
use shuffledet_detector::sink::ResultMessages;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, JpegScale};
use shuffledet_msg::{CompressedImageView, HeaderView, ImageView, Stamp};

#[global_allocator]
static ALLOCATOR: allocations::CountingAllocator = allocations::CountingAllocator;

const SIZE: (u32, u32) = (640, 360);
const FRAMES: u64 = 36;
/// By then every buffer has grown.
const WARM: u64 = 24;

/// The same message again and again, from two cameras in turn.
struct Repeated {
    transport: Transport,
    message: Vec<u8>,
    given: u64,
    filled: i64,
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
    fn fill(&mut self, frame: &mut Frame) {
        frame.transport = self.transport;
        frame.message.extend_from_slice(&self.message);
        frame.read_header();
        frame.stamp = Stamp::from_ns(1_000_000_000 + 33_000_000 * self.filled).unwrap();
        self.filled += 1;
    }
}

/// What is sent, and how JPEG is decoded.
struct Case {
    encoding: &'static str,
    transport: Transport,
    message: Vec<u8>,
    jpeg_scale: JpegScale,
}

fn cases() -> [Case; 4] {
    let (width, height) = SIZE;
    let pixels: Vec<u8> = (0..3 * width * height).map(|i| (i % 251) as u8).collect();
    let view = BgrView::new(width, height, 3 * width as usize, &pixels).unwrap();
    let header = HeaderView {
        frame_id: "front_camera_optical_frame",
        ..HeaderView::default()
    };
    let raw = |encoding, step| {
        let image = ImageView {
            header,
            height,
            width,
            encoding,
            is_bigendian: false,
            step,
            data: &pixels,
        };
        let mut message = Vec::new();
        image.write(&mut message).unwrap();
        message
    };
    let jpeg = JpegEncoder::new(90).unwrap().encode(&view).unwrap();
    let compressed = CompressedImageView {
        header,
        format: "jpeg",
        data: &jpeg,
    };
    let mut of_jpeg = Vec::new();
    compressed.write(&mut of_jpeg).unwrap();
    let case = |encoding, transport, message, jpeg_scale| Case {
        encoding,
        transport,
        message,
        jpeg_scale,
    };
    let (full, auto) = (JpegScale::Full, JpegScale::Auto);
    [
        case("bgr8", Transport::Raw, raw("bgr8", 3 * width), full),
        case("nv12", Transport::Raw, raw("nv12", width), full),
        case("jpeg", Transport::Compressed, of_jpeg.clone(), full),
        case("jpeg, auto", Transport::Compressed, of_jpeg, auto),
    ]
}

/// All that is done with a finished frame, short of writing it to a file.
struct Sink {
    tracking: Tracking,
    messages: ResultMessages,
    tally: Tally,
}

impl Sink {
    fn new(tuning: &Arc<SharedSettings>, model: &ModelDescription) -> Self {
        Self {
            tracking: Tracking::new(Arc::clone(tuning), Arc::new(model.labels.clone())),
            messages: ResultMessages::default(),
            tally: Tally::default(),
        }
    }

    fn publish(&mut self, frame: &mut Frame, outcome: &Outcome, model: &ModelDescription) {
        assert_eq!(*outcome, Outcome::Published);
        assert!(frame.detections.len() > 20, "{}", frame.detections.len());
        // the boxes of this model are all of one class
        for detection in &mut frame.detections {
            detection.add_hypothesis(7, 0.25);
        }
        // one object: a track that begins takes memory
        frame.detections.truncate(1);
        self.tracking.update(frame, outcome, "/camera");
        assert!(frame.trace.at(Mark::Tracked).is_some());
        self.messages.detections(frame, &model.labels).unwrap();
        self.messages.tracks(frame, &model.labels).unwrap();
        frame.trace.mark(Mark::Published);
        self.messages.latency(frame, outcome, "/camera").unwrap();
        self.tally.record(frame, outcome, "/camera", &model.labels);
    }
}

/// A group of the last eight classes. In groups of all of them, the thousands of boxes of these
/// outputs would take minutes to compare.
fn groups(model: &ModelDescription) -> Vec<Vec<String>> {
    let names: Vec<_> = model.labels.names().map(str::to_owned).collect();
    names.rchunks(8).take(1).map(<[String]>::to_vec).collect()
}

// one test, and a short one: the count is that of the process, and after a minute the test harness prints a line
#[test]
fn a_frame_takes_nothing_from_the_heap() {
    let manifest = Manifest::shipped().unwrap();
    let halves = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.6, 1.0, 0.4, 0.0, 1.0, 1.0];
    let halves = Regions::new(&halves).unwrap();
    for (name, size, regions) in [
        ("fastestdet_352", InputSize::Native, Regions::WHOLE),
        ("nanodet_m_416", InputSize::Native, Regions::WHOLE),
        ("fastestdet_352", InputSize::Auto, halves),
        ("nanodet_m_416", InputSize::Auto, halves),
    ] {
        let model = manifest.describe(manifest.model(name).unwrap()).unwrap();
        let thresholds = Thresholds {
            score: Some(0.5),
            nms_across: Some(groups(&model)),
            ..Thresholds::default()
        };
        for case in cases() {
            let camera = CameraSettings {
                regions,
                jpeg_scale: case.jpeg_scale,
                ..CameraSettings::EVERY_FRAME
            };
            let tuning = Arc::new(SharedSettings::new(RuntimeSettings {
                model: 0,
                detector: DetectorSettings::new(&thresholds, &model).unwrap(),
                tracking: TrackingSettings {
                    enabled: true,
                    confirm_s: 0.1,
                    coast_s: 0.5,
                    delete_s: 1.0,
                    camera_motion: true,
                    ..TrackingSettings::default()
                },
                cameras: vec![camera; 2],
            }));
            let encoding = case.encoding;
            let name = format!("{name} at {size}");
            let mut source = Repeated {
                transport: case.transport,
                message: case.message,
                given: 0,
                filled: 0,
            };
            let mut workers =
                [(); 2].map(|()| written::worker(&model, size, &tuning, Duration::ZERO));

            let (mut frame, mut sink) = (Frame::new(), Sink::new(&tuning, &model));
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

            let mut sink = Sink::new(&tuning, &model);
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
