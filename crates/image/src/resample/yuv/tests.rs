//! The resampler against plain floats, against pictures that OpenCV converts, and against itself on
//! other processors.

use proptest::prelude::*;

use shuffledet_core::{ColourOrder, InputSpec, PixelRect, ResizeMode};
use shuffledet_msg::{HeaderView, ImageView};

use super::*;
use crate::{ImageDecoder, Pixels, TensorBuilder};

/// An image of planes, whose bytes a test chooses.
#[derive(Debug, Clone)]
struct Picture {
    size: (u32, u32),
    sharing: (u32, u32),
    coding: Coding,
    grey: bool,
    planes: [Vec<u8>; 3],
}

impl Picture {
    fn chroma_size(&self) -> (u32, u32) {
        (
            self.size.0.div_ceil(self.sharing.0),
            self.size.1.div_ceil(self.sharing.1),
        )
    }

    fn new(
        size: (u32, u32),
        sharing: (u32, u32),
        coding: Coding,
        level: impl Fn(usize, f64, f64) -> u8,
    ) -> Self {
        let mut picture = Self {
            size,
            sharing,
            coding,
            grey: false,
            planes: Default::default(),
        };
        let chroma = picture.chroma_size();
        picture.planes = std::array::from_fn(|component| {
            let size = if component == 0 { size } else { chroma };
            let pixels = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
            let share = |line: u32, side: u32| (f64::from(line) + 0.5) / f64::from(side);
            pixels
                .map(|(x, y)| level(component, share(x, size.0), share(y, size.1)))
                .collect()
        });
        picture
    }

    fn view(&self) -> YuvView<'_> {
        let samples = |component: usize, width: u32| Samples {
            data: &self.planes[component],
            step: width as usize,
            stride: 1,
        };
        let width = self.chroma_size().0;
        let chroma = (!self.grey).then(|| [samples(1, width), samples(2, width)]);
        let luma = samples(0, self.size.0);
        YuvView::new(self.size, luma, chroma, self.sharing, self.coding).unwrap()
    }

    fn sample(&self, component: usize, x: usize, y: usize) -> f64 {
        if component > 0 && self.grey {
            return 128.0;
        }
        let width = if component == 0 {
            self.size.0
        } else {
            self.chroma_size().0
        };
        f64::from(self.planes[component][y * width as usize + x])
    }

    /// The planes interleaved as nv12.
    fn nv12(&self) -> Vec<u8> {
        let [luma, blue, red] = &self.planes;
        let chroma = blue.iter().zip(red).flat_map(|(blue, red)| [*blue, *red]);
        luma.iter().copied().chain(chroma).collect()
    }

    /// The planes interleaved as uyvy, or as yuyv.
    fn packed(&self, luma_first: bool) -> Vec<u8> {
        let [luma, blue, red] = &self.planes;
        let pairs = luma.chunks_exact(2).zip(blue.iter().zip(red));
        pairs
            .flat_map(|(luma, (blue, red))| match luma_first {
                true => [luma[0], *blue, luma[1], *red],
                false => [*blue, luma[0], *red, luma[1]],
            })
            .collect()
    }
}

fn spec(width: u32, height: u32) -> InputSpec {
    InputSpec {
        width,
        height,
        colour: ColourOrder::Bgr,
        resize: ResizeMode::Stretch,
        // the tensor's values are levels
        mean: [0.0; 3],
        std: [1.0; 3],
        padding: 0,
    }
}

fn tensor<'a>(pixels: impl Into<Pixels<'a>>, input: (u32, u32)) -> Vec<f32> {
    let mut builder = TensorBuilder::new(spec(input.0, input.1));
    builder.fill(pixels).unwrap();
    builder.tensor().to_vec()
}

