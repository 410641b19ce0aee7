//! Decodes JPEG with libjpeg-turbo, twice as fast as OpenCV's `imdecode` with the same pixels.
//!
//! Images with libjpeg warnings are decoded, unless image data is missing. A warning about their
//! data becomes their [`Damage`].

mod exif;
mod file;
mod turbo;

use opencv::core::{CV_8UC3, Mat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::bgr::BorrowedMat;
use super::error::{DecodeError, JpegError};
use super::limits::{ImageLimits, release_surplus};
use super::plausible::check_jpeg;
use super::yuv::{Coding, Samples};
use super::{BgrView, Damage, Pixels, YuvView};
use exif::Orientation;
use file::{END_MARKER, End, JpegFile};
use turbo::{Opened, Subsampling, Verdict};

/// The scale at which a JPEG is decoded, relative to its width and height. If the model shrinks an
/// image anyway, a smaller scale takes less time and loses detail. `auto` is the smallest scale at
/// which the image has 1.5 times the size that it has in the model's input, or full size if there is
/// no model.
// libjpeg-turbo also has 3/8 to 7/8, but without SIMD: each takes longer than the next larger scale
// here
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JpegScale {
    #[default]
    Full,
    Half,
    Quarter,
    Eighth,
    Auto,
}

impl JpegScale {
    fn divisor(self) -> u32 {
        match self {
            JpegScale::Full | JpegScale::Auto => 1,
            JpegScale::Half => 2,
            JpegScale::Quarter => 4,
            JpegScale::Eighth => 8,
        }
    }
}

/// Returns the largest divisor by which an image of `image` (width, height) keeps at least 1.5 times
/// the width and height that it has in the model's input.
///
/// The resize to the input interpolates between two pixels. If it starts from a smaller image, it
/// blurs, which costs NanoDet 0.01 AP (docs/performance.md).
fn largest_divisor(image: (u32, u32), in_input: (u32, u32)) -> u32 {
    let keeps = |side: u32, least: u32, divisor: u32| {
        2 * u64::from(side.div_ceil(divisor)) >= 3 * u64::from(least)
    };
    let divisors = [8, 4, 2].into_iter();
    divisors
        .filter(|&divisor| keeps(image.0, in_input.0, divisor))
        .find(|&divisor| keeps(image.1, in_input.1, divisor))
        .unwrap_or(1)
}

/// Decodes one image after another. Only buffers are reused, and each is overwritten.
#[derive(Default)]
pub struct JpegDecoder {
    limits: ImageLimits,
    /// The repaired file, if the file needs a repair.
    whole: Vec<u8>,
    pixels: Vec<u8>,
    upright: Mat,
}

impl JpegDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses images beyond `limits` from now on.
    pub fn set_limits(&mut self, limits: ImageLimits) {
        self.limits = limits;
    }

    /// Decodes a file at `scale`, turned by its EXIF block. A file without an end marker, or with
    /// stray bytes between its segments or after its image, is accepted; one that lacks image data
    /// is not.
    pub fn decode(&mut self, file: &[u8], scale: JpegScale) -> Result<BgrView<'_>, DecodeError> {
        let read = self.read(file, |_, _| (scale.divisor(), Form::Bgr))?;
        self.view(&read)
    }

    /// Decodes a file at the scale that suffices for a model in whose input the image has the width
    /// and height that `in_input` returns for its own: into planes, unless it needs turning or is
    /// not made of luma and chroma.
    pub fn decode_for(
        &mut self,
        file: &[u8],
        in_input: impl FnOnce((u32, u32)) -> (u32, u32),
    ) -> Result<Pixels<'_>, DecodeError> {
        let read = self.read(file, |opened, orientation| {
            let image = (opened.width, opened.height);
            let in_input = orientation.upright(in_input(orientation.upright(image)));
            let divisor = match opened.lossless {
                true => 1,
                false => largest_divisor(image, in_input),
            };
            match opened.subsampling {
                Some(subsampling) if orientation == Orientation::Upright => {
                    (divisor, Form::Planes(subsampling))
                }
                _ => (divisor, Form::Bgr),
            }
        })?;
        match read.form {
            Form::Bgr => self.view(&read).map(Pixels::Bgr),
            Form::Planes(subsampling) => self.planes(&read, subsampling).map(Pixels::Yuv),
        }
    }

    /// Decodes a file into `pixels`, at the scale and in the form that `choose` returns.
    fn read(
        &mut self,
        file: &[u8],
        choose: impl FnOnce(&Opened<'_>, Orientation) -> (u32, Form),
    ) -> Result<Decoded, DecodeError> {
        release_surplus(&mut self.whole);
        let parts = JpegFile::new(file);
        let orientation = parts
            .as_ref()
            .map_or(Orientation::Upright, JpegFile::orientation);
        let (mut jpeg, mut has_end) = (file, true);
        if let Some(parts) = &parts
            && (!file.ends_with(&END_MARKER) || parts.has_strays())
        {
            let end = parts.end();
            if let End::Unmarked { complete, .. } = end {
                if !complete {
                    return Err(JpegError::ScanMissing.into());
                }
                has_end = false;
            }
            if !has_end || parts.has_strays() {
                parts.write_whole(end.at(), &[], &mut self.whole);
                jpeg = &self.whole;
            }
        }
        let scans = self.limits.jpeg_scans;
        let opened = Opened::new(jpeg, scans)?;
        self.limits.check_pixels(opened.width, opened.height)?;
        check_jpeg(opened.width, opened.height, opened.arithmetic, file.len())?;
        if opened.arithmetic && !has_end {
            return Err(JpegError::Unknown.into());
        }
        let (divisor, form) = choose(&opened, orientation);
        let mut decoded = Decoded {
            size: opened.size(divisor),
            image: (opened.width, opened.height),
            orientation,
            form,
            damage: None,
        };
        let (channels, arithmetic) = (opened.channels, opened.arithmetic);
        let restarts = parts.as_ref().is_some_and(JpegFile::has_restarts);
        let verdict = form.decode(opened, divisor, &mut self.pixels)?;
        release_surplus(&mut self.pixels);
        decoded.damage = verdict.damage(|| parts.as_ref().map_or(0, JpegFile::padding));
        match verdict {
            Verdict::Whole => {}
            Verdict::Left(_) if !restarts => {}
            Verdict::Missing(what) => return Err(JpegError::Missing(what).into()),
            // the pixels show what libjpeg does not report
            Verdict::Left(_) | Verdict::Damaged(_) | Verdict::Warned => {
                if let Some(parts) = parts.filter(|_| !arithmetic) {
                    let mut bgr = Vec::new();
                    // an image has the same verdict in either form
                    let bgr = match form {
                        Form::Bgr => &self.pixels,
                        Form::Planes(_) => {
                            Opened::new(jpeg, scans)?.decode(divisor, &mut bgr)?;
                            &bgr
                        }
                    };
                    if depends_on_what_follows(&parts, divisor, bgr, &mut self.whole, scans)? {
                        let what = "premature end of data segment".to_owned();
                        return Err(JpegError::Missing(what).into());
                    }
                }
            }
        }
        if channels == 4 {
            printing_to_screen(&mut self.pixels);
        }
        Ok(decoded)
    }

    fn view(&mut self, decoded: &Decoded) -> Result<BgrView<'_>, DecodeError> {
        let (width, height) = decoded.size;
        let pitch = 3 * width as usize;
        let view = if decoded.orientation == Orientation::Upright {
            BgrView::new(width, height, pitch, &self.pixels)
        } else {
            let lying = BorrowedMat::new(height, width, CV_8UC3, &self.pixels, pitch)?;
            decoded.orientation.undo(&lying, &mut self.upright)?;
            BgrView::from_mat(&self.upright)
        };
        let image = decoded.orientation.upright(decoded.image);
        view.map(|view| view.reduced_from(image).with_damage(decoded.damage))
            .ok_or(JpegError::NoPicture.into())
    }

    fn planes(
        &self,
        decoded: &Decoded,
        subsampling: Subsampling,
    ) -> Result<YuvView<'_>, DecodeError> {
        let (luma, chroma) = subsampling.plane_sizes(decoded.size);
        let plane = |at: usize, (width, _): (u32, u32)| Samples {
            data: &self.pixels[at.min(self.pixels.len())..],
            step: width as usize,
            stride: 1,
        };
        let area = |(width, height): (u32, u32)| width as usize * height as usize;
        let chroma = chroma.map(|size| {
            let starts = [area(luma), area(luma) + area(size)];
            starts.map(|start| plane(start, size))
        });
        let sharing = match subsampling {
            Subsampling::Grey => (1, 1),
            Subsampling::By { columns, rows } => (columns, rows),
        };
        YuvView::new(decoded.size, plane(0, luma), chroma, sharing, Coding::Jpeg)
            .map(|view| view.reduced_from(decoded.image).with_damage(decoded.damage))
            .ok_or(JpegError::NoPicture.into())
    }
}

