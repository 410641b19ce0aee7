//! From `sensor_msgs/msg/Image` and `CompressedImage` to BGR. The conversions are OpenCV's, chosen as `cv_bridge`
//! chooses them; bgr8 is not even copied.

use opencv::core::{CV_8UC1, CV_8UC2, CV_8UC3, CV_8UC4, Mat};
use opencv::{imgcodecs, imgproc};
use thiserror::Error;

use super::bgr::{BgrView, BorrowedMat, row_bytes, rows_bytes};
use super::encoding::compressed_measurement;
use super::jpeg::{JpegDecoder, JpegScale, has_exif, has_screen_colours};
use shuffledet_msg::{CompressedImageView, ImageView};

/// Why an image's bytes are not a picture.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("image encoding {found:?} is not supported; supported: {}", SUPPORTED.join(", "))]
    UnknownEncoding { found: String },
    #[error(
        "compressed image is neither JPEG nor PNG: format {format:?}, first bytes {first:02x?}"
    )]
    UnknownFormat { format: String, first: Vec<u8> },
    #[error("image of {width}x{height} pixels, {encoding}: {problem}")]
    Geometry {
        width: u32,
        height: u32,
        encoding: String,
        problem: String,
    },
    #[error("image says {width}x{height} pixels, more than its {bytes} compressed bytes can hold")]
    Implausible {
        width: u64,
        height: u64,
        bytes: usize,
    },
    #[error("damaged JPEG: {0}")]
    Jpeg(#[from] turbojpeg::Error),
    #[error("damaged {kind}: {problem}")]
    Damaged { kind: &'static str, problem: String },
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
}

impl DecodeError {
    /// A short name to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::UnknownEncoding { .. } => "unknown_encoding",
            DecodeError::UnknownFormat { .. } => "unknown_format",
            DecodeError::Geometry { .. } => "wrong_size",
            DecodeError::Implausible { .. }
            | DecodeError::Jpeg(_)
            | DecodeError::Damaged { .. }
            | DecodeError::OpenCv(_) => "damaged_image",
        }
    }
}

/// Every encoding that [`ImageDecoder::decode_raw`] takes.
pub const SUPPORTED: [&str; 18] = [
    "bgr8",
    "rgb8",
    "bgra8",
    "rgba8",
    "mono8",
    "mono16",
    "8UC1",
    "8UC3",
    "yuv422",
    "yuv422_yuy2",
    "nv12",
    "nv21",
    "bayer_rggb8",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
    "uyvy",
    "yuyv",
];

/// How an encoding lies in memory and becomes BGR.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Bgr,
    Mono16,
    /// One OpenCV conversion of pixels of `channels` bytes.
    Packed {
        channels: u32,
        conversion: i32,
    },
    /// Full-size luma, then half-size interleaved chroma.
    SemiPlanar {
        conversion: i32,
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
        "yuv422" | "uyvy" => packed(2, imgproc::COLOR_YUV2BGR_UYVY),
        "yuv422_yuy2" | "yuyv" => packed(2, imgproc::COLOR_YUV2BGR_YUY2),
        "nv12" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV12,
        },
        "nv21" => Layout::SemiPlanar {
            conversion: imgproc::COLOR_YUV2BGR_NV21,
        },
        // OpenCV names a Bayer pattern by the second row's second and third pixels, ROS by the first two rows
        "bayer_rggb8" => packed(1, imgproc::COLOR_BayerBG2BGR),
        "bayer_bggr8" => packed(1, imgproc::COLOR_BayerRG2BGR),
        "bayer_gbrg8" => packed(1, imgproc::COLOR_BayerGR2BGR),
        "bayer_grbg8" => packed(1, imgproc::COLOR_BayerGB2BGR),
        _ => return None,
    })
}

/// Decodes images one after another into buffers that it keeps.
pub struct ImageDecoder {
    jpeg: JpegDecoder,
    jpeg_scale: JpegScale,
    converted: Mat,
    grey: Vec<u8>,
}

