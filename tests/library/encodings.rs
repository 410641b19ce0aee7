//! One frame in every encoding gives one picture and the same objects.

use shuffledet_testing::{self as support, detector};
use std::collections::BTreeMap;

use detector::detector;
use shuffledet_bag::{Recording, Selection};
use shuffledet_core::{ColourOrder, Detection, InputSpec, ResizeMode};
use shuffledet_detector::detect::Detector;
use shuffledet_image::{BgrView, ImageDecoder, JpegScale, Pixels, TensorBuilder};
use shuffledet_msg::{CompressedImageView, HeaderView, ImageView};

/// The messages of the shared recording by the last part of their topic.
fn encodings(test: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let recording = Recording::open(&support::asset(test, "bags/encodings_mcap")?).unwrap();
    let mut messages = recording.read(&Selection::default()).unwrap();
    let (mut by_name, mut data) = (BTreeMap::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        let topic = &recording.topics()[head.topic].name;
        by_name.insert(topic.trim_start_matches("/enc/").to_owned(), data.clone());
    }
    assert_eq!(by_name.len(), 11);
    Some(by_name)
}

/// B, G, R, rows without padding.
#[derive(Clone, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    bgr: Vec<u8>,
}

impl Picture {
    fn copy(view: &BgrView<'_>) -> Self {
        let (width, height) = (view.width(), view.height());
        let rows = view.data().chunks(view.step()).take(height as usize);
        let bgr = rows
            .flat_map(|row| &row[..3 * width as usize])
            .copied()
            .collect();
        Self { width, height, bgr }
    }

    fn view(&self) -> BgrView<'_> {
        BgrView::new(self.width, self.height, 3 * self.width as usize, &self.bgr).unwrap()
    }

    fn pixel(&self, row: u32, column: u32) -> [u8; 3] {
        let at = 3 * (row * self.width + column) as usize;
        self.bgr[at..at + 3].try_into().unwrap()
    }

    /// One byte a pixel.
    fn map(&self, level: impl Fn(u32, u32) -> u8) -> Vec<u8> {
        let rows = 0..self.height;
        rows.flat_map(|row| (0..self.width).map(move |column| (row, column)))
            .map(|(row, column)| level(row, column))
            .collect()
    }

    /// The mean absolute difference of the values.
    fn difference(&self, other: &Picture) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let pairs = self.bgr.iter().zip(&other.bgr);
        let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / self.bgr.len() as f64
    }

    fn decode(&self, encoding: &str, is_bigendian: bool, step: u32, data: &[u8]) -> Picture {
        let (width, height) = (self.width, self.height);
        let header = HeaderView::default();
        let image = ImageView {
            header,
            height,
            width,
            encoding,
            is_bigendian,
            step,
            data,
        };
        Picture::copy(&ImageDecoder::new().decode_raw(&image).unwrap())
    }
}

fn decode(name: &str, message: &[u8]) -> Picture {
    let mut decoder = ImageDecoder::new();
    let picture = if name.starts_with("compressed") {
        decoder.decode_compressed(&CompressedImageView::parse(message).unwrap())
    } else {
        decoder.decode_raw(&ImageView::parse(message).unwrap())
    };
    Picture::copy(&picture.unwrap())
}

fn detect(detector: &mut Detector, picture: &Picture) -> Vec<Detection> {
    detector.detect(&picture.view()).unwrap().to_vec()
}

/// The least IoU with an object of the bgr8 frame that scores above 0.5; `None` where the encoding cannot carry it.
///
/// JPEG carries all of them. Grey has no colour, Bayer and YUV 4:2:2 have it at half the resolution, so that objects of
/// less than 32x32 pixels (COCO's small ones; here cars of 10 to 27 pixels) lose what the models go by: Bayer and YUV
/// keep them roughly, grey does not. The recording's YUV is of full range, which a decoder of ROS's studio range shows
/// with more contrast: that is no loss to large objects either.
fn least_iou(encoding: &str, object: &Detection) -> Option<f32> {
    let small = object.bbox.area() < 32.0 * 32.0;
    match encoding {
        "compressed_jpeg" => Some(0.9),
        _ if !small => Some(0.9),
        "mono8" => None,
        _ => Some(0.5),
    }
}

