//! Reasons why bytes are not an image.

use thiserror::Error;

use super::encoding::SUPPORTED;
use super::file_format::{self, FileFormat};
use super::limits::TooLarge;
use super::plausible::Implausible;

/// Why an image's bytes cannot be decoded.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("image encoding {found:?} is not supported; supported: {}", SUPPORTED.join(", "))]
    UnknownEncoding { found: String },
    #[error(
        "TIFF images with floating-point pixels are not supported, because their range is unknown; convert them to 8 or 16 bit"
    )]
    FloatTiff,
    #[error(
        "image format is not recognised: {format}first bytes {first:02x?}; this OpenCV reads {}",
        file_format::readable_names()
    )]
    UnknownFormat {
        /// The message's format, as `format "..", `; empty for a file.
        format: String,
        first: Vec<u8>,
    },
    #[error(
        "image is {format}, which this OpenCV does not read; it reads {}; convert the image to one of them",
        file_format::readable_names()
    )]
    UnreadableFormat { format: FileFormat },
    #[error("image of {width}x{height} pixels, {encoding}: {problem}")]
    Geometry {
        width: u32,
        height: u32,
        encoding: String,
        problem: String,
    },
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Implausible(#[from] Implausible),
    #[error("damaged JPEG: {0}")]
    Jpeg(#[from] JpegError),
    #[error("JPEG encoder: {0}")]
    Encoder(#[from] turbojpeg::Error),
    #[error("damaged {kind}: {problem}")]
    Damaged { kind: &'static str, problem: String },
    #[error("OpenCV: {0}")]
    OpenCv(#[from] opencv::Error),
}

impl DecodeError {
    /// Returns the reason's key in counters.
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::UnknownEncoding { .. } => "unknown_encoding",
            DecodeError::UnknownFormat { .. }
            | DecodeError::UnreadableFormat { .. }
            | DecodeError::FloatTiff => "unknown_format",
            DecodeError::Geometry { .. } => "wrong_size",
            DecodeError::TooLarge(_) => "too_large",
            DecodeError::Implausible(_)
            | DecodeError::Jpeg(_)
            | DecodeError::Encoder(_)
            | DecodeError::Damaged { .. }
            | DecodeError::OpenCv(_) => "damaged_image",
        }
    }
}

/// Why a JPEG cannot be decoded.
#[derive(Debug, Error)]
pub enum JpegError {
    #[error("libjpeg-turbo: {0}")]
    Library(String),
    #[error("it ends before its image data begins")]
    NoPicture,
    #[error("image data is missing: {0}")]
    Missing(String),
    #[error("it ends before its last scan")]
    ScanMissing,
    #[error(
        "it has no end marker, and its arithmetic coding does not show whether the image is complete"
    )]
    Unknown,
}
