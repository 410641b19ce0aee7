//! Returns the size of an image file, from its header if possible.

use std::fs;
use std::path::Path;

use super::folder::ImageFileError;
use super::plausible::PngHeader;
use super::{DecodeError, FileFormat, ImageDecoder, jpeg};

/// Returns the width and height in pixels.
pub fn image_size(path: &Path) -> Result<(u32, u32), ImageFileError> {
    let file = fs::read(path).map_err(|source| ImageFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    size_of(&file).map_err(|source| ImageFileError::Decode {
        path: path.to_owned(),
        source,
    })
}

/// Returns the width and height in pixels of the image in a file's bytes.
pub fn size_of(file: &[u8]) -> Result<(u32, u32), DecodeError> {
    match FileFormat::recognise(file) {
        Some(FileFormat::Jpeg) => return Ok(jpeg::size(file)?),
        Some(FileFormat::Png) if !has_exif_chunk(file) => {
            if let Some(header) = PngHeader::read(file) {
                return Ok((header.width, header.height));
            }
        }
        _ => {}
    }
    let mut decoder = ImageDecoder::new();
    let image = decoder.decode_file(file)?;
    Ok(image.image_size())
}

/// Whether a PNG has an orientation, which some versions of OpenCV apply.
fn has_exif_chunk(png: &[u8]) -> bool {
    let mut chunks = png.get(8..).unwrap_or_default();
    while let [a, b, c, d, name @ ..] = chunks {
        if name.starts_with(b"eXIf") {
            return true;
        }
        // length, name and checksum are four bytes each
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        chunks = chunks.get(length.saturating_add(12)..).unwrap_or_default();
    }
    false
}
