//! Reads a picture's width and height from its file's header, so that limits hold before OpenCV
//! reserves memory.

use super::FileFormat;

/// Returns width and height in pixels; `None` if the header is damaged.
pub fn header_size(format: FileFormat, file: &[u8]) -> Option<(u32, u32)> {
    match format {
        FileFormat::Bmp => of_bitmap(file),
        FileFormat::Jpeg2000 => of_jpeg_2000(file),
        FileFormat::Pnm if file.starts_with(b"P7") => of_pam(file),
        FileFormat::Pnm | FileFormat::Pfm => {
            let mut words = Words(file.get(2..)?);
            Some((words.number()?, words.number()?))
        }
        FileFormat::SunRaster => Some((be_u32(file, 4)?, be_u32(file, 8)?)),
        _ => {
            let size = imagesize::blob_size(file).ok()?;
            let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            Some((side(size.width), side(size.height)))
        }
    }
}

/// A negative height says that the first row is the top one.
fn of_bitmap(file: &[u8]) -> Option<(u32, u32)> {
    let header = file.get(14..)?;
    let le_u16 = |at| Some(u16::from_le_bytes(bytes(header, at)?));
    let le_i32 = |at| Some(i32::from_le_bytes(bytes(header, at)?));
    match le_i32(0)? {
        // of OS/2
        12 => Some((le_u16(4)?.into(), le_u16(6)?.into())),
        _ => Some((le_i32(4)?.unsigned_abs(), le_i32(8)?.unsigned_abs())),
    }
}

/// Reads the SIZ segment of the code stream (ITU-T T.800, A.5.1), which may be in a box (annex I).
fn of_jpeg_2000(file: &[u8]) -> Option<(u32, u32)> {
    let mut rest = file;
    while !rest.starts_with(&[0xff, 0x4f, 0xff, 0x51]) {
        let header = match be_u32(rest, 0)? {
            1 => 16,
            _ => 8,
        };
        let length = match be_u32(rest, 0)? {
            // up to the end of the file
            0 => rest.len(),
            1 => usize::try_from(u64::from_be_bytes(bytes(rest, 8)?)).ok()?,
            length => length as usize,
        };
        if length < header {
            return None;
        }
        let is_code_stream = rest.get(4..8)? == b"jp2c";
        rest = rest.get(if is_code_stream { header } else { length }..)?;
        if is_code_stream && !rest.starts_with(&[0xff, 0x4f, 0xff, 0x51]) {
            return None;
        }
    }
    let side = |end, start| Some(be_u32(rest, end)?.saturating_sub(be_u32(rest, start)?));
    Some((side(8, 16)?, side(12, 20)?))
}

/// Reads the lines `WIDTH n` and `HEIGHT n`.
fn of_pam(file: &[u8]) -> Option<(u32, u32)> {
    let mut words = Words(file.get(2..)?);
    let (mut width, mut height) = (None, None);
    loop {
        match words.next()? {
            b"WIDTH" => width = Some(words.number()?),
            b"HEIGHT" => height = Some(words.number()?),
            b"ENDHDR" => return Some((width?, height?)),
            _ => {}
        }
    }
}

/// The words of a text header, without comments.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            self.0 = self.0.trim_ascii_start();
            if !self.0.starts_with(b"#") {
                break;
            }
            let line = self.0.iter().position(|&byte| byte == b'\n')?;
            self.0 = &self.0[line..];
        }
        let end = self.0.iter().position(u8::is_ascii_whitespace)?;
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn number(&mut self) -> Option<u32> {
        str::from_utf8(self.next()?).ok()?.parse().ok()
    }
}

fn be_u32(file: &[u8], at: usize) -> Option<u32> {
    bytes(file, at).map(u32::from_be_bytes)
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_with_its_top_row_first_was_too_large() {
        let mut bitmap = FileFormat::Bmp.sample().unwrap().to_vec();
        bitmap[22..26].copy_from_slice(&(-2_i32).to_le_bytes());
        assert_eq!(header_size(FileFormat::Bmp, &bitmap), Some((2, 2)));
        assert!(crate::ImageDecoder::new().decode_file(&bitmap).is_ok());
    }

    #[test]
    fn text_headers_have_comments_between_any_words() {
        let size = |file: &[u8]| header_size(FileFormat::Pnm, file);
        assert_eq!(
            size(b"P5 # one\n#two\n 30 # three\n 20 255\n"),
            Some((30, 20))
        );
        let pam = b"P7\n# c\nWIDTH 30\nHEIGHT 20\nDEPTH 1\nMAXVAL 255\nENDHDR\n";
        assert_eq!(size(pam), Some((30, 20)));
        assert_eq!(size(b"P5 30"), None);
        assert_eq!(size(b"P7\nWIDTH 30\nENDHDR\n"), None);
    }

    #[test]
    fn boxes_of_jpeg_2000_of_any_length_end() {
        let sample = FileFormat::Jpeg2000.sample().unwrap();
        for length in [0_u32, 1, 7, 8, u32::MAX] {
            let mut file = sample.to_vec();
            file[12..16].copy_from_slice(&length.to_be_bytes());
            assert_eq!(header_size(FileFormat::Jpeg2000, &file), None, "{length}");
        }
        let stream = sample
            .windows(4)
            .position(|w| w == [0xff, 0x4f, 0xff, 0x51]);
        let stream = &sample[stream.unwrap()..];
        let size = header_size(FileFormat::Jpeg2000, stream);
        assert_eq!(size, Some((64, 64)));
    }
}
