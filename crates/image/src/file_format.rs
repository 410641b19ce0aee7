//! Detects image file formats by their first bytes, and which of them the installed OpenCV reads.

use std::fmt;
use std::sync::OnceLock;

use opencv::core::{CV_8UC3, CV_32FC3, Mat, MatTraitConst, Scalar, Vector};
use opencv::imgcodecs;

macro_rules! file_formats {
    ($($variant:ident, $name:literal, $extension:literal;)*) => {
        /// A format of image files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FileFormat {
            $($variant,)*
        }

        use FileFormat::{$($variant),*};

        impl FileFormat {
            const ALL: &'static [FileFormat] = &[$($variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $($variant => $name,)*
                }
            }

            /// Returns the file extension under which OpenCV writes it.
            fn extension(self) -> &'static str {
                match self {
                    $($variant => $extension,)*
                }
            }
        }
    };
}

file_formats! {
    Jpeg, "JPEG", ".jpg";
    Png, "PNG", ".png";
    Bmp, "BMP", ".bmp";
    WebP, "WebP", ".webp";
    Tiff, "TIFF", ".tiff";
    Gif, "GIF", ".gif";
    Avif, "AVIF", ".avif";
    Heif, "HEIF", ".heic";
    Jpeg2000, "JPEG 2000", ".jp2";
    JpegXl, "JPEG XL", ".jxl";
    Pnm, "PNM", ".ppm";
    Pfm, "PFM", ".pfm";
    RadianceHdr, "Radiance HDR", ".hdr";
    OpenExr, "OpenEXR", ".exr";
    SunRaster, "Sun raster", ".ras";
}

impl FileFormat {
    /// Detects the format of a file with these bytes; `None` if it is unknown.
    pub fn recognise(file: &[u8]) -> Option<Self> {
        Some(match file {
            [0xff, 0xd8, ..] => Jpeg,
            [0x89, b'P', b'N', b'G', ..] => Png,
            [
                b'B',
                b'M',
                _,
                _,
                _,
                _,
                0,
                0,
                0,
                0,
                _,
                _,
                _,
                _,
                12..=124,
                0,
                0,
                0,
                ..,
            ] => Bmp,
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => WebP,
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Tiff,
            [b'G', b'I', b'F', b'8', ..] => Gif,
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => of_iso_file(brand)?,
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Jpeg2000,
            [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] | [0xff, 0x0a, ..] => JpegXl,
            [b'P', b'1'..=b'7', space, b'#' | b'0'..=b'9' | b'W', ..]
                if space.is_ascii_whitespace() =>
            {
                Pnm
            }
            [b'P', b'F' | b'f', b'\n' | b'\r' | b' ', ..] => Pfm,
            [b'#', b'?', b'R', b'A', b'D' | b'G', ..]
            | [b'#', b'?', b'R', b'G', b'B', b'E', ..] => RadianceHdr,
            [0x76, 0x2f, 0x31, 0x01, ..] => OpenExr,
            [0x59, 0xa6, 0x6a, 0x95, ..] => SunRaster,
            _ => return None,
        })
    }

    /// Whether the installed OpenCV reads it.
    pub fn is_readable(self) -> bool {
        readable().contains(&self)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Detects AVIF and HEIF by the brands in an ISO base media file; a video has neither.
fn of_iso_file(brands: &[u8]) -> Option<FileFormat> {
    // the major brand, its version, then compatible ones; those of an image are among the first
    let brands = &brands[..brands.len().min(40)];
    let has = |known: &[&[u8; 4]]| {
        let mut brands = brands.chunks_exact(4);
        brands.any(|brand| known.iter().any(|known| brand == *known))
    };
    if has(&[b"avif", b"avis"]) {
        Some(Avif)
    } else if has(&[b"heic", b"heix", b"heif", b"mif1", b"msf1"]) {
        Some(Heif)
    } else {
        None
    }
}

/// Returns every format that the installed OpenCV reads: it must read an image that it wrote
/// itself.
pub fn readable() -> &'static [FileFormat] {
    static READABLE: OnceLock<Vec<FileFormat>> = OnceLock::new();
    READABLE.get_or_init(|| {
        let formats = FileFormat::ALL.iter().copied();
        formats
            .filter(|format| reads_back(format.extension()).unwrap_or(false))
            .collect()
    })
}

/// Returns their names as text.
pub fn readable_names() -> String {
    let names: Vec<_> = readable().iter().map(|format| format.name()).collect();
    names.join(", ")
}

fn reads_back(extension: &str) -> opencv::Result<bool> {
    if !imgcodecs::have_image_writer(extension)? {
        return Ok(false);
    }
    /// Large enough for the wavelets of JPEG 2000.
    const SIDE: i32 = 64;
    // formats of high dynamic range need floats
    for typ in [CV_8UC3, CV_32FC3] {
        let picture = Mat::new_rows_cols_with_default(SIDE, SIDE, typ, Scalar::all(0.5))?;
        let mut file = Vector::new();
        if let Ok(true) = imgcodecs::imencode_def(extension, &picture, &mut file)
            && let Ok(read) = imgcodecs::imdecode(&file, imgcodecs::IMREAD_COLOR)
            && !read.empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opencv_writes_is_known_by_its_first_bytes() {
        let picture = Mat::new_rows_cols_with_default(64, 64, CV_8UC3, Scalar::all(9.0)).unwrap();
        for format in readable() {
            let mut file = Vector::new();
            // some only write floats
            if imgcodecs::imencode_def(format.extension(), &picture, &mut file).is_ok() {
                assert_eq!(FileFormat::recognise(file.as_slice()), Some(*format));
            }
        }
        let names = readable_names();
        assert!(names.starts_with("JPEG, PNG, BMP"), "{names}");
    }

    #[test]
    fn text_and_videos_are_no_pictures() {
        for bytes in [
            &b"P0: 7.07e+02 0 0"[..],
            b"P 1 2",
            b"BMW 0.5 0.5 0.1 0.1\n0 0 0 0 0",
            b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
            b"car 0.00 0",
            b"",
        ] {
            assert_eq!(FileFormat::recognise(bytes), None);
        }
        let avif = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf";
        assert_eq!(FileFormat::recognise(avif), Some(Avif));
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        assert_eq!(FileFormat::recognise(heic), Some(Heif));
    }
}
