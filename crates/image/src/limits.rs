//! Limits for an image from anywhere, checked before memory is reserved for its pixels.

use thiserror::Error;

/// The limits of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// The maximum number of pixels.
    pub pixels: u64,
    /// The maximum size of the encoded image, or of raw pixels, in bytes.
    pub bytes: u64,
    /// The maximum number of scans of a progressive JPEG. Each takes a pass over all pixels, even
    /// with few bytes.
    pub jpeg_scans: u32,
}

impl ImageLimits {
    /// 64 million pixels in 256 MiB, and more scans than encoders write.
    pub const DEFAULT: Self = Self {
        pixels: 64_000_000,
        bytes: 256 << 20,
        jpeg_scans: 50,
    };

    /// # Errors
    /// The image has more pixels than allowed.
    pub fn check_pixels(&self, width: u32, height: u32) -> Result<(), TooLarge> {
        match u64::from(width) * u64::from(height) > self.pixels {
            true => Err(TooLarge::Pixels {
                width,
                height,
                limit: self.pixels,
            }),
            false => Ok(()),
        }
    }

    /// # Errors
    /// The image has more bytes than allowed.
    pub fn check_bytes(&self, bytes: usize) -> Result<(), TooLarge> {
        match bytes as u64 > self.bytes {
            true => Err(TooLarge::Bytes {
                bytes,
                limit: self.bytes,
            }),
            false => Ok(()),
        }
    }
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An image beyond a limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TooLarge {
    #[error(
        "image of {width}x{height} pixels: expected at most {limit} pixels; raise \
         input.max_pixels if a camera makes such images"
    )]
    Pixels { width: u32, height: u32, limit: u64 },
    #[error(
        "image of {bytes} bytes: expected at most {limit} bytes; raise input.max_bytes if a \
         camera makes such images"
    )]
    Bytes { bytes: usize, limit: u64 },
}

/// A buffer of at most this many bytes is always kept.
const KEPT: usize = 8 << 20;

/// Gives the memory of a reused buffer back if its content needs less than a quarter of it: an
/// image far larger than the others came before.
pub fn release_surplus(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT && buffer.capacity() / 4 > buffer.len() {
        buffer.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_the_parameter_that_raises_them() {
        let limits = ImageLimits {
            pixels: 12,
            bytes: 3,
            jpeg_scans: 1,
        };
        assert_eq!(limits.check_pixels(4, 3), Ok(()));
        let error = limits.check_pixels(13, 1).unwrap_err().to_string();
        assert!(
            error.contains("13x1") && error.contains("input.max_pixels"),
            "{error}"
        );
        assert_eq!(limits.check_bytes(3), Ok(()));
        let error = limits.check_bytes(4).unwrap_err().to_string();
        assert!(
            error.contains("4 bytes") && error.contains("input.max_bytes"),
            "{error}"
        );
        assert!(limits.check_pixels(u32::MAX, u32::MAX).is_err());
    }

    #[test]
    fn memory_of_an_outlier_is_given_back_and_that_of_equal_images_kept() {
        let mut buffer = vec![0; 100 << 20];
        release_surplus(&mut buffer);
        assert!(buffer.capacity() >= 100 << 20);
        buffer.resize(1 << 20, 0);
        release_surplus(&mut buffer);
        assert!(buffer.capacity() < 16 << 20);
        assert_eq!(buffer.len(), 1 << 20);
    }
}