/// The form into which a JPEG is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bgr,
    Planes(Subsampling),
}

impl Form {
    fn decode(
        self,
        opened: Opened<'_>,
        divisor: u32,
        pixels: &mut Vec<u8>,
    ) -> Result<Verdict, JpegError> {
        match self {
            Form::Bgr => opened.decode(divisor, pixels),
            Form::Planes(subsampling) => opened.decode_planes(subsampling, divisor, pixels),
        }
    }
}

/// The decoded image in the decoder's buffer.
struct Decoded {
    /// The width and height in the buffer.
    size: (u32, u32),
    /// The width and height of the image in the file.
    image: (u32, u32),
    orientation: Orientation,
    form: Form,
    damage: Option<Damage>,
}

/// Returns the width and height of the image in a JPEG file after its EXIF orientation, without
/// decoding it.
pub fn size(file: &[u8]) -> Result<(u32, u32), JpegError> {
    let opened = Opened::new(file, ImageLimits::DEFAULT.jpeg_scans)?;
    let parts = JpegFile::new(file);
    let orientation = parts.map_or(Orientation::Upright, |file| file.orientation());
    Ok(orientation.upright((opened.width, opened.height)))
}

/// Whether the BGR image changes with the bytes after its data: then libjpeg ran out of data.
fn depends_on_what_follows(
    file: &JpegFile<'_>,
    divisor: u32,
    bgr: &[u8],
    whole: &mut Vec<u8>,
    scans: u32,
) -> Result<bool, JpegError> {
    // any codes except zeros, which libjpeg uses for missing data
    let mut filling = vec![0b0110_1001; 64];
    for restart in (0xd0..=0xd7).cycle().take(32) {
        filling.extend([0xff, restart]);
        filling.extend([0b0110_1001; 14]);
    }
    file.write_whole(file.end().at(), &filling, whole);
    let mut other = Vec::new();
    Opened::new(whole, scans)?.decode(divisor, &mut other)?;
    Ok(other != bgr)
}

/// Converts CMYK as from Adobe, where 0 is full ink, to BGR in place, as OpenCV does.
fn printing_to_screen(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for index in 0..count {
        let [cyan, magenta, yellow, black] =
            std::array::from_fn(|ink| u32::from(pixels[4 * index + ink]));
        // at most `black`, a byte
        let bgr = [yellow, magenta, cyan].map(|ink| (black - (((255 - ink) * black) >> 8)) as u8);
        pixels[3 * index..][..3].copy_from_slice(&bgr);
    }
    pixels.truncate(3 * count);
}

/// Compresses BGR images.
pub struct JpegEncoder(Compressor);

impl JpegEncoder {
    /// Creates an encoder with `quality` from 1 to 100; chroma is halved in both directions, as
    /// cameras do.
    pub fn new(quality: i32) -> Result<Self, turbojpeg::Error> {
        let mut compressor = Compressor::new()?;
        compressor.set_quality(quality)?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        Ok(Self(compressor))
    }

    /// Returns the image as a JPEG file.
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
