//! Reads the images of a folder in natural order.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::vec;

use thiserror::Error;

use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};

use super::{BgrView, DecodeError, FileFormat, ImageDecoder};

/// The extensions of image files, in any case. Not every OpenCV reads all of these formats.
pub const IMAGE_EXTENSIONS: [&str; 20] = [
    "jpg", "jpeg", "jpe", "png", "bmp", "webp", "tif", "tiff", "gif", "avif", "heic", "jp2", "jxl",
    "pbm", "pgm", "ppm", "pnm", "hdr", "exr", "ras",
];

/// Why an image file cannot be read.
#[derive(Debug, Error)]
pub enum ImageFileError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Decode { path: PathBuf, source: DecodeError },
}

/// A decoded image.
pub struct Picture<'a> {
    /// Its file, or the file that contains it.
    pub path: &'a Path,
    pub pixels: BgrView<'a>,
    /// The file's bytes, if a CompressedImage can have them unchanged.
    pub file: Option<CompressedFile<'a>>,
}

/// The bytes of a JPEG or PNG file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedFile<'a> {
    /// `jpeg` or `png`, by the bytes; the file's name may differ.
    pub format: &'static str,
    pub bytes: &'a [u8],
}

/// Returns the images of a folder in natural order: the files that [`is_image`] accepts, and files
/// without an extension that begin like an image. Ignores names that begin with a dot, and
/// subfolders.
pub fn images_in(folder: &Path) -> Result<Vec<PathBuf>, ImageFileError> {
    let failed = |source| ImageFileError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.is_file() && is_visible_image(&file) {
            files.push(file);
        }
    }
    files.sort_by(|a, b| {
        let (a, b) = (name(a), name(b));
        natural_order(a, b).then_with(|| a.cmp(b))
    });
    Ok(files)
}

/// Reads the images of a folder one after another.
pub struct ImageFolder {
    files: vec::IntoIter<PathBuf>,
    path: PathBuf,
    bytes: Vec<u8>,
    decoder: ImageDecoder,
}

impl ImageFolder {
    /// Opens the files of [`images_in`].
    pub fn open(path: &Path) -> Result<Self, ImageFileError> {
        Ok(Self {
            files: images_in(path)?.into_iter(),
            path: PathBuf::new(),
            bytes: Vec::new(),
            decoder: ImageDecoder::new(),
        })
    }

    /// Returns how many images remain.
    pub fn remaining(&self) -> usize {
        self.files.len()
    }

    /// Decodes the next image, with EXIF orientation applied; `None` after the last. After an
    /// error, the next call continues with the next file.
    pub fn next_picture(&mut self) -> Option<Result<Picture<'_>, ImageFileError>> {
        self.path = self.files.next()?;
        let path = self.path.as_path();
        self.bytes = match bounded_file::read(path, PICTURE_LIMIT) {
            Ok(bytes) => bytes,
            Err(source) => {
                return Some(Err(ImageFileError::Io {
                    path: path.to_owned(),
                    source,
                }));
            }
        };
        let format = match FileFormat::recognise(&self.bytes) {
            Some(FileFormat::Jpeg) => Some("jpeg"),
            Some(FileFormat::Png) => Some("png"),
            _ => None,
        };
        let bytes = self.bytes.as_slice();
        let picture = match self.decoder.decode_file(bytes) {
            Ok(pixels) => Ok(Picture {
                path,
                pixels,
                file: format.map(|format| CompressedFile { format, bytes }),
            }),
            Err(source) => Err(ImageFileError::Decode {
                path: path.to_owned(),
                source,
            }),
        };
        Some(picture)
    }
}

/// Whether the file has an extension of images.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    IMAGE_EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// Whether [`images_in`] takes a file of this path.
pub fn is_visible_image(path: &Path) -> bool {
    !name(path).starts_with(b".") && (is_image(path) || begins_as_image(path))
}

/// Whether a file without an extension is an image, by its first bytes.
fn begins_as_image(path: &Path) -> bool {
    let mut first = [0; 64];
    let mut read = || File::open(path)?.read(&mut first);
    path.extension().is_none()
        && read().is_ok_and(|count| FileFormat::recognise(&first[..count]).is_some())
}

fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

/// Compares bytes, and consecutive digits as one number: `frame2` comes before `frame10`. Names
/// that differ only in leading zeros are equal.
fn natural_order(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let order = match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (take_number(&mut a), take_number(&mut b));
                // without leading zeros, the longer number is the larger
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (Some(x), Some(y)) => {
                let order = x.cmp(y);
                (a, b) = (&a[1..], &b[1..]);
                order
            }
            (x, y) => return x.cmp(&y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Removes the leading digits of `text` and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(a: &str, b: &str) -> Ordering {
        natural_order(a.as_bytes(), b.as_bytes())
    }

    #[test]
    fn numbers_sort_by_value() {
        let sorted = [
            "1.png",
            "02.png",
            "10.png",
            "a",
            "a1b2",
            "a1b10",
            "a2",
            "a10",
            "frame",
            "frame2.jpg",
            "frame010.jpg",
            "frame100000000000000000000000000.jpg",
            "z",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(order("a007", "a7"), Ordering::Equal);
        assert_eq!(order("a0", "a00"), Ordering::Equal);
    }

    #[test]
    fn endings_are_known_in_any_case() {
        assert!(is_image(Path::new("x/a.JPG")) && is_image(Path::new("a.b.tiff")));
        assert!(!is_image(Path::new("jpg")) && !is_image(Path::new("a.jpg.txt")));
    }

    #[test]
    fn files_without_an_ending_are_known_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("000001", b"\xff\xd8\xff\xe0");
        write("000002.gif", b"GIF89a");
        write("README", b"what this is");
        write("000001.bak", b"\xff\xd8\xff\xe0");
        write(".hidden", b"\xff\xd8\xff\xe0");
        write("empty", b"");
        let found = images_in(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| name(path)).collect();
        assert_eq!(names, [&b"000001"[..], b"000002.gif"]);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a0-3.]{0,6}", b in "[a0-3.]{0,6}", c in "[a0-3.]{0,6}") {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
    }
}
