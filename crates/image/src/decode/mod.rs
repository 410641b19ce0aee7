//! Decodes `sensor_msgs/msg/Image` and `CompressedImage` to BGR, or to [`Pixels`] as they are. Uses
//! the same OpenCV conversions as `cv_bridge`; bgr8 is not copied.

mod layout;
mod raw;

use opencv::core::{CV_8UC1, CV_32F, CV_64F, Mat, MatTraitConst};
use opencv::imgcodecs;

use super::bgr::BgrView;
use super::encoding::compressed_measurement;
use super::error::DecodeError;
use super::file_format::{self, FileFormat, header_size};
use super::jpeg::{JpegDecoder, JpegScale};
use super::limits::ImageLimits;
use super::pixels::Pixels;
use super::plausible::PngHeader;
use shuffledet_msg::CompressedImageView;

/// Decodes images one after another into reusable buffers. Each image is independent of the one
/// before.
pub struct ImageDecoder {
    jpeg: JpegDecoder,
    jpeg_scale: JpegScale,
    limits: ImageLimits,
    converted: Mat,
    grey: Vec<u8>,
}

impl ImageDecoder {
    pub fn new() -> Self {
        Self {
            jpeg: JpegDecoder::new(),
            jpeg_scale: JpegScale::Full,
            limits: ImageLimits::DEFAULT,
            converted: Mat::default(),
            grey: Vec::new(),
        }
    }

    /// Decodes JPEG at `scale` from now on.
    pub fn set_jpeg_scale(&mut self, scale: JpegScale) {
        self.jpeg_scale = scale;
    }

    /// Refuses images beyond `limits` from now on.
    pub fn set_limits(&mut self, limits: ImageLimits) {
        self.limits = limits;
        self.jpeg.set_limits(limits);
    }

    /// Decodes a compressed image by its data, whatever `format` says. Applies the EXIF
    /// orientation.
    pub fn decode_compressed<'a>(
        &'a mut self,
        image: &CompressedImageView<'a>,
    ) -> Result<BgrView<'a>, DecodeError> {
        check_is_picture(image)?;
        self.decode_bytes(image.data, Some(image.format))
    }

    /// Returns the pixels of a compressed image for a model in whose input the image has the width
    /// and height that `in_input` returns for its own. With [`JpegScale::Auto`], a JPEG is decoded at
    /// the smallest sufficient scale, and its luma and chroma are not converted to BGR. Otherwise
    /// the same as [`ImageDecoder::decode_compressed`].
    pub fn compressed_pixels<'a>(
        &'a mut self,
        image: &CompressedImageView<'a>,
        in_input: impl FnOnce((u32, u32)) -> (u32, u32),
    ) -> Result<Pixels<'a>, DecodeError> {
        check_is_picture(image)?;
        self.pixels_of_bytes(image.data, Some(image.format), in_input)
    }

    /// Returns the pixels of an image file's bytes, as [`ImageDecoder::compressed_pixels`] does.
    pub fn file_pixels(
        &mut self,
        file: &[u8],
        in_input: impl FnOnce((u32, u32)) -> (u32, u32),
    ) -> Result<Pixels<'_>, DecodeError> {
        self.pixels_of_bytes(file, None, in_input)
    }

    fn pixels_of_bytes(
        &mut self,
        file: &[u8],
        stated_format: Option<&str>,
        in_input: impl FnOnce((u32, u32)) -> (u32, u32),
    ) -> Result<Pixels<'_>, DecodeError> {
        self.limits.check_bytes(file.len())?;
        let is_jpeg = FileFormat::recognise(file) == Some(FileFormat::Jpeg);
        if is_jpeg && self.jpeg_scale == JpegScale::Auto {
            return self.jpeg.decode_for(file, in_input);
        }
        self.decode_bytes(file, stated_format).map(Pixels::Bgr)
    }

    /// Decodes an image file's bytes, in any format that OpenCV reads. Applies the EXIF
    /// orientation.
    pub fn decode_file(&mut self, file: &[u8]) -> Result<BgrView<'_>, DecodeError> {
        self.decode_bytes(file, None)
    }

    fn decode_bytes(
        &mut self,
        file: &[u8],
        stated_format: Option<&str>,
    ) -> Result<BgrView<'_>, DecodeError> {
        self.limits.check_bytes(file.len())?;
        match FileFormat::recognise(file) {
            Some(FileFormat::Jpeg) => self.jpeg.decode(file, self.jpeg_scale),
            Some(FileFormat::Png) => {
                let header = PngHeader::read(file).ok_or_else(|| DecodeError::Damaged {
                    kind: "PNG",
                    problem: "it has no valid header".to_owned(),
                })?;
                self.limits.check_pixels(header.width, header.height)?;
                header.check(file.len())?;
                self.decode_with_opencv(FileFormat::Png, file)?;
                self.converted("PNG")
            }
            Some(format) if format.is_readable() => {
                self.check_header(format, file)?;
                let decoded = self.decode_with_opencv(format, file);
                let is_decoded = decoded.is_ok() && !self.converted.empty();
                if !is_decoded && format == FileFormat::Tiff && has_float_pixels(file) {
                    return Err(DecodeError::FloatTiff);
                }
                decoded?;
                self.converted(format.name())
            }
            Some(format) => Err(DecodeError::UnreadableFormat { format }),
            None if file.is_empty() && stated_format.is_none() => Err(DecodeError::Damaged {
                kind: "image",
                problem: "it is empty".to_owned(),
            }),
            // not given to OpenCV, which may hand it on to GDAL or GDCM
            None => Err(DecodeError::UnknownFormat {
                format: stated_format.map_or(String::new(), |f| format!("format {f:?}, ")),
                first: file.iter().copied().take(8).collect(),
            }),
        }
    }

    /// Checks the size that the header gives.
    fn check_header(&self, format: FileFormat, file: &[u8]) -> Result<(), DecodeError> {
        let (width, height) = header_size(format, file).ok_or_else(|| DecodeError::Damaged {
            kind: format.name(),
            problem: "it has no valid header".to_owned(),
        })?;
        Ok(self.limits.check_pixels(width, height)?)
    }

    /// Leaves `converted` empty if OpenCV finds no image.
    fn decode_with_opencv(&mut self, format: FileFormat, file: &[u8]) -> opencv::Result<()> {
        self.converted = Mat::default();
        // OpenCV would cut floats in [0, 1] off to whole numbers
        let is_float = matches!(format, FileFormat::OpenExr | FileFormat::Pfm);
        let flags = match is_float {
            true => imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_ANYDEPTH,
            false => imgcodecs::IMREAD_COLOR,
        };
        let decoded = file_format::read(format, file, flags)?;
        match is_float && !decoded.empty() {
            true => decoded.convert_to(&mut self.converted, CV_8UC1, 255.0, 0.0)?,
            false => self.converted = decoded,
        }
        Ok(())
    }

    fn converted(&self, kind: &'static str) -> Result<BgrView<'_>, DecodeError> {
        BgrView::from_mat(&self.converted).ok_or_else(|| DecodeError::Damaged {
            kind,
            problem: "OpenCV finds no image in it".to_owned(),
        })
    }
}

