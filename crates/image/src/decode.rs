//! Decodes `sensor_msgs/msg/Image` and `CompressedImage` to BGR, or to [`Pixels`] as they are. Uses
//! the same OpenCV conversions as `cv_bridge`; bgr8 is not copied.

use opencv::core::{CV_8UC1, CV_8UC2, CV_8UC3, CV_8UC4, CV_32F, CV_64F, Mat, MatTraitConst};
use opencv::{imgcodecs, imgproc};

use super::bgr::{BgrView, BorrowedMat, row_bytes, rows_bytes};
use super::encoding::compressed_measurement;
use super::error::DecodeError;
use super::file_format::FileFormat;
use super::jpeg::{JpegDecoder, JpegScale};
use super::limits::ImageLimits;
use super::pixels::Pixels;
use super::plausible::PngHeader;
use super::yuv::{Coding, Samples, YuvView};
use shuffledet_msg::{CompressedImageView, ImageView};

/// The memory layout of an encoding, and its conversion to BGR.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Bgr,
    Mono16,
    /// One OpenCV conversion of pixels of `channels` bytes.
    Packed {
        channels: u32,
        conversion: i32,
    },
    /// Chroma shared by two pixels of a row, in four bytes.
    Yuv422 {
        conversion: i32,
        /// The position of the first luma; the second is two bytes behind it.
        luma: usize,
        /// The positions of Cb and Cr.
        chroma: [usize; 2],
    },
    /// Full-size luma, then half-size interleaved chroma.
    SemiPlanar {
        conversion: i32,
        /// The positions of Cb and Cr in a pair.
        chroma: [usize; 2],
    },
}

