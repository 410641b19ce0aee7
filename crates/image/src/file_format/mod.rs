//! Detects image file formats by their first bytes, and which of them the installed OpenCV reads.

mod header_size;
mod opencv_reader;

use std::fmt;
use std::sync::OnceLock;

use opencv::core::MatTraitConst;
use opencv::imgcodecs;

pub(crate) use header_size::header_size;
pub(crate) use opencv_reader::read;

macro_rules! file_formats {
    ($($variant:ident, $name:literal, $extension:literal, $sample:expr;)*) => {
        /// A format of image files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FileFormat {
            $($variant,)*
        }

        use FileFormat::{$($variant),*};

        impl FileFormat {
            pub const ALL: &'static [FileFormat] = &[$($variant),*];

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

            /// Returns a small file of this format; `None` if there is none here.
            pub fn sample(self) -> Option<&'static [u8]> {
                match self {
                    $($variant => $sample,)*
                }
            }
        }
    };
}

file_formats! {
    Jpeg, "JPEG", ".jpg", Some(include_bytes!("samples/sample.jpg"));
    Png, "PNG", ".png", Some(include_bytes!("samples/sample.png"));
    Bmp, "BMP", ".bmp", Some(include_bytes!("samples/sample.bmp"));
    WebP, "WebP", ".webp", Some(include_bytes!("samples/sample.webp"));
    Tiff, "TIFF", ".tiff", Some(include_bytes!("samples/sample.tiff"));
    Gif, "GIF", ".gif", Some(include_bytes!("samples/sample.gif"));
    Avif, "AVIF", ".avif", Some(include_bytes!("samples/sample.avif"));
    Heif, "HEIF", ".heic", None;
    Jpeg2000, "JPEG 2000", ".jp2", Some(include_bytes!("samples/sample.jp2"));
    JpegXl, "JPEG XL", ".jxl", None;
    Pnm, "PNM", ".ppm", Some(include_bytes!("samples/sample.ppm"));
    Pfm, "PFM", ".pfm", Some(include_bytes!("samples/sample.pfm"));
    RadianceHdr, "Radiance HDR", ".hdr", Some(include_bytes!("samples/sample.hdr"));
    OpenExr, "OpenEXR", ".exr", Some(include_bytes!("samples/sample.exr"));
    SunRaster, "Sun raster", ".ras", Some(include_bytes!("samples/sample.ras"));
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

/// Returns every format that is read: JPEG, and those whose sample the installed OpenCV reads. An
/// OpenCV may have the code of a format and refuse it, as OpenEXR is by default.
pub fn readable() -> &'static [FileFormat] {
    static READABLE: OnceLock<Vec<FileFormat>> = OnceLock::new();
    READABLE.get_or_init(|| {
        let formats = FileFormat::ALL.iter().copied();
        formats
            .filter(|&format| format == Jpeg || reads_sample(format).unwrap_or(false))
            .collect()
    })
}

/// Returns their names as text.
pub fn readable_names() -> String {
    let names: Vec<_> = readable().iter().map(|format| format.name()).collect();
    names.join(", ")
}

/// Without a sample, an OpenCV that writes the format is taken to read it.
fn reads_sample(format: FileFormat) -> opencv::Result<bool> {
    match format.sample() {
        Some(sample) => Ok(!read(format, sample, imgcodecs::IMREAD_COLOR)?.empty()),
        None => imgcodecs::have_image_writer(format.extension()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_known_by_their_first_bytes_and_their_size() {
        for &format in FileFormat::ALL {
            if let Some(sample) = format.sample() {
                assert_eq!(FileFormat::recognise(sample), Some(format));
                // the wavelets of JPEG 2000 need more pixels
                let side = if format == Jpeg2000 { 64 } else { 2 };
                assert_eq!(header_size(format, sample), Some((side, side)), "{format}");
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
