//! JPEG through libjpeg-turbo, twice as fast as OpenCV's `imdecode` with the same pixels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use turbojpeg::{
    Colorspace, Compressor, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor,
    Subsamp,
};

use super::BgrView;

/// How large a JPEG is decoded, of its own width and height. A picture that the model would shrink anyway needs less time,
/// and loses detail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JpegScale {
    #[default]
    Full,
    Half,
    Quarter,
    Eighth,
}

impl JpegScale {
    fn factor(self) -> ScalingFactor {
        match self {
            JpegScale::Full => ScalingFactor::ONE,
            JpegScale::Half => ScalingFactor::ONE_HALF,
            JpegScale::Quarter => ScalingFactor::ONE_QUARTER,
            JpegScale::Eighth => ScalingFactor::ONE_EIGHTH,
        }
    }
}

/// Decodes into a buffer of its own, kept from frame to frame.
pub struct JpegDecoder {
    decompressor: Decompressor,
    pixels: Vec<u8>,
}

impl JpegDecoder {
    pub fn new() -> Result<Self, turbojpeg::Error> {
        Ok(Self {
            decompressor: Decompressor::new()?,
            pixels: Vec::new(),
        })
    }

    /// What the file's header says, without decoding it.
    pub fn header(&mut self, jpeg: &[u8]) -> Result<DecompressHeader, turbojpeg::Error> {
        self.decompressor.read_header(jpeg)
    }

    /// Decodes the picture whose `header` was read before, at `scale`. Truncated data is an error; stray bytes between
    /// markers, which cheap cameras leave, are not.
    pub fn decode(
        &mut self,
        jpeg: &[u8],
        header: &DecompressHeader,
        scale: JpegScale,
    ) -> Result<BgrView<'_>, turbojpeg::Error> {
        let factor = scale.factor();
        self.decompressor.set_scaling_factor(factor)?;
        let (width, height) = (factor.scale(header.width), factor.scale(header.height));
        let pitch = 3 * width;
        self.pixels.resize(pitch * height, 0);
        let pixels = self.pixels.as_mut_slice();
        let output = Image {
            pixels,
            width,
            pitch,
            height,
            format: PixelFormat::BGR,
        };
        match self.decompressor.decompress(jpeg, output) {
            Ok(()) => {}
            Err(error) if is_harmless(&error) => {}
            Err(error) => return Err(error),
        }
        // libjpeg's sides are at most 65,535, and the buffer was sized for them above
        let view = BgrView::new(width as u32, height as u32, pitch, &self.pixels);
        let of = (header.width as u32, header.height as u32);
        view.map(|view| view.reduced_from(of))
            .ok_or(turbojpeg::Error::IntegerOverflow("image size"))
    }
}

/// Whether libjpeg-turbo makes BGR of it; it does not of the printing colours.
pub fn has_screen_colours(header: &DecompressHeader) -> bool {
    !matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK)
}

/// libjpeg warns of these after it has decoded every pixel.
fn is_harmless(error: &turbojpeg::Error) -> bool {
    let message = error.to_string();
    message.contains("extraneous bytes before marker") || message.contains("Unknown Adobe color")
}

/// Whether the file carries an EXIF block, which may turn the picture.
pub fn has_exif(jpeg: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const APP1: u8 = 0xe1;
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, body @ ..] = rest {
        if *marker == START_OF_SCAN {
            return false;
        }
        if *marker == APP1 && body.starts_with(b"Exif\0") {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // the length counts its own two bytes
        rest = rest.get(2 + length.max(2)..).unwrap_or_default();
    }
    false
}

/// Compresses BGR pictures.
pub struct JpegEncoder(Compressor);

impl JpegEncoder {
    /// `quality` from 1 to 100; chroma is halved both ways, as cameras do.
    pub fn new(quality: i32) -> Result<Self, turbojpeg::Error> {
        let mut compressor = Compressor::new()?;
        compressor.set_quality(quality)?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        Ok(Self(compressor))
    }

    /// The picture as a whole JPEG file.
    pub fn encode(&mut self, image: &BgrView<'_>) -> Result<Vec<u8>, turbojpeg::Error> {
        self.0.compress_to_vec(Image {
            pixels: image.data(),
            width: image.width() as usize,
            pitch: image.step(),
            height: image.height() as usize,
            format: PixelFormat::BGR,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        let pixels: Vec<u8> = (0..32 * 16 * 3).map(|i| (i % 251) as u8).collect();
        let view = BgrView::new(32, 16, 96, &pixels).unwrap();
        JpegEncoder::new(90).unwrap().encode(&view).unwrap()
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let jpeg = jpeg();
        let mut decoder = JpegDecoder::new().unwrap();
        let header = decoder.header(&jpeg).unwrap();
        assert_eq!((header.width, header.height), (32, 16));
        assert!(decoder.decode(&jpeg, &header, JpegScale::Full).is_ok());
        assert!(
            decoder
                .decode(&jpeg[..jpeg.len() * 2 / 3], &header, JpegScale::Full)
                .is_err()
        );
    }

    #[test]
    fn a_smaller_picture_knows_the_size_of_its_image() {
        let jpeg = jpeg();
        let mut decoder = JpegDecoder::new().unwrap();
        let header = decoder.header(&jpeg).unwrap();
        for (scale, size) in [
            (JpegScale::Full, (32, 16)),
            (JpegScale::Half, (16, 8)),
            (JpegScale::Eighth, (4, 2)),
            (JpegScale::Quarter, (8, 4)),
        ] {
            let picture = decoder.decode(&jpeg, &header, scale).unwrap();
            assert_eq!((picture.width(), picture.height()), size);
            assert_eq!(picture.image_size(), (32, 16));
        }
    }

    #[test]
    fn stray_bytes_before_the_end_marker_are_forgiven() {
        let mut jpeg = jpeg();
        let end = jpeg.len() - 2;
        jpeg.splice(end..end, [0x11, 0x22, 0x33]);
        let mut decoder = JpegDecoder::new().unwrap();
        let header = decoder.header(&jpeg).unwrap();
        assert!(decoder.decode(&jpeg, &header, JpegScale::Full).is_ok());
    }

    #[test]
    fn exif_is_found_among_the_segments_only() {
        let jpeg = jpeg();
        assert!(!has_exif(&jpeg));
        let mut turned = jpeg.clone();
        turned.splice(2..2, *b"\xff\xe1\x00\x08Exif\0\0");
        assert!(has_exif(&turned));
        assert!(!has_exif(b"\xff\xd8\xff\xe1\x00\x00\xff"));
        assert!(!has_exif(b""));
    }
}
