//! Decodes one JPEG with libjpeg-turbo, which distinguishes warnings and errors only by their
//! texts.
//!
//! Each image has its own decompressor. A reused one would keep tables and a size from the previous
//! image, and after an error it would continue in the middle of a header with the next image.

#![expect(unsafe_code, reason = "libjpeg-turbo's C interface")]

use std::ffi::{CStr, c_int};

use turbojpeg::raw;

use crate::Damage;
use crate::error::JpegError;

/// A JPEG after its header was read.
pub struct Opened<'a> {
    handle: Handle,
    jpeg: &'a [u8],
    pub width: u32,
    pub height: u32,
    /// The decoded samples per pixel: 3 (BGR), or 4 (CMYK).
    pub channels: usize,
    pub arithmetic: bool,
    /// Compressed without loss: decoded at full size only.
    pub lossless: bool,
    /// The form of the image's planes; `None` if it is not made of luma and chroma with 8 bits, or
    /// subsampled in a rare way.
    pub subsampling: Option<Subsampling>,
}

/// How many luma samples share a chroma sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsampling {
    /// There is no chroma.
    Grey,
    By {
        columns: u32,
        rows: u32,
    },
}

impl Subsampling {
    fn from_library(subsamp: raw::TJSAMP) -> Option<Self> {
        let by = |columns, rows| Some(Self::By { columns, rows });
        match subsamp {
            raw::TJSAMP_TJSAMP_GRAY => Some(Self::Grey),
            raw::TJSAMP_TJSAMP_444 => by(1, 1),
            raw::TJSAMP_TJSAMP_422 => by(2, 1),
            raw::TJSAMP_TJSAMP_440 => by(1, 2),
            raw::TJSAMP_TJSAMP_420 => by(2, 2),
            _ => None,
        }
    }

    /// Returns the width and height of the luma plane, which is filled up to whole chroma samples,
    /// and of the two chroma planes, if any.
    pub fn plane_sizes(self, (width, height): (u32, u32)) -> PlaneSizes {
        let Self::By { columns, rows } = self else {
            return ((width, height), None);
        };
        let chroma = (width.div_ceil(columns), height.div_ceil(rows));
        ((chroma.0 * columns, chroma.1 * rows), Some(chroma))
    }
}

pub type PlaneSizes = ((u32, u32), Option<(u32, u32)>);

/// libjpeg's result for a decoded image. libjpeg only reports its first warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    /// That many bytes remain before the end marker: more than the image needs, or fewer, if it has
    /// restart markers.
    Left(usize),
    /// Image data is missing.
    Missing(String),
    /// Another warning about the image data; libjpeg may hide more warnings after it.
    Damaged(Damage),
    /// A warning about something else; libjpeg may hide more warnings after it.
    Warned,
}

impl Verdict {
    /// Returns the damage of an image that is decoded nevertheless, if its data ends with `padding`
    /// bytes that carry nothing.
    pub fn damage(&self, padding: impl FnOnce() -> usize) -> Option<Damage> {
        match self {
            Verdict::Damaged(damage) => Some(*damage),
            // with a wrong table, a decoder takes fewer bytes for the image
            Verdict::Left(bytes) if *bytes > padding() => Some(Damage::SkippedData),
            _ => None,
        }
    }
}

impl<'a> Opened<'a> {
    /// Reads the header. Decoding fails at more than `scans` scans.
    pub fn new(jpeg: &'a [u8], scans: u32) -> Result<Self, JpegError> {
        let handle = Handle::new()?;
        let scans = c_int::try_from(scans).unwrap_or(c_int::MAX);
        handle.set(raw::TJPARAM_TJPARAM_SCANLIMIT, scans)?;
        // keeps no markers: colour profiles are ignored
        handle.set(raw::TJPARAM_TJPARAM_SAVEMARKERS, 0)?;
        // SAFETY: the handle is alive, and the pointer and length are those of `jpeg`
        let code =
            unsafe { raw::tj3DecompressHeader(handle.0, jpeg.as_ptr(), jpeg.len() as raw::size_t) };
        let side = |param| {
            u32::try_from(handle.get(param))
                .ok()
                .filter(|&side| side > 0)
        };
        let size = side(raw::TJPARAM_TJPARAM_JPEGWIDTH).zip(side(raw::TJPARAM_TJPARAM_JPEGHEIGHT));
        let colours = handle.get(raw::TJPARAM_TJPARAM_COLORSPACE);
        // a new handle has no size before it has read a header; a warning is acceptable
        let Some((width, height)) = size.filter(|_| colours >= 0) else {
            return Err(match code {
                0 => JpegError::NoPicture,
                _ => handle.error(),
            });
        };
        let colours = colours as raw::TJCS;
        let printing = [raw::TJCS_TJCS_CMYK, raw::TJCS_TJCS_YCCK].contains(&colours);
        let lossless = handle.get(raw::TJPARAM_TJPARAM_LOSSLESS) != 0;
        let is_yuv = [raw::TJCS_TJCS_YCbCr, raw::TJCS_TJCS_GRAY].contains(&colours)
            && handle.get(raw::TJPARAM_TJPARAM_PRECISION) == 8
            && !lossless;
        let subsampling = Subsampling::from_library(handle.get(raw::TJPARAM_TJPARAM_SUBSAMP));
        Ok(Self {
            width,
            height,
            channels: if printing { 4 } else { 3 },
            arithmetic: handle.get(raw::TJPARAM_TJPARAM_ARITHMETIC) != 0,
            lossless,
            subsampling: subsampling.filter(|_| is_yuv),
            handle,
            jpeg,
        })
    }