fn same_objects(test: &str, model: &str) {
    let Some(messages) = encodings(test) else {
        return;
    };
    let mut detector = detector(model, None, None);
    let frame = decode("bgr8", &messages["bgr8"]);
    let expected = detect(&mut detector, &frame);
    assert!(expected.iter().any(|object| object.score > 0.5));
    for (name, message) in &messages {
        let found = detect(&mut detector, &decode(name, message));
        if ![
            "bayer_rggb8",
            "compressed_jpeg",
            "mono8",
            "yuv422",
            "yuv422_yuy2",
        ]
        .contains(&name.as_str())
        {
            assert_eq!(found, expected, "{name}");
            continue;
        }
        for object in expected.iter().filter(|object| object.score > 0.5) {
            let Some(least) = least_iou(name, object) else {
                continue;
            };
            let alike =
                |d: &Detection| d.class_id == object.class_id && d.bbox.iou(&object.bbox) >= least;
            assert!(
                found.iter().any(alike),
                "{name}: {object:?} among {found:?}"
            );
        }
    }
}

#[test]
fn fastestdet_sees_the_same_objects_in_every_encoding() {
    same_objects(
        "fastestdet_sees_the_same_objects_in_every_encoding",
        "fastestdet_352",
    );
}

#[test]
fn nanodet_sees_the_same_objects_in_every_encoding() {
    same_objects(
        "nanodet_sees_the_same_objects_in_every_encoding",
        "nanodet_m_416",
    );
}

#[test]
fn every_bayer_pattern_is_its_own() {
    let Some(messages) = encodings("every_bayer_pattern_is_its_own") else {
        return;
    };
    let frame = decode("bgr8", &messages["bgr8"]);
    // of each 2x2 block, row by row: the channel that the pixel carries
    let patterns = [
        ("rggb", [2, 1, 1, 0]),
        ("bggr", [0, 1, 1, 2]),
        ("gbrg", [1, 0, 2, 1]),
        ("grbg", [1, 2, 0, 1]),
    ];
    for (made, channels) in patterns {
        let mosaic = frame.map(|row, column| {
            frame.pixel(row, column)[channels[(row % 2 * 2 + column % 2) as usize]]
        });
        for (name, _) in patterns {
            let decoded = frame.decode(&format!("bayer_{name}8"), false, frame.width, &mosaic);
            let difference = decoded.difference(&frame);
            // a wrong pattern was seen to be off by 17 levels and more, the right one by 1.2
            let right = if name == made {
                difference < 3.0
            } else {
                difference > 10.0
            };
            assert!(
                right,
                "made as {made}, read as {name}: off by {difference} levels"
            );
        }
    }
}

/// Studio-range BT.601, which cameras send: Y, U, V of one pixel before rounding.
fn yuv([b, g, r]: [u8; 3]) -> [f64; 3] {
    let [b, g, r] = [b, g, r].map(|level| f64::from(level) / 255.0);
    [
        16.0 + 65.481 * r + 128.553 * g + 24.966 * b,
        128.0 - 37.797 * r - 74.203 * g + 112.0 * b,
        128.0 + 112.0 * r - 93.786 * g - 18.214 * b,
    ]
}