impl Default for ImageDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether OpenCV reads the file only as floats.
fn has_float_pixels(file: &[u8]) -> bool {
    let read = Mat::from_slice(file)
        .and_then(|bytes| imgcodecs::imdecode(&bytes, imgcodecs::IMREAD_UNCHANGED));
    read.is_ok_and(|image| matches!(image.depth(), CV_32F | CV_64F) && !image.empty())
}

/// Fails with the same reason as for an uncompressed image.
fn check_is_picture(image: &CompressedImageView<'_>) -> Result<(), DecodeError> {
    match compressed_measurement(image) {
        Some(found) => Err(DecodeError::UnknownEncoding {
            found: found.to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use opencv::core::CV_8UC3;

    use super::*;

    #[test]
    fn pictures_of_floats_were_black() {
        let mut file = b"PF\n2 1\n-1.0\n".to_vec();
        let values = [1.0f32, 0.5, 0.0];
        file.extend(
            [values, values]
                .iter()
                .flatten()
                .flat_map(|v| v.to_le_bytes()),
        );
        let mut decoder = ImageDecoder::new();
        let picture = decoder.decode_file(&file).unwrap();
        // red is first in the file, and last in the picture
        assert_eq!(picture.data(), [0, 128, 255, 0, 128, 255]);
    }

    #[test]
    fn float_tiff_is_unsupported_and_not_damaged() {
        use opencv::core::{CV_32FC1, Scalar, Vector};

        let picture = Mat::new_rows_cols_with_default(8, 8, CV_32FC1, Scalar::all(0.5)).unwrap();
        let mut file = Vector::new();
        imgcodecs::imencode_def(".tiff", &picture, &mut file).unwrap();
        let mut decoder = ImageDecoder::new();
        let error = decoder.decode_file(file.as_slice()).unwrap_err();
        assert!(matches!(error, DecodeError::FloatTiff), "{error}");
        let error = decoder.decode_file(&file.as_slice()[..40]).unwrap_err();
        assert!(!matches!(error, DecodeError::FloatTiff), "{error}");
    }

    #[test]
    fn a_damaged_file_does_not_show_the_picture_before() {
        use opencv::core::{Scalar, Vector};

        let picture = Mat::new_rows_cols_with_default(16, 16, CV_8UC3, Scalar::all(7.0)).unwrap();
        for extension in [".bmp", ".png"] {
            let mut file = Vector::new();
            imgcodecs::imencode_def(extension, &picture, &mut file).unwrap();
            let mut decoder = ImageDecoder::new();
            assert!(decoder.decode_file(file.as_slice()).is_ok());
            for length in [0, 1, 12, 30] {
                assert!(
                    decoder.decode_file(&file.as_slice()[..length]).is_err(),
                    "{extension} {length}"
                );
            }
        }
    }

    #[test]
    fn an_image_beyond_the_limits_reserved_gigabytes() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend([30_000_u32.to_be_bytes(), 30_000_u32.to_be_bytes()].concat());
        png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        let mut decoder = ImageDecoder::new();
        let error = decoder.decode_file(&png).unwrap_err();
        assert_eq!(error.reason(), "too_large");
        assert!(error.to_string().contains("input.max_pixels"), "{error}");

        let mut bitmap = b"BM".to_vec();
        for field in [54_u32, 0, 54, 40, 30_000, 30_000] {
            bitmap.extend(field.to_le_bytes());
        }
        bitmap.extend([1, 0, 24, 0]);
        bitmap.resize(64, 0);
        let error = decoder.decode_file(&bitmap).unwrap_err();
        assert_eq!(error.reason(), "too_large", "{error}");

        decoder.set_limits(ImageLimits {
            bytes: 10,
            ..ImageLimits::DEFAULT
        });
        let error = decoder.decode_file(&bitmap).unwrap_err();
        assert!(error.to_string().contains("input.max_bytes"), "{error}");
    }
}
