//! Single stages of a frame, each on its own: `cargo bench`. `shuffledet bench` measures whole frames.
//!
//! Pictures are made here (a gradient with edges), so that the figures need nothing but the models.

use criterion::{Criterion, criterion_group, criterion_main};

use shuffledet_core::{BBox, Detection, InputSpec, ResizeMode};
use shuffledet_detector::detect::{self, ObjectGroups, nms::Suppressor};
use shuffledet_detector::model::{Manifest, Model, ModelDescription};
use shuffledet_detector::pipeline::Frame;
use shuffledet_detector::sink::ResultMessages;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder, JpegScale, TensorBuilder};
use shuffledet_infer::{Provider, Runtime, SessionOptions};
use shuffledet_msg::{CompressedImageView, HeaderView, ImageView};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const MODELS: [&str; 2] = ["fastestdet_352", "nanodet_m_416"];

/// The sizes of a camera that the model's input is compared with.
const CAMERAS: [(u32, u32); 2] = [(WIDTH, HEIGHT), (1920, 1080)];

fn pixels() -> Vec<u8> {
    pixels_of(WIDTH, HEIGHT)
}

fn pixels_of(width: u32, height: u32) -> Vec<u8> {
    let at = |x: u32, y: u32| {
        let edge = if (x / 64 + y / 48).is_multiple_of(2) {
            90
        } else {
            0
        };
        // texture, without which a JPEG would have few coefficients
        let texture =
            (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).to_le_bytes()[3] / 32;
        [
            (x % 256) as u8 / 2 + edge + texture,
            (y % 256) as u8 / 2 + edge + texture,
            ((x + y) % 256) as u8 / 2 + texture,
        ]
    };
    (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| at(x, y)))
        .collect()
}

fn jpeg(view: &BgrView<'_>) -> Vec<u8> {
    JpegEncoder::new(90)
        .and_then(|mut encoder| encoder.encode(view))
        .expect("BGR")
}

fn compressed(jpeg: &[u8]) -> CompressedImageView<'_> {
    CompressedImageView {
        header: HeaderView::default(),
        format: "jpeg",
        data: jpeg,
    }
}

fn description(model: &str) -> ModelDescription {
    let manifest = Manifest::shipped().expect("the shipped manifest is tested");
    let entry = manifest.model(model).expect("a shipped model");
    manifest
        .describe(entry)
        .expect("the shipped manifest is tested")
}

fn decode(criterion: &mut Criterion) {
    let pixels = pixels();
    let mut decoder = ImageDecoder::new();
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, &pixels).expect("whole rows");
    let jpeg = jpeg(&view);
    let compressed = compressed(&jpeg);
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
    for name in MODELS {
        let mut builder = TensorBuilder::new(description(name).input);
        criterion.bench_function(&format!("letterbox/{name}"), |b| {
            b.iter(|| builder.fill(&view))
        });
    }
}

/// From the message's bytes to the input tensor, by way of BGR and without it.
fn prepare(criterion: &mut Criterion) {
    for (width, height) in CAMERAS {
        let pixels = pixels_of(width, height);
        let view = BgrView::new(width, height, 3 * width as usize, &pixels).expect("whole rows");
        let jpeg = jpeg(&view);
        let compressed = compressed(&jpeg);
        for name in MODELS {
            let mut builder = TensorBuilder::new(description(name).input);
            for (way, scale) in [
                ("full", JpegScale::Full),
                ("half", JpegScale::Half),
                ("quarter", JpegScale::Quarter),
                ("auto", JpegScale::Auto),
            ] {
                let mut decoder = ImageDecoder::new();
                decoder.set_jpeg_scale(scale);
                let id = format!("prepare/{name} jpeg {width}x{height} {way}");
                criterion.bench_function(&id, |b| {
                    b.iter(|| {
                        let in_input = |image| builder.letterbox(image).size;
                        let pixels = decoder.compressed_pixels(&compressed, in_input)?;
                        builder.fill(pixels).map_err(DecodeError::from)
                    });
                });
            }
            for (encoding, bytes) in [("nv12", 1), ("yuyv", 2), ("uyvy", 2)] {
                let image = ImageView {
                    header: HeaderView::default(),
                    height,
                    width,
                    encoding,
                    is_bigendian: false,
                    step: bytes * width,
                    data: &pixels,
                };
                let mut decoder = ImageDecoder::new();
                let id = format!("prepare/{name} {encoding} {width}x{height}");
                criterion.bench_function(&format!("{id} by BGR"), |b| {
                    b.iter(|| {
                        let picture = decoder.decode_raw(&image)?;
                        builder.fill(&picture).map_err(DecodeError::from)
                    });
                });
                criterion.bench_function(&id, |b| {
                    b.iter(|| {
                        let pixels = decoder.raw_pixels(&image)?;
                        builder.fill(pixels).map_err(DecodeError::from)
                    });
                });
            }
            criterion.bench_function(&format!("prepare/{name} bgr8 {width}x{height}"), |b| {
                b.iter(|| builder.fill(&view));
            });
        }
    }
}

/// The letterbox alone at inputs of a camera's shape.
fn wide_inputs(criterion: &mut Criterion) {
    let pixels = pixels();
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, &pixels).expect("whole rows");
    let input = description(MODELS[1]).input;
    for (width, height) in [(416, 416), (416, 256), (704, 224), (832, 256)] {
        let mut builder = TensorBuilder::new(InputSpec {
            width,
            height,
            resize: ResizeMode::Stretch,
            ..input.clone()
        });
        criterion.bench_function(&format!("letterbox/{width}x{height}"), |b| {
            b.iter(|| builder.fill(&view));
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
    let labels = description(MODELS[0]).labels;
    let mut messages = ResultMessages::default();
    criterion.bench_function("publish/Detection2DArray of 20", |b| {
        b.iter(|| messages.detections(&frame, &labels).map(<[u8]>::len));
    });
}

criterion_group!(
    stages,
    decode,
    letterbox,
    prepare,
    wide_inputs,
    infer,
    suppress
);
criterion_main!(stages);