impl ImageDecoder {
    /// # Errors
    /// libjpeg-turbo cannot set up.
    pub fn new() -> Result<Self, DecodeError> {
        Ok(Self {
            jpeg: JpegDecoder::new()?,
            jpeg_scale: JpegScale::Full,
            converted: Mat::default(),
            grey: Vec::new(),
        })
    }

    /// Decodes JPEG at `scale` from now on, but for those that EXIF turns and those in printing colours.
    pub fn set_jpeg_scale(&mut self, scale: JpegScale) {
        self.jpeg_scale = scale;
    }

    /// The picture of an uncompressed image. bgr8 and 8UC3 borrow the message's bytes.
    pub fn decode_raw<'a>(&'a mut self, image: &ImageView<'a>) -> Result<BgrView<'a>, DecodeError> {
        let layout = layout(image.encoding).ok_or_else(|| DecodeError::UnknownEncoding {
            found: image.encoding.to_owned(),
        })?;
        check_geometry(image, layout)?;
        let (width, height, step) = (image.width, image.height, image.step as usize);
        match layout {
            Layout::Bgr => {
                return BgrView::new(width, height, step, image.data)
                    .ok_or_else(|| geometry(image, "is beyond what can be addressed".to_owned()));
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
                    2 => CV_8UC2,
                    3 => CV_8UC3,
                    _ => CV_8UC4,
                };
                let source = BorrowedMat::new(height, width, typ, image.data, step)?;
                imgproc::cvt_color_def(&*source, &mut self.converted, conversion)?;
            }
            Layout::SemiPlanar { conversion } => {
                let rows = height / 2 * 3;
                let source = BorrowedMat::new(rows, width, CV_8UC1, image.data, step)?;
                imgproc::cvt_color_def(&*source, &mut self.converted, conversion)?;
            }
        }
        self.converted("image")
    }

    /// The picture of a JPEG or PNG. What the data is decides, not what `format` says; EXIF orientation is applied
    /// as OpenCV does.
    pub fn decode_compressed<'a>(
        &'a mut self,
        image: &CompressedImageView<'a>,
    ) -> Result<BgrView<'a>, DecodeError> {
        if let Some(found) = compressed_measurement(image) {
            // as of the same image uncompressed
            let found = found.to_owned();
            return Err(DecodeError::UnknownEncoding { found });
        }
        match image.data {
            [0xff, 0xd8, ..] | [0x89, b'P', b'N', b'G', ..] => self.decode_file(image.data),
            other => Err(DecodeError::UnknownFormat {
                format: image.format.to_owned(),
                first: other.iter().copied().take(8).collect(),
            }),
        }
    }

    /// The picture of an image file's bytes, in any format that OpenCV reads.
    pub fn decode_file(&mut self, file: &[u8]) -> Result<BgrView<'_>, DecodeError> {
        match file {
            [0xff, 0xd8, ..] => {
                let header = self.jpeg.header(file)?;
                check_plausible(header.width as u64, header.height as u64, file.len())?;
                if has_exif(file) || !has_screen_colours(&header) {
                    return self.decode_with_opencv(file, "JPEG");
                }
                Ok(self.jpeg.decode(file, &header, self.jpeg_scale)?)
            }
            [0x89, b'P', b'N', b'G', ..] => {
                let (width, height) = png_size(file).ok_or_else(|| DecodeError::Damaged {
                    kind: "PNG",
                    problem: "it ends within its header".to_owned(),
                })?;
                check_plausible(width, height, file.len())?;
                self.decode_with_opencv(file, "PNG")
            }
            [] => Err(DecodeError::Damaged {
                kind: "image",
                problem: "it is empty".to_owned(),
            }),
            _ => self.decode_with_opencv(file, "image"),
        }
    }

    fn decode_with_opencv(
        &mut self,
        file: &[u8],
        kind: &'static str,
    ) -> Result<BgrView<'_>, DecodeError> {
        // OpenCV leaves the picture before in place where it finds none
        self.converted = Mat::default();
        let bytes = Mat::from_slice(file)?;
        let decoded = imgcodecs::imdecode_to(&bytes, imgcodecs::IMREAD_COLOR, &mut self.converted)?;
        // the returned header shares `converted`'s pixels when there are any
        drop(decoded);
        self.converted(kind)
    }

    fn converted(&self, kind: &'static str) -> Result<BgrView<'_>, DecodeError> {
        BgrView::from_mat(&self.converted).ok_or_else(|| DecodeError::Damaged {
            kind,
            problem: "OpenCV finds no picture in it".to_owned(),
        })
    }
}

