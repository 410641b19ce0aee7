//! Reads a picture file's bytes with OpenCV, without a file on the disk.
//!
//! For formats that it reads from files only, `imdecode` writes the bytes to a file in `/tmp`. The
//! file remains if the process is killed, and if the header gives too many pixels.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use opencv::core::{Mat, StsError};
use opencv::imgcodecs;
use rustix::fs::{MemfdFlags, memfd_create};

use super::FileFormat;

/// Reads `file`. Returns an empty matrix if OpenCV finds no picture in it.
///
/// # Errors
/// OpenCV's own, and those of the system if it gives no file in memory.
pub fn read(format: FileFormat, file: &[u8], flags: i32) -> opencv::Result<Mat> {
    if is_decoded_from_memory(format) {
        return imgcodecs::imdecode(&Mat::from_slice(file)?, flags);
    }
    let in_memory = file_in_memory(file).map_err(|error| {
        let text = format!("no file in memory for a {format} image: {error}");
        opencv::Error::new(StsError, text)
    })?;
    imgcodecs::imread(format!("/proc/self/fd/{}", in_memory.as_raw_fd()), flags)
}

/// Whether every OpenCV 4 decodes it from memory.
fn is_decoded_from_memory(format: FileFormat) -> bool {
    use FileFormat::{Avif, Bmp, Gif, Jpeg, JpegXl, Png, Pnm, Tiff, WebP};
    matches!(
        format,
        Avif | Bmp | Gif | Jpeg | JpegXl | Png | Pnm | Tiff | WebP
    )
}

/// Returns a file that has no name and ends with the process.
fn file_in_memory(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create(c"shuffledet-picture", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}