fn greatest_difference(tensor: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(tensor.len(), expected.len());
    let pairs = tensor.iter().zip(expected);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What the tensor means, in floats: each component's bilinear interpolation between the centres of
/// its samples, then the colour.
fn expected(picture: &Picture, part: PixelRect, input: (u32, u32)) -> Vec<f32> {
    let (origin, size) = ((part.left, part.top), part.size());
    // two lines of a component, and the share of the second
    let lines = |line: u32, to: u32, origin: u32, from: u32, sharing: u32| {
        let within = f64::from(line) + 0.5;
        let luma = within * f64::from(from) / f64::from(to);
        let between = |centre: f64, least: f64, most: f64| {
            let first = centre.floor();
            let at = |line: f64| line.clamp(least, most) as usize;
            ([at(first), at(first + 1.0)], centre - first)
        };
        let (start, last) = (f64::from(origin), f64::from(origin + from - 1));
        let sharing = f64::from(sharing);
        match picture.coding {
            Coding::Jpeg => between(
                (start + luma) / sharing - 0.5,
                (start / sharing).floor(),
                (last / sharing).floor(),
            ),
            Coding::Video => {
                let (pixels, share) = between(start + luma - 0.5, start, last);
                (pixels.map(|pixel| pixel / sharing as usize), share)
            }
        }
    };
    let mut planes = vec![Vec::new(); 3];
    for y in 0..input.1 {
        for x in 0..input.0 {
            let value = |component: usize| {
                let sharing = if component == 0 {
                    (1, 1)
                } else {
                    picture.sharing
                };
                let (columns, right) = lines(x, input.0, origin.0, size.0, sharing.0);
                let (rows, below) = lines(y, input.1, origin.1, size.1, sharing.1);
                let row = |row: usize| {
                    let [first, second] = columns.map(|column| {
                        let level = picture.sample(component, column, row);
                        match picture.coding {
                            Coding::Video if component == 0 => (level - 16.0).max(0.0),
                            _ => level,
                        }
                    });
                    first * (1.0 - right) + second * right
                };
                row(rows[0]) * (1.0 - below) + row(rows[1]) * below
            };
            let (luma, blue, red) = (value(0), value(1) - 128.0, value(2) - 128.0);
            let bgr = match picture.coding {
                Coding::Jpeg => [
                    luma + 1.772 * blue,
                    luma - 0.344_136 * blue - 0.714_136 * red,
                    luma + 1.402 * red,
                ],
                Coding::Video => {
                    let luma = 1.164 * luma;
                    [
                        luma + 2.018 * blue,
                        luma - 0.391 * blue - 0.813 * red,
                        luma + 1.596 * red,
                    ]
                }
            };
            for (plane, level) in planes.iter_mut().zip(bgr) {
                plane.push(level.clamp(0.0, 255.0) as f32);
            }
        }
    }
    planes.concat()
}

fn noise() -> impl Strategy<Value = Picture> {
    let coding = prop_oneof![Just(Coding::Jpeg), Just(Coding::Video)];
    let size = (1u32..120, 1u32..90);
    let sharing = (1u32..3, 1u32..3);
    (size, sharing, coding, any::<bool>(), any::<u32>()).prop_map(
        |(size, sharing, coding, grey, seed)| {
            let hash = |component: usize, x: f64, y: f64| {
                let bits = (x * 7919.0 + y * 104_729.0 + component as f64 * 31.0).to_bits();
                let bits = bits
                    .wrapping_add(u64::from(seed))
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (bits >> 56) as u8
            };
            Picture {
                grey,
                ..Picture::new(size, sharing, coding, hash)
            }
        },
    )
}

/// A part of an image, by four numbers.
fn part(size: (u32, u32), cut: (u32, u32, u32, u32)) -> PixelRect {
    let (left, top) = (cut.0 % size.0, cut.1 % size.1);
    PixelRect {
        left,
        top,
        width: 1 + cut.2 % (size.0 - left),
        height: 1 + cut.3 % (size.1 - top),
    }
}

/// Smooth waves whose colours lie well within those of the screen.
fn waves(size: (u32, u32), sharing: (u32, u32), coding: Coding, phase: f64) -> Picture {
    Picture::new(size, sharing, coding, |component, x, y| {
        let wave = (3.0 * x + 2.0 * y + phase + component as f64).sin();
        (if component == 0 {
            120.0 + 60.0 * wave
        } else {
            128.0 + 25.0 * wave
        }) as u8
    })
}

proptest! {
    #[test]
    fn noise_becomes_what_floats_make_of_it(
        picture in noise(), input in (1u32..70, 1u32..50), cut: (u32, u32, u32, u32),
    ) {
        let part = part(picture.size, cut);
        let view = picture.view();
        let view = view.part(part).unwrap();
        let difference = greatest_difference(&tensor(&view, input), &expected(&picture, part, input));
        prop_assert!(difference < 0.6, "{difference}");
    }

    #[test]
    fn every_processor_gives_the_same_bits(
        pictures in prop::collection::vec((noise(), any::<(u32, u32, u32, u32)>()), 1..4),
        input in (1u32..70, 1u32..50), mode in prop_oneof![Just(ResizeMode::Stretch), Just(ResizeMode::Letterbox)],
    ) {
        let spec = InputSpec { resize: mode, mean: [10.0, 20.0, 30.0], std: [2.0, 4.0, 5.0], ..spec(input.0, input.1) };
        let mut here = TensorBuilder::new(spec.clone());
        for (picture, cut) in pictures {
            let part = part(picture.size, cut);
            let view = picture.view().part(part).unwrap();
            let mut portable = TensorBuilder::new(spec.clone()).without_vectors();
            prop_assert_eq!(here.fill(&view).unwrap(), portable.fill(&view).unwrap());
            prop_assert_eq!(here.tensor(), portable.tensor());
        }
    }

    #[test]
    fn smooth_pictures_are_as_converted_first_and_resized_then(
        size in (40u32..200, 40u32..150), sharing in (1u32..3, 1u32..3), input in (1u32..70, 1u32..50), phase in 0.0..6.0,
    ) {
        let picture = waves(size, sharing, Coding::Jpeg, phase);
        // at its own size, rounded to levels: BGR
        let planes = tensor(&picture.view(), size);
        let area = (size.0 * size.1) as usize;
        let bgr: Vec<u8> = (0..area).flat_map(|at| [0, 1, 2].map(|channel| planes[channel * area + at] as u8)).collect();
        let bgr = crate::BgrView::new(size.0, size.1, 3 * size.0 as usize, &bgr).unwrap();
        let difference = greatest_difference(&tensor(&picture.view(), input), &tensor(&bgr, input));
        prop_assert!(difference <= 2.0, "{difference}");
    }

    #[test]
    fn raw_yuv_differs_by_rounding_from_what_opencv_converts(
        half in (1u32..60, 1u32..45), input in (1u32..70, 1u32..50), seed in 0u32..1000,
    ) {
        let size = (2 * half.0, 2 * half.1);
        // noise whose colours lie within those of the screen
        let level = |component: usize, x: f64, y: f64| {
            let hash = (x * 7919.0 + y * 104_729.0 + f64::from(seed) + component as f64).to_bits();
            let share = f64::from((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8) / 255.0;
            (if component == 0 { 95.0 + 60.0 * share } else { 105.0 + 45.0 * share }) as u8
        };
        for encoding in ["nv12", "nv21", "yuyv", "yuv422_yuy2", "uyvy", "yuv422"] {
            let semi_planar = encoding.starts_with("nv");
            let sharing = if semi_planar { (2, 2) } else { (2, 1) };
            let mut picture = Picture::new(size, sharing, Coding::Video, level);
            if encoding == "nv21" {
                picture.planes.swap(1, 2);
            }
            let data = match semi_planar {
                true => picture.nv12(),
                false => picture.packed(encoding.contains("yuy")),
            };
            let image = ImageView {
                header: HeaderView::default(),
                width: size.0,
                height: size.1,
                encoding,
                is_bigendian: false,
                step: if semi_planar { size.0 } else { 2 * size.0 },
                data: &data,
            };
            let mut decoder = ImageDecoder::new();
            let bgr = tensor(&decoder.decode_raw(&image).unwrap(), input);
            let pixels = decoder.raw_pixels(&image).unwrap();
            prop_assert!(matches!(pixels, Pixels::Yuv(_)));
            let found = tensor(pixels, input);
            let difference = greatest_difference(&found, &bgr);
            prop_assert!(difference <= 1.0, "{encoding}: {difference}");
            let mut portable = TensorBuilder::new(spec(input.0, input.1)).without_vectors();
            portable.fill(pixels).unwrap();
            prop_assert!(portable.tensor() == found, "{encoding}");
        }
    }
}