#[test]
fn nv12_and_nv21_differ_in_the_order_of_chroma_only() {
    let Some(messages) = encodings("nv12_and_nv21_differ_in_the_order_of_chroma_only") else {
        return;
    };
    let frame = decode("bgr8", &messages["bgr8"]);
    let luma = frame.map(|row, column| yuv(frame.pixel(row, column))[0].round() as u8);
    let chroma = |row: u32, column: u32, channel: usize| {
        let block = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let sum: f64 = block
            .iter()
            .map(|(r, c)| yuv(frame.pixel(2 * row + r, 2 * column + c))[channel])
            .sum();
        (sum / 4.0).round() as u8
    };
    let semi_planar = |channels: [usize; 2]| {
        let mut data = luma.clone();
        for row in 0..frame.height / 2 {
            for column in 0..frame.width / 2 {
                data.extend(channels.map(|channel| chroma(row, column, channel)));
            }
        }
        data
    };
    let nv12 = frame.decode("nv12", false, frame.width, &semi_planar([1, 2]));
    let nv21 = frame.decode("nv21", false, frame.width, &semi_planar([2, 1]));
    assert!(nv12 == nv21);
    let wrong = frame.decode("nv21", false, frame.width, &semi_planar([1, 2]));
    assert!(wrong.difference(&frame) > 10.0);
    assert!(nv12.difference(&frame) < 1.5);
}

/// The levels of a picture in an input of 416x416, channel after channel.
fn levels<'a>(pixels: impl Into<Pixels<'a>>) -> Vec<f32> {
    let mut builder = TensorBuilder::new(InputSpec {
        width: 416,
        height: 416,
        colour: ColourOrder::Bgr,
        resize: ResizeMode::Letterbox,
        mean: [0.0; 3],
        std: [1.0; 3],
        padding: 0,
    });
    builder.fill(pixels).unwrap();
    builder.tensor().to_vec()
}

/// The mean difference, and the share of differences above one level.
fn differences(levels: &[f32], others: &[f32]) -> (f32, f32) {
    let differences = levels.iter().zip(others).map(|(a, b)| (a - b).abs());
    let count = levels.len() as f32;
    let more = differences.clone().filter(|&difference| difference > 1.0);
    (
        differences.sum::<f32>() / count,
        more.count() as f32 / count,
    )
}

/// Colours beyond the screen's range are cut off before the resize in a BGR picture, and after it in planes. The
/// recording has many of them, because its YUV is of full range.
#[test]
fn yuv_goes_into_the_input_as_its_bgr_picture_does() {
    let Some(messages) = encodings("yuv_goes_into_the_input_as_its_bgr_picture_does") else {
        return;
    };
    for name in ["yuv422", "yuv422_yuy2"] {
        let image = ImageView::parse(&messages[name]).unwrap();
        let (mut decoder, mut other) = (ImageDecoder::new(), ImageDecoder::new());
        let planes = levels(decoder.raw_pixels(&image).unwrap());
        let bgr = levels(&other.decode_raw(&image).unwrap());
        let (mean, more) = differences(&planes, &bgr);
        assert!(mean < 0.15 && more < 0.003, "{name}: {mean}, {more}");
    }
}

/// Chroma is interpolated once, between its own samples, not first to the picture's size.
#[test]
fn a_jpeg_goes_into_the_input_from_planes_nearly_as_from_bgr() {
    let Some(messages) = encodings("a_jpeg_goes_into_the_input_from_planes_nearly_as_from_bgr")
    else {
        return;
    };
    let image = CompressedImageView::parse(&messages["compressed_jpeg"]).unwrap();
    let (mut decoder, mut other) = (ImageDecoder::new(), ImageDecoder::new());
    decoder.set_jpeg_scale(JpegScale::Auto);
    // at full size
    let pixels = decoder.compressed_pixels(&image, |image| image).unwrap();
    assert!(matches!(pixels, Pixels::Yuv(_)));
    let bgr = other.decode_compressed(&image).unwrap();
    assert_eq!(pixels.size(), (bgr.width(), bgr.height()));
    let (mean, more) = differences(&levels(pixels), &levels(&bgr));
    assert!(mean < 0.3 && more < 0.03, "{mean}, {more}");
}