/// Fails unless the rows that width, height, step and encoding speak of are in the data.
fn check_geometry(image: &ImageView<'_>, layout: Layout) -> Result<(), DecodeError> {
    let (width, height, step) = (image.width, image.height, image.step as usize);
    if width == 0 || height == 0 {
        return Err(geometry(image, "has no pixels".to_owned()));
    }
    let channels = match layout {
        Layout::Bgr => 3,
        Layout::Mono16 => 2,
        Layout::Packed { channels, .. } => channels,
        Layout::SemiPlanar { .. } => 1,
    };
    let halves_width = matches!(
        layout,
        Layout::SemiPlanar { .. } | Layout::Packed { channels: 2, .. }
    );
    let halves_height = matches!(layout, Layout::SemiPlanar { .. });
    if halves_width && width % 2 == 1 || halves_height && height % 2 == 1 {
        let problem = "has an odd side, but its chroma covers pixels by two".to_owned();
        return Err(geometry(image, problem));
    }
    let rows = if halves_height {
        height.checked_add(height / 2)
    } else {
        Some(height)
    };
    let row = row_bytes(width, channels);
    let (Some(row), Some(rows)) = (row, rows.filter(|&rows| i32::try_from(rows).is_ok())) else {
        return Err(geometry(
            image,
            "is beyond what can be addressed".to_owned(),
        ));
    };
    if step < row {
        return Err(geometry(
            image,
            format!("needs a step of {row} bytes at least, found {step}"),
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

/// The densest that PNG (deflate: 1032 to 1) and JPEG (progressive: an end-of-band run for many blocks) become is
/// about a thousand decoded bytes for each of the file's. Twice that is a lie, and would let a small message
/// reserve gigabytes.
const DECODED_BYTES_PER_BYTE: u64 = 2048;

fn check_plausible(width: u64, height: u64, bytes: usize) -> Result<(), DecodeError> {
    let decoded = width.saturating_mul(height).saturating_mul(3);
    if decoded > DECODED_BYTES_PER_BYTE.saturating_mul(bytes as u64) {
        return Err(DecodeError::Implausible {
            width,
            height,
            bytes,
        });
    }
    Ok(())
}

/// Width and height from the IHDR chunk, which the PNG specification puts first.
pub(super) fn png_size(file: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| {
        let bytes = file.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(bytes)))
    };
    Some((number(16)?, number(20)?))
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
    fn a_damaged_file_does_not_show_the_picture_before() {
        use opencv::core::{Scalar, Vector};

        let picture = Mat::new_rows_cols_with_default(16, 16, CV_8UC3, Scalar::all(7.0)).unwrap();
        for extension in [".bmp", ".png"] {
            let mut file = Vector::new();
            imgcodecs::imencode_def(extension, &picture, &mut file).unwrap();
            let mut decoder = ImageDecoder::new().unwrap();
            assert!(decoder.decode_file(file.as_slice()).is_ok());
            for length in [0, 1, 12, 30] {
                assert!(
                    decoder.decode_file(&file.as_slice()[..length]).is_err(),
                    "{extension} {length}"
                );
            }
        }
    }
}