fn layout(encoding: &str) -> Option<Layout> {
    let packed = |channels, conversion| Layout::Packed {
        channels,
        conversion,
    };
    Some(match encoding {
        "bgr8" | "8UC3" => Layout::Bgr,
        "rgb8" => packed(3, imgproc::COLOR_RGB2BGR),
        "bgra8" => packed(4, imgproc::COLOR_BGRA2BGR),
        "rgba8" => packed(4, imgproc::COLOR_RGBA2BGR),
        "mono8" | "8UC1" => packed(1, imgproc::COLOR_GRAY2BGR),
        "mono16" => Layout::Mono16,
        "yuv422" | "uyvy" => Layout::Yuv422 {
            conversion: imgproc::COLOR_YUV2BGR_UYVY,
            luma: 1,
            chroma: [0, 2],
        },
        "yuv422_yuy2" | "yuyv" => Layout::Yuv422 {
            conversion: imgproc::COLOR_YUV2BGR_YUY2,
            luma: 0,
            chroma: [1, 3],
        },
        "nv12" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV12,
            chroma: [0, 1],
        },
        "nv21" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV21,
            chroma: [1, 0],
        },
        // OpenCV names a Bayer pattern by the second row's second and third pixels, ROS by the
        // first two rows
        "bayer_rggb8" => packed(1, imgproc::COLOR_BayerBG2BGR),
        "bayer_bggr8" => packed(1, imgproc::COLOR_BayerRG2BGR),
        "bayer_gbrg8" => packed(1, imgproc::COLOR_BayerGR2BGR),
        "bayer_grbg8" => packed(1, imgproc::COLOR_BayerGB2BGR),
        _ => return None,
    })
}

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

    /// Decodes an uncompressed image. bgr8 and 8UC3 borrow the message's bytes.
    pub fn decode_raw<'a>(&'a mut self, image: &ImageView<'a>) -> Result<BgrView<'a>, DecodeError> {
        let layout = layout(image.encoding).ok_or_else(|| DecodeError::UnknownEncoding {
            found: image.encoding.to_owned(),
        })?;
        self.check(image, layout)?;
        let (width, height, step) = (image.width, image.height, image.step as usize);
        match layout {
            Layout::Bgr => {
                return BgrView::new(width, height, step, image.data)
                    .ok_or_else(|| geometry(image, "is too large to address".to_owned()));
            }
            Layout::Mono16 => {
                mono16_to_mono8(image, &mut self.grey);
                let grey = BorrowedMat::new(height, width, CV_8UC1, &self.grey, width as usize)?;
                imgproc::cvt_color_def(&*grey, &mut self.converted, imgproc::COLOR_GRAY2BGR)?;
            }
            Layout::Packed {
                channels,
                conversion,
            } => {
                let typ = match channels {
                    1 => CV_8UC1,
                    3 => CV_8UC3,
                    _ => CV_8UC4,
                };
                let source = BorrowedMat::new(height, width, typ, image.data, step)?;
                imgproc::cvt_color_def(&*source, &mut self.converted, conversion)?;
            }
            Layout::Yuv422 { conversion, .. } => {
                let source = BorrowedMat::new(height, width, CV_8UC2, image.data, step)?;
                imgproc::cvt_color_def(&*source, &mut self.converted, conversion)?;
            }
            Layout::SemiPlanar { conversion, .. } => {
                let rows = height / 2 * 3;
                let source = BorrowedMat::new(rows, width, CV_8UC1, image.data, step)?;
                imgproc::cvt_color_def(&*source, &mut self.converted, conversion)?;
            }
        }
        self.converted("image")
    }

    /// Returns the pixels of an uncompressed image. YUV borrows the message's bytes, as bgr8 and
    /// 8UC3 do; other encodings become BGR.
    pub fn raw_pixels<'a>(&'a mut self, image: &ImageView<'a>) -> Result<Pixels<'a>, DecodeError> {
        let Some(layout @ (Layout::Yuv422 { .. } | Layout::SemiPlanar { .. })) =
            layout(image.encoding)
        else {
            return self.decode_raw(image).map(Pixels::Bgr);
        };
        self.check(image, layout)?;
        let step = image.step as usize;
        let samples = |at: usize, stride| Samples {
            data: image.data.get(at..).unwrap_or_default(),
            step,
            stride,
        };
        let (luma, chroma, sharing) = match layout {
            Layout::SemiPlanar { chroma, .. } => {
                let below = step * image.height as usize;
                let chroma = chroma.map(|at| samples(below + at, 2));
                (samples(0, 1), chroma, (2, 2))
            }
            Layout::Yuv422 { luma, chroma, .. } => {
                (samples(luma, 2), chroma.map(|at| samples(at, 4)), (2, 1))
            }
            _ => unreachable!("the other layouts are BGR"),
        };
        let size = (image.width, image.height);
        YuvView::new(size, luma, Some(chroma), sharing, Coding::Video)
            .map(Pixels::Yuv)
            .ok_or_else(|| geometry(image, "is too large to address".to_owned()))
    }

    fn check(&self, image: &ImageView<'_>, layout: Layout) -> Result<(), DecodeError> {
        self.limits.check_pixels(image.width, image.height)?;
        self.limits.check_bytes(image.data.len())?;
        check_geometry(image, layout)
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
                self.decode_with_opencv(file)?;
                self.converted("PNG")
            }
            Some(format) => {
                // of a format that OpenCV does not read, the header means nothing
                if let Err(error) = self.check_header(file)
                    && format.is_readable()
                {
                    return Err(error);
                }
                let decoded = self.decode_with_opencv(file);
                if decoded.is_ok() && !self.converted.empty() {
                    self.converted(format.name())
                } else if format == FileFormat::Tiff && has_float_pixels(file) {
                    Err(DecodeError::FloatTiff)
                } else if format.is_readable() {
                    decoded?;
                    self.converted(format.name())
                } else {
                    Err(DecodeError::UnreadableFormat { format })
                }
            }
            None if file.is_empty() && stated_format.is_none() => Err(DecodeError::Damaged {
                kind: "image",
                problem: "it is empty".to_owned(),
            }),
            // OpenCV may know formats that are unknown here
            None => match self.decode_with_opencv(file) {
                Ok(()) if !self.converted.empty() => self.converted("image"),
                _ => Err(DecodeError::UnknownFormat {
                    format: stated_format.map_or(String::new(), |f| format!("format {f:?}, ")),
                    first: file.iter().copied().take(8).collect(),
                }),
            },
        }
    }

    /// Checks the size that the header of a file in a known format gives. OpenCV itself limits the
    /// others, to 2^30 pixels.
    fn check_header(&self, file: &[u8]) -> Result<(), DecodeError> {
        if let Ok(size) = imagesize::blob_size(file) {
            let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            self.limits
                .check_pixels(side(size.width), side(size.height))?;
        }
        Ok(())
    }

    /// Leaves `converted` empty if OpenCV finds no image.
    fn decode_with_opencv(&mut self, file: &[u8]) -> opencv::Result<()> {
        // OpenCV keeps the previous image if it finds none
        self.converted = Mat::default();
        if file.is_empty() {
            return Ok(());
        }
        // OpenCV would cut floats in [0, 1] off to whole numbers
        let is_float = matches!(
            FileFormat::recognise(file),
            Some(FileFormat::OpenExr | FileFormat::Pfm)
        );
        let flags = match is_float {
            true => imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_ANYDEPTH,
            false => imgcodecs::IMREAD_COLOR,
        };
        let bytes = Mat::from_slice(file)?;
        let decoded = imgcodecs::imdecode_to(&bytes, flags, &mut self.converted);
        // the returned header shares `converted`'s pixels, if any
        if decoded.map(drop).is_err() {
            self.converted = Mat::default();
        }
        if is_float && !self.converted.empty() {
            let floats = std::mem::take(&mut self.converted);
            floats.convert_to(&mut self.converted, CV_8UC1, 255.0, 0.0)?;
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

/// Fails unless the data has all the rows given by width, height, step and encoding.
fn check_geometry(image: &ImageView<'_>, layout: Layout) -> Result<(), DecodeError> {
    let (width, height, step) = (image.width, image.height, image.step as usize);
    if width == 0 || height == 0 {
        return Err(geometry(image, "has no pixels".to_owned()));
    }
    let channels = match layout {
        Layout::Bgr => 3,
        Layout::Mono16 => 2,
        Layout::Packed { channels, .. } => channels,
        Layout::Yuv422 { .. } => 2,
        Layout::SemiPlanar { .. } => 1,
    };
    let halves_width = matches!(layout, Layout::SemiPlanar { .. } | Layout::Yuv422 { .. });
    let halves_height = matches!(layout, Layout::SemiPlanar { .. });
    if halves_width && width % 2 == 1 || halves_height && height % 2 == 1 {
        let problem = "has an odd side, but its chroma is subsampled by two".to_owned();
        return Err(geometry(image, problem));
    }
    let rows = if halves_height {
        height.checked_add(height / 2)
    } else {
        Some(height)
    };
    let row = row_bytes(width, channels);
    let (Some(row), Some(rows)) = (row, rows.filter(|&rows| i32::try_from(rows).is_ok())) else {
        return Err(geometry(image, "is too large to address".to_owned()));
    };
    if step < row {
        return Err(geometry(
            image,
            format!("needs a step of at least {row} bytes, found {step}"),
        ));
    }
    let needed = rows_bytes(rows, step, row);
    if needed.is_none_or(|needed| image.data.len() < needed) {
        let needed = needed.map_or("more than can be addressed".to_owned(), |n| n.to_string());
        let found = image.data.len();
        let problem = format!("needs {needed} bytes of data at a step of {step}, found {found}");
        return Err(geometry(image, problem));
    }
    Ok(())
}

fn geometry(image: &ImageView<'_>, problem: String) -> DecodeError {
    DecodeError::Geometry {
        width: image.width,
        height: image.height,
        encoding: image.encoding.to_owned(),
        problem,
    }
}

/// Scales 65,535 to 255 and rounds, as `cv_bridge` does. The image's geometry has been checked.
fn mono16_to_mono8(image: &ImageView<'_>, grey: &mut Vec<u8>) {
    let row = 2 * image.width as usize;
    grey.clear();
    for line in image
        .data
        .chunks(image.step as usize)
        .take(image.height as usize)
    {
        let levels = line[..row].chunks_exact(2).map(|pair| {
            let pair = [pair[0], pair[1]];
            let level = if image.is_bigendian {
                u16::from_be_bytes(pair)
            } else {
                u16::from_le_bytes(pair)
            };
            // at most 255: the quotient of a u16 and 257, rounded
            ((u32::from(level) + 128) / 257) as u8
        });
        grey.extend(levels);
    }
}

#[cfg(test)]
mod tests {
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
