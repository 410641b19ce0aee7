//! The size of an image file, without decoding it where its header says.

use std::fs;
use std::path::Path;

use super::ImageDecoder;
use super::folder::ImageFileError;
use super::jpeg::JpegDecoder;

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
    if let Some(size) = png_size(&file) {
        return Ok(size);
    }
    if file.starts_with(b"\xff\xd8")
        && let Ok(header) = JpegDecoder::new().and_then(|mut decoder| decoder.header(&file))
    {
        return Ok((header.width as u32, header.height as u32));
    }
    let mut decoder = ImageDecoder::new().map_err(decode)?;
    let image = decoder.decode_file(&file).map_err(decode)?;
    Ok((image.width(), image.height()))
}

/// From the first chunk, which PNG requires to be the header.
fn png_size(file: &[u8]) -> Option<(u32, u32)> {
    let header = file
        .strip_prefix(b"\x89PNG\r\n\x1a\n")?
        .get(4..16)?
        .strip_prefix(b"IHDR")?;
    let side = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
    Some((side(&header[..4])?, side(&header[4..])?))
}
