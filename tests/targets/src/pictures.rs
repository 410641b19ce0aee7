//! Pictures, as the node decodes them.

use shuffledet_image::encoding::SUPPORTED;
use shuffledet_image::{FileFormat, ImageDecoder, ImageLimits, JpegScale};
use shuffledet_msg::{CompressedImageView, ImageView};

use crate::messages::seeds::{compressed_image as compressed_message, raw_image};

/// Small, so that a run takes little time.
const LIMITS: ImageLimits = ImageLimits {
    pixels: 1 << 20,
    bytes: 1 << 20,
    jpeg_scans: 10,
};

pub fn image_message(input: &[u8]) -> bool {
    let Ok(image) = ImageView::parse(input) else {
        return false;
    };
    let mut decoder = ImageDecoder::new();
    decoder.set_limits(LIMITS);
    if let Ok(picture) = decoder.decode_raw(&image) {
        assert_eq!(
            (picture.width(), picture.height()),
            (image.width, image.height)
        );
        assert!(u64::from(image.width) * u64::from(image.height) <= LIMITS.pixels);
    }
    let _ = decoder.raw_pixels(&image);
    true
}

/// The input is the message's data. The first check: the format is known.
pub fn compressed_image(input: &[u8]) -> bool {
    let message = compressed_message(input);
    let Ok(image) = CompressedImageView::parse(&message) else {
        unreachable!("a message that was written is read");
    };
    for scale in [JpegScale::Full, JpegScale::Auto] {
        let mut decoder = ImageDecoder::new();
        decoder.set_limits(LIMITS);
        decoder.set_jpeg_scale(scale);
        if let Ok(picture) = decoder.decode_compressed(&image) {
            assert!(u64::from(picture.width()) * u64::from(picture.height()) <= LIMITS.pixels);
        }
        let _ =
            decoder.compressed_pixels(&image, |(width, height)| (width.min(32), height.min(32)));
    }
    FileFormat::recognise(input).is_some()
}

pub mod seeds {
    use super::*;

    pub fn image_message() -> Vec<Vec<u8>> {
        let bytes = |encoding: &str| match encoding {
            "bgra8" | "rgba8" => 4,
            "bgr8" | "rgb8" | "8UC3" => 3,
            encoding
                if encoding.contains("16") || encoding.contains("yu") || encoding == "uyvy" =>
            {
                2
            }
            _ => 1,
        };
        SUPPORTED
            .iter()
            .map(|encoding| raw_image(encoding, bytes(encoding)))
            .collect()
    }

    /// A sample of each format, and a JPEG.
    pub fn compressed_image() -> Vec<Vec<u8>> {
        let samples = FileFormat::ALL.iter().filter_map(|format| format.sample());
        samples.map(<[u8]>::to_vec).collect()
    }
}