    /// Returns the width and height when both are divided by `divisor`.
    pub fn size(&self, divisor: u32) -> (u32, u32) {
        (self.width.div_ceil(divisor), self.height.div_ceil(divisor))
    }

    /// Decodes at the scale 1 / `divisor` (1, 2, 4 or 8) into `pixels`, which gets the length that
    /// the image needs.
    pub fn decode(self, divisor: u32, pixels: &mut Vec<u8>) -> Result<Verdict, JpegError> {
        self.set_divisor(divisor)?;
        let (width, height) = self.size(divisor);
        // libjpeg's sides are at most 65,535, so that a row fits a C int and the image a usize
        let pitch = width as usize * self.channels;
        pixels.resize(pitch * height as usize, 0);
        let format = match self.channels {
            4 => raw::TJPF_TJPF_CMYK,
            _ => raw::TJPF_TJPF_BGR,
        };
        // SAFETY: the handle is alive; it has read the header of the same bytes, which gives the
        // size that it writes, and `pixels` has that many rows of that many pixels
        let code = unsafe {
            raw::tj3Decompress8(
                self.handle.0,
                self.jpeg.as_ptr(),
                self.jpeg.len() as raw::size_t,
                pixels.as_mut_ptr(),
                pitch as c_int,
                format,
            )
        };
        self.verdict(code)
    }

