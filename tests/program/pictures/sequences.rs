//! Decoders and tensors that are kept give of each picture what new ones give.
//!
//! `PROPTEST_CASES` says how many sequences are tried.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

use shuffledet_core::ColourOrder;
use shuffledet_core::{InputSpec, ResizeMode};
use shuffledet_detector::pipeline::Transport;
use shuffledet_image::{DecodeError, ImageDecoder, Letterbox, TensorBuilder};
use shuffledet_msg::{CompressedImageView, ImageView};

use crate::pictures::damage::{Sent, sent};

/// A picture and the tensor of it, or why there is none.
#[derive(PartialEq)]
struct Seen {
    size: (u32, u32),
    image: (u32, u32),
    pixels: Vec<u8>,
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
        let told = |error: DecodeError| format!("{}: {error}", error.reason());
        self.decoder.set_jpeg_scale(sent.scale);
        let picture = match sent.transport {
            Transport::Raw => {
                let image = ImageView::parse(&sent.message).map_err(|error| error.to_string())?;
                self.decoder.decode_raw(&image)
            }
            Transport::Compressed => {
                let image = CompressedImageView::parse(&sent.message);
                let image = image.map_err(|error| error.to_string())?;
                self.decoder.decode_compressed(&image)
            }
        };
        let picture = picture.map_err(told)?;
        let letterbox = self.builder.fill(&picture).unwrap();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let rows = picture.data().chunks(picture.step()).take(height);
        Ok(Seen {
            size: (picture.width(), picture.height()),
            image: picture.image_size(),
            pixels: rows.flat_map(|row| &row[..3 * width]).copied().collect(),
            letterbox,
            tensor: self.builder.tensor().to_vec(),
        })
    }
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
}