#[test]
fn yuv_goes_by_either_of_its_names() {
    let Some(messages) = encodings("yuv_goes_by_either_of_its_names") else {
        return;
    };
    for (ours, theirs) in [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")] {
        let image = ImageView::parse(&messages[ours]).unwrap();
        let renamed = ImageView {
            encoding: theirs,
            ..image
        };
        let mut decoder = ImageDecoder::new();
        let renamed = Picture::copy(&decoder.decode_raw(&renamed).unwrap());
        assert!(renamed == decode(ours, &messages[ours]), "{theirs}");
    }
    assert!(
        decode("yuv422", &messages["yuv422"]) == decode("yuv422_yuy2", &messages["yuv422_yuy2"])
    );
}

#[test]
fn grey_is_the_same_with_8_and_16_bits_in_both_byte_orders() {
    let Some(messages) = encodings("grey_is_the_same_with_8_and_16_bits_in_both_byte_orders")
    else {
        return;
    };
    let mono8 = ImageView::parse(&messages["mono8"]).unwrap();
    let expected = decode("mono8", &messages["mono8"]);
    // 257 times the level of 8 bits is the same share of the range; the rest of it is rounded away
    for rest in [0, 128, -128] {
        let levels = mono8
            .data
            .iter()
            .map(|&level| 257 * i32::from(level) + rest);
        let levels: Vec<u16> = levels.map(|level| level.clamp(0, 65535) as u16).collect();
        let little: Vec<u8> = levels
            .iter()
            .flat_map(|level| level.to_le_bytes())
            .collect();
        let big: Vec<u8> = levels
            .iter()
            .flat_map(|level| level.to_be_bytes())
            .collect();
        let step = 2 * expected.width;
        assert!(expected.decode("mono16", false, step, &little) == expected);
        assert!(expected.decode("mono16", true, step, &big) == expected);
    }
}

#[test]
fn opencv_names_mean_grey_and_bgr() {
    let Some(messages) = encodings("opencv_names_mean_grey_and_bgr") else {
        return;
    };
    for (ros, opencv) in [("mono8", "8UC1"), ("bgr8", "8UC3")] {
        let image = ImageView::parse(&messages[ros]).unwrap();
        let expected = decode(ros, &messages[ros]);
        assert!(
            expected.decode(opencv, false, image.step, image.data) == expected,
            "{opencv}"
        );
    }
}

/// The same message as a big-endian machine sends it.
fn big_endian(image: &ImageView<'_>) -> Vec<u8> {
    let mut cdr = Vec::new();
    let align = |cdr: &mut Vec<u8>| cdr.resize(cdr.len().next_multiple_of(4), 0);
    let text = |cdr: &mut Vec<u8>, text: &str| {
        cdr.extend((text.len() as u32 + 1).to_be_bytes());
        cdr.extend([text.as_bytes(), b"\0"].concat());
    };
    // the encapsulation is 4 bytes long, so that what follows is aligned as if it stood first
    cdr.extend([0, 0, 0, 0]);
    cdr.extend(image.header.stamp.sec.to_be_bytes());
    cdr.extend(image.header.stamp.nanosec.to_be_bytes());
    text(&mut cdr, image.header.frame_id);
    align(&mut cdr);
    cdr.extend(image.height.to_be_bytes());
    cdr.extend(image.width.to_be_bytes());
    text(&mut cdr, image.encoding);
    cdr.push(image.is_bigendian.into());
    align(&mut cdr);
    cdr.extend(image.step.to_be_bytes());
    cdr.extend((image.data.len() as u32).to_be_bytes());
    cdr.extend(image.data);
    cdr
}

#[test]
fn a_message_of_a_big_endian_machine_is_the_same_picture() {
    let Some(messages) = encodings("a_message_of_a_big_endian_machine_is_the_same_picture") else {
        return;
    };
    let raw = messages
        .iter()
        .filter(|(name, _)| !name.starts_with("compressed"));
    for (name, message) in raw {
        let image = ImageView::parse(message).unwrap();
        let swapped = big_endian(&image);
        assert!(ImageView::parse(&swapped).unwrap() == image, "{name}");
        assert!(decode(name, &swapped) == decode(name, message), "{name}");
    }
}