    /// Decodes at the scale 1 / `divisor` (1, 2, 4 or 8) into `planes`: luma, and the two chroma
    /// planes of [`Subsampling::plane_sizes`], one after the other and without padding.
    pub fn decode_planes(
        self,
        subsampling: Subsampling,
        divisor: u32,
        planes: &mut Vec<u8>,
    ) -> Result<Verdict, JpegError> {
        self.set_divisor(divisor)?;
        let (luma, chroma) = subsampling.plane_sizes(self.size(divisor));
        let area = |(width, height): (u32, u32)| width as usize * height as usize;
        let (luma, chroma) = (area(luma), chroma.map_or(0, area));
        planes.resize(luma + 2 * chroma, 0);
        let (first, rest) = planes.split_at_mut(luma);
        let (second, third) = rest.split_at_mut(chroma);
        let mut pointers = [first, second, third].map(<[u8]>::as_mut_ptr);
        // SAFETY: the handle is alive; it has read the header of the same bytes, which gives the
        // sizes of the planes that it writes (those of `tj3YUVPlaneWidth` and
        // `tj3YUVPlaneHeight`, as a test checks); null strides mean no padding
        let code = unsafe {
            raw::tj3DecompressToYUVPlanes8(
                self.handle.0,
                self.jpeg.as_ptr(),
                self.jpeg.len() as raw::size_t,
                pointers.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        self.verdict(code)
    }

    fn set_divisor(&self, divisor: u32) -> Result<(), JpegError> {
        let factor = raw::tjscalingfactor {
            num: 1,
            denom: divisor as c_int,
        };
        // SAFETY: the handle is alive
        match unsafe { raw::tj3SetScalingFactor(self.handle.0, factor) } {
            0 => Ok(()),
            _ => Err(self.handle.error()),
        }
    }

    fn verdict(&self, code: c_int) -> Result<Verdict, JpegError> {
        match code {
            0 => Ok(Verdict::Whole),
            _ => self.handle.verdict(),
        }
    }
}

/// A new decompressor.
struct Handle(raw::tjhandle);

impl Handle {
    fn new() -> Result<Self, JpegError> {
        // SAFETY: takes a number
        let handle = Self(unsafe { raw::tj3Init(raw::TJINIT_TJINIT_DECOMPRESS as c_int) });
        if handle.0.is_null() {
            return Err(handle.error());
        }
        Ok(handle)
    }

    fn get(&self, param: raw::TJPARAM) -> c_int {
        // SAFETY: the handle is alive
        unsafe { raw::tj3Get(self.0, param as c_int) }
    }

    fn set(&self, param: raw::TJPARAM, value: c_int) -> Result<(), JpegError> {
        // SAFETY: the handle is alive
        match unsafe { raw::tj3Set(self.0, param as c_int, value) } {
            0 => Ok(()),
            _ => Err(self.error()),
        }
    }

    /// Returns the text of the call that just failed: its error, or its first warning if there was
    /// no error.
    fn text(&self) -> &CStr {
        // SAFETY: a text of the handle or of this thread, valid until the next call on either
        unsafe { CStr::from_ptr(raw::tj3GetErrorStr(self.0)) }
    }

    fn error(&self) -> JpegError {
        JpegError::Library(self.text().to_string_lossy().into_owned())
    }

    fn verdict(&self) -> Result<Verdict, JpegError> {
        let text = self.text().to_string_lossy();
        match weigh(&text) {
            Some(Weight::Left(bytes)) => Ok(Verdict::Left(bytes)),
            Some(Weight::Damaged(damage)) => Ok(Verdict::Damaged(damage)),
            Some(Weight::Other) => Ok(Verdict::Warned),
            Some(Weight::Missing) => Ok(Verdict::Missing(text.into_owned())),
            None => Err(self.error()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: no other code has the handle; null is allowed
        unsafe { raw::tj3Destroy(self.0) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Left(usize),
    Missing,
    Damaged(Damage),
    Other,
}

/// Returns what a text of libjpeg means for the image; `None` for an error. The list has all its
/// warnings (`JWRN_` in its `jerror.h`). libjpeg has codes for them, but drops the code if an error
/// follows.
fn weigh(text: &str) -> Option<Weight> {
    const LEFT: &str = " extraneous bytes before marker 0xd9";
    let text = text.strip_prefix("Corrupt JPEG data: ").unwrap_or(text);
    let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    if let Some(bytes) = text.strip_suffix(LEFT) {
        Some(Weight::Left(bytes.parse().unwrap_or(usize::MAX)))
    } else if begins(&[
        "premature end of data segment",
        "Premature end of JPEG file",
        "found marker ",
        "Inconsistent progression sequence",
    ]) {
        Some(Weight::Missing)
    } else if begins(&["bad Huffman code", "bad arithmetic code"]) {
        Some(Weight::Damaged(Damage::UndefinedCode))
    } else if text.contains(" extraneous bytes before marker ") {
        Some(Weight::Damaged(Damage::SkippedData))
    } else if begins(&[
        "bad ICC marker",
        "Unknown Adobe color transform code",
        "Warning: unknown JFIF revision number",
        "Invalid SOS parameters for sequential JPEG",
        "Application transferred too many scanlines",
    ]) {
        Some(Weight::Other)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_have_the_sizes_that_the_library_writes() {
        for (subsamp, (width, height)) in (raw::TJSAMP_TJSAMP_444..=raw::TJSAMP_TJSAMP_440)
            .flat_map(|subsamp| {
                let sides = [1, 2, 3, 8, 17, 65_500, 65_535];
                let sizes = sides.map(|width| sides.map(|height| (width, height)));
                sizes.into_iter().flatten().map(move |size| (subsamp, size))
            })
        {
            let (luma, chroma) = Subsampling::from_library(subsamp)
                .unwrap()
                .plane_sizes((width, height));
            for (component, plane) in [(0, Some(luma)), (1, chroma), (2, chroma)] {
                let Some(plane) = plane else { continue };
                let (c_width, c_height) = (width as c_int, height as c_int);
                // SAFETY: take numbers
                let expected = unsafe {
                    (
                        raw::tj3YUVPlaneWidth(component, c_width, subsamp),
                        raw::tj3YUVPlaneHeight(component, c_height, subsamp),
                    )
                };
                let found = (plane.0 as c_int, plane.1 as c_int);
                assert_eq!(found, expected, "{subsamp}, {component}, {width}x{height}");
            }
        }
    }

    #[test]
    fn warnings_are_weighed_and_errors_are_none() {
        for (text, weight) in [
            (
                "Corrupt JPEG data: 3 extraneous bytes before marker 0xd9",
                Some(Weight::Left(3)),
            ),
            (
                "Corrupt JPEG data: 3 extraneous bytes before marker 0xd3",
                Some(Weight::Damaged(Damage::SkippedData)),
            ),
            ("Premature end of JPEG file", Some(Weight::Missing)),
            (
                "Corrupt JPEG data: found marker 0xd2 instead of RST1",
                Some(Weight::Missing),
            ),
            (
                "Corrupt JPEG data: bad Huffman code",
                Some(Weight::Damaged(Damage::UndefinedCode)),
            ),
            ("Corrupt JPEG data: bad ICC marker", Some(Weight::Other)),
            ("Invalid JPEG file structure: two SOI markers", None),
            ("Unsupported JPEG process: SOF type 0xc5", None),
            ("Bogus Huffman table definition", None),
        ] {
            assert_eq!(weigh(text), weight, "{text}");
        }
    }
}
