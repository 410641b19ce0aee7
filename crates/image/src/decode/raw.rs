//! Uncompressed images: `sensor_msgs/msg/Image`.

use opencv::core::{CV_8UC1, CV_8UC2, CV_8UC3, CV_8UC4};
use opencv::imgproc;

use super::ImageDecoder;
use super::layout::{Layout, check_geometry, geometry, layout};
use crate::bgr::{BgrView, BorrowedMat};
use crate::error::DecodeError;
use crate::pixels::Pixels;
use crate::yuv::{Coding, Samples, YuvView};
use shuffledet_msg::ImageView;

impl ImageDecoder {
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
