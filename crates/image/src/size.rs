//! The size of an image file, without decoding it where its header says.

use std::fs;
use std::path::Path;

use super::ImageDecoder;
use super::decode::png_size;
use super::folder::ImageFileError;
use super::jpeg::{JpegDecoder, has_exif};

/// Width and height in pixels.
pub fn image_size(path: &Path) -> Result<(u32, u32), ImageFileError> {
    let file = fs::read(path).map_err(|source| ImageFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    let decode = |source| ImageFileError::Decode {
        path: path.to_owned(),
        source,
    };
    if file.starts_with(b"\x89PNG\r\n\x1a\n")
        && let Some((width, height)) = png_size(&file)
    {
        return Ok((width as u32, height as u32));
    }
    // EXIF may turn the picture
    if file.starts_with(b"\xff\xd8")
        && !has_exif(&file)
        && let Ok(header) = JpegDecoder::new().and_then(|mut decoder| decoder.header(&file))
    {
        return Ok((header.width as u32, header.height as u32));
    }
    let mut decoder = ImageDecoder::new().map_err(decode)?;
    let image = decoder.decode_file(&file).map_err(decode)?;
    Ok((image.width(), image.height()))
}
