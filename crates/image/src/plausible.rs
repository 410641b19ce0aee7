//! Limits the size of an image by the size of its file, so that a small message cannot make a
//! decoder reserve gigabytes.

use thiserror::Error;

/// The header gives more pixels than its file can hold.
#[derive(Debug, Error)]
#[error(
    "image header gives {width}x{height} pixels, more than its {bytes} compressed bytes can hold"
)]
pub struct Implausible {
    width: u32,
    height: u32,
    bytes: usize,
}

/// The maximum inflated size of a byte of deflate: 258 bytes for every two bits.
const INFLATED_PER_BYTE: u64 = 1032;

/// The densest Huffman coding is a progressive JPEG of one colour with one bit per block of 8x8
/// pixels: 512 pixels per byte. Components may be subsampled, so the limit is a little higher.
const JPEG_PIXELS_PER_BYTE: u64 = 682;

/// Arithmetic coding has no such bound. Images up to this number of pixels are decoded with any
/// file size.
const ARITHMETIC_PIXELS: u64 = 1 << 24;

/// Fails if no JPEG of `bytes` bytes can have so many pixels.
pub fn check_jpeg(
    width: u32,
    height: u32,
    arithmetic: bool,
    bytes: usize,
) -> Result<(), Implausible> {
    let pixels = u64::from(width) * u64::from(height);
    let most = JPEG_PIXELS_PER_BYTE.saturating_mul(bytes as u64);
    let most = if arithmetic {
        most.max(ARITHMETIC_PIXELS)
    } else {
        most
    };
    check(pixels <= most, width, height, bytes)
}

/// The header of a PNG file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PngHeader {
    pub width: u32,
    pub height: u32,
    bits_per_pixel: u32,
}

impl PngHeader {
    /// Reads the IHDR chunk, which is first by the PNG specification. `None` if it is truncated or
    /// invalid.
    pub fn read(file: &[u8]) -> Option<Self> {
        let side = |at: usize| {
            let bytes = file.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes)).filter(|&side| side > 0)
        };
        let samples = match file.get(25)? {
            0 | 3 => 1,
            4 => 2,
            2 => 3,
            6 => 4,
            _ => return None,
        };
        let bits = u32::from(*file.get(24)?);
        [1, 2, 4, 8, 16].contains(&bits).then_some(())?;
        Some(Self {
            width: side(16)?,
            height: side(20)?,
            bits_per_pixel: samples * bits,
        })
    }

    /// Fails if no PNG of `bytes` bytes can have so many pixels: before compression, each row has
    /// at least its pixels' bits, and interlacing and filters only add to it.
    pub fn check(&self, bytes: usize) -> Result<(), Implausible> {
        let bits = u64::from(self.width) * u64::from(self.bits_per_pixel);
        let inflated = bits.div_ceil(8).saturating_mul(u64::from(self.height));
        let fits = inflated <= INFLATED_PER_BYTE.saturating_mul(bytes as u64);
        check(fits, self.width, self.height, bytes)
    }
}

fn check(fits: bool, width: u32, height: u32, bytes: usize) -> Result<(), Implausible> {
    fits.then_some(()).ok_or(Implausible {
        width,
        height,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(width: u32, height: u32, bits: u8, colour: u8) -> Option<PngHeader> {
        let mut file = vec![0; 33];
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        (file[24], file[25]) = (bits, colour);
        PngHeader::read(&file)
    }

    #[test]
    fn png_is_measured_by_its_own_bits() {
        let rgb = header(1032, 10, 8, 2).unwrap();
        assert!(rgb.check(30).is_ok() && rgb.check(29).is_err());
        let one_bit = header(8 * 1032, 10, 1, 0).unwrap();
        assert!(one_bit.check(10).is_ok() && one_bit.check(9).is_err());
        let largest = header(u32::MAX, u32::MAX, 16, 6).unwrap();
        assert!(largest.check(1 << 30).is_err());
        assert_eq!(header(1, 0, 8, 2), None);
        assert_eq!(header(1, 1, 8, 5), None);
        assert_eq!(header(1, 1, 3, 0), None);
        assert_eq!(PngHeader::read(b"\x89PNG\r\n\x1a\n"), None);
    }

    #[test]
    fn a_jpeg_of_one_colour_is_plausible_up_to_its_coding() {
        assert!(check_jpeg(512, 1000, false, 1000).is_ok());
        assert!(check_jpeg(8000, 8000, false, 1000).is_err());
        assert!(check_jpeg(4096, 4096, true, 200).is_ok());
        assert!(check_jpeg(40_960, 40_960, true, 200).is_err());
    }
}
