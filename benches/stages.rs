//! Single stages of a frame, each on its own: `cargo bench`. `shuffledet bench` measures whole frames.
//!
//! Pictures are made here (a gradient with edges), so that the figures need nothing but the models.

use criterion::{Criterion, criterion_group, criterion_main};

use shuffledet_core::{BBox, Detection};
use shuffledet_detector::detect::{self, ObjectGroups, nms::Suppressor};
use shuffledet_detector::model::{Manifest, Model};
use shuffledet_detector::pipeline::Frame;
use shuffledet_detector::sink::ResultMessages;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder, TensorBuilder};
use shuffledet_infer::{Provider, Runtime, SessionOptions};
use shuffledet_msg::{CompressedImageView, HeaderView, ImageView};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const MODELS: [&str; 2] = ["fastestdet_352", "nanodet_m_416"];

fn pixels() -> Vec<u8> {
    let at = |x: u32, y: u32| {
        let edge = if (x / 64 + y / 48).is_multiple_of(2) {
            90
        } else {
            0
        };
        [
            (x % 256) as u8 / 2 + edge,
            (y % 256) as u8 / 2 + edge,
            ((x + y) % 256) as u8 / 2,
        ]
    };
    (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).flat_map(move |x| at(x, y)))
        .collect()
}

fn decode(criterion: &mut Criterion) {
    let pixels = pixels();
    let mut decoder = ImageDecoder::new();
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, &pixels).expect("whole rows");
    let jpeg = JpegEncoder::new(90)
        .and_then(|mut encoder| encoder.encode(&view))
        .expect("BGR");
    let compressed = CompressedImageView {
        header: HeaderView::default(),
        format: "jpeg",
        data: &jpeg,
    };
    criterion.bench_function("decode/jpeg 1280x720", |b| {
        b.iter(|| {
            decoder
                .decode_compressed(&compressed)
                .map(|view| view.width())
        });
    });
    for encoding in ["bgr8", "rgb8", "yuv422", "bayer_rggb8"] {
        let channels = match encoding {
            "yuv422" => 2,
            "bayer_rggb8" => 1,
            _ => 3,
        };
        let image = ImageView {
            header: HeaderView::default(),
            height: HEIGHT,
            width: WIDTH,
            encoding,
            is_bigendian: false,
            step: channels * WIDTH,
            data: &pixels[..(channels * WIDTH * HEIGHT) as usize],
        };
        criterion.bench_function(&format!("decode/{encoding} 1280x720"), |b| {
            b.iter(|| decoder.decode_raw(&image).map(|view| view.width()));
        });
    }
}

fn letterbox(criterion: &mut Criterion) {
    let pixels = pixels();
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, &pixels).expect("whole rows");
    let manifest = Manifest::shipped().expect("the shipped manifest is tested");
    for name in MODELS {
        let entry = manifest.model(name).expect("a shipped model");
        let description = manifest
            .describe(entry)
            .expect("the shipped manifest is tested");
        let mut builder = TensorBuilder::new(description.input);
        criterion.bench_function(&format!("letterbox/{name}"), |b| {
            b.iter(|| builder.fill(&view))
        });
    }
}

fn infer(criterion: &mut Criterion) {
    let runtime = Runtime::load().expect("`make setup` puts ONNX Runtime into the checkout");
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        strict: true,
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    for name in MODELS {
        let model = Model::load(name).expect("`shuffledet models fetch` gets the models");
        let (mut session, decoder) =
            detect::open(&runtime, &model, &options).expect("a shipped model");
        let input = &model.description.input;
        let shape = [1, 3, input.height as usize, input.width as usize];
        let tensor = vec![0.5; shape.iter().product()];
        criterion.bench_function(&format!("session.run/{name}"), |b| {
            b.iter(|| session.run(shape, &tensor).is_ok());
        });
        let outputs = session.run(shape, &tensor).expect("a shipped model");
        let values = outputs.values().expect("a shipped model");
        let mut found = Vec::new();
        criterion.bench_function(&format!("boxes/{name}"), |b| {
            b.iter(|| {
                found.clear();
                decoder.decode(&values, 0.25, |_| 0.25, &mut found).is_ok()
            });
        });
    }
}

fn suppress(criterion: &mut Criterion) {
    let boxes: Vec<Detection> = (0..200u32)
        .map(|i| {
            let (x1, y1) = ((i * 37 % 600) as f32, (i * 53 % 400) as f32);
            let bbox = BBox {
                x1,
                y1,
                x2: x1 + 80.0,
                y2: y1 + 60.0,
            };
            Detection::new((i % 3) as usize, i as f32 / 200.0, bbox)
        })
        .collect();
    let (mut work, mut suppressor) = (Vec::new(), Suppressor::default());
    let groups = ObjectGroups::default();
    criterion.bench_function("nms/200 boxes", |b| {
        b.iter(|| {
            work.clone_from(&boxes);
            suppressor.suppress(&mut work, 0.45, &groups);
        });
    });
    let frame = Frame {
        detections: boxes[..20].to_vec(),
        ..Frame::default()
    };
    let manifest = Manifest::shipped().expect("the shipped manifest is tested");
    let model = manifest.model(MODELS[0]).expect("a shipped model");
    let labels = manifest
        .describe(model)
        .expect("the shipped manifest is tested")
        .labels;
    let mut messages = ResultMessages::default();
    criterion.bench_function("publish/Detection2DArray of 20", |b| {
        b.iter(|| messages.detections(&frame, &labels).map(<[u8]>::len));
    });
}

criterion_group!(stages, decode, letterbox, infer, suppress);
criterion_main!(stages);
