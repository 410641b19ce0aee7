//! Decoders and tensors that are kept give of each picture what new ones give.
//!
//! `PROPTEST_CASES` says how many sequences are tried.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use shuffledet_core::ColourOrder;
use shuffledet_core::{InputSpec, ResizeMode};
use shuffledet_detector::pipeline::Transport;
use shuffledet_image::{DecodeError, ImageDecoder, JpegScale, Letterbox, Pixels, TensorBuilder};
use shuffledet_msg::{CompressedImageView, ImageView};

use crate::pictures::damage::{Sent, compressed, sent};

/// A picture and the tensor of it, or why there is none.
#[derive(PartialEq)]
struct Seen {
    size: (u32, u32),
    image: (u32, u32),
    /// Of a BGR image; what other pixels are is in the tensor.
    bgr: Vec<u8>,
    letterbox: Letterbox,
    tensor: Vec<f32>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.size, self.image)
    }
}

struct Kept {
    decoder: ImageDecoder,
    builder: TensorBuilder,
}

impl Kept {
    fn new() -> Self {
        let spec = InputSpec {
            width: 32,
            height: 24,
            colour: ColourOrder::Rgb,
            resize: ResizeMode::Letterbox,
            padding: 0,
            mean: [10.0, 20.0, 30.0],
            std: [2.0, 4.0, 5.0],
        };
        Self {
            decoder: ImageDecoder::new(),
            builder: TensorBuilder::new(spec),
        }
    }

    fn see(&mut self, sent: &Sent) -> Result<Seen, String> {
        self.decoder.set_jpeg_scale(sent.scale);
        let in_input = |image| self.builder.letterbox(image).size;
        let pixels = match sent.transport {
            Transport::Raw => {
                let image = ImageView::parse(&sent.message).map_err(|error| error.to_string())?;
                self.decoder.raw_pixels(&image)
            }
            Transport::Compressed => {
                let image = CompressedImageView::parse(&sent.message);
                let image = image.map_err(|error| error.to_string())?;
                self.decoder.compressed_pixels(&image, in_input)
            }
        };
        let pixels = pixels.map_err(told)?;
        let letterbox = self.builder.fill(pixels).unwrap();
        let bgr = match &pixels {
            Pixels::Bgr(picture) => {
                let rows = picture.data().chunks(picture.step());
                let rows = rows.take(picture.height() as usize);
                rows.flat_map(|row| &row[..3 * picture.width() as usize])
                    .copied()
                    .collect()
            }
            Pixels::Yuv(_) => Vec::new(),
        };
        Ok(Seen {
            size: pixels.size(),
            image: pixels.image_size(),
            bgr,
            letterbox,
            tensor: self.builder.tensor().to_vec(),
        })
    }
}

/// The size to which a JPEG is decoded, or why it is not.
type Decoded = Result<(u32, u32), String>;

fn told(error: DecodeError) -> String {
    format!("{}: {error}", error.reason())
}

/// Decodes a JPEG to planes at 1 / `divisor` of its size, or at full size if it is small. Also returns the divisor.
fn to_planes(sent: &Sent, divisor: u32) -> (Decoded, u32) {
    let message = CompressedImageView::parse(&sent.message).unwrap();
    let mut decoder = ImageDecoder::new();
    decoder.set_jpeg_scale(JpegScale::Auto);
    let mut taken = divisor;
    // the least size in an input for which the scale suffices, and the next smaller one does not
    let in_input = |(width, height): (u32, u32)| {
        if width.min(height) < 17 {
            taken = 1;
        }
        let side = |side: u32| (2 * side.div_ceil(taken) / 3).max(1);
        (side(width), side(height))
    };
    let pixels = decoder.compressed_pixels(&message, in_input);
    (pixels.map(|pixels| pixels.size()).map_err(told), taken)
}

fn to_bgr(sent: &Sent, divisor: u32) -> Decoded {
    let message = CompressedImageView::parse(&sent.message).unwrap();
    let mut decoder = ImageDecoder::new();
    decoder.set_jpeg_scale(match divisor {
        1 => JpegScale::Full,
        2 => JpegScale::Half,
        4 => JpegScale::Quarter,
        _ => JpegScale::Eighth,
    });
    let picture = decoder.decode_compressed(&message);
    picture
        .map(|picture| (picture.width(), picture.height()))
        .map_err(told)
}

proptest! {
    // a thousand pictures in a failure tell nobody anything more than the few that do it
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_picture_after_others_is_what_it_is_alone(sequence in vec(sent(), 1..12)) {
        let alone: Vec<_> = sequence.iter().map(|sent| Kept::new().see(sent)).collect();
        let mut kept = Kept::new();
        for round in 0..2 {
            for (sent, alone) in sequence.iter().zip(&alone) {
                let seen = kept.see(sent);
                prop_assert!(seen == *alone, "round {}: {}: {:?} alone, {:?} after others", round, sent.what, alone, seen);
            }
        }
    }

    #[test]
    fn a_damaged_jpeg_fails_in_planes_as_it_fails_in_bgr(sent in compressed(), divisor in select(vec![1, 2, 4, 8])) {
        let (planes, divisor) = to_planes(&sent, divisor);
        prop_assert_eq!(to_bgr(&sent, divisor), planes, "{}, 1/{}", sent.what, divisor);
    }
}
