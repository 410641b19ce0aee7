//! Checks that a shared library is whole: the loader maps the parts that its headers name, and the process is killed by
//! SIGBUS if the file ends before.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Returns the length that the headers of an ELF file of 64 bits ask for, in bytes, if the file is shorter. Returns
/// `None` for a whole file, and for any other file, which the loader refuses.
pub(super) fn missing_length(path: &Path) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; 64];
    // little endian, as on every system that ONNX Runtime is built for
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let segments = u64_at(&header, 32);
    let (size, count) = (u16_at(&header, 54), u16_at(&header, 56));
    let table = u64::from(size) * u64::from(count);
    let mut needed = segments.saturating_add(table);
    if needed > length {
        return Ok(Some(needed));
    }
    let mut headers = vec![0; usize::from(size) * usize::from(count)];
    file.seek(SeekFrom::Start(segments))?;
    file.read_exact(&mut headers)?;
    for segment in headers.chunks_exact(usize::from(size).max(1)) {
        if segment.len() >= 40 {
            let (start, size) = (u64_at(segment, 8), u64_at(segment, 32));
            needed = needed.max(start.saturating_add(size));
        }
    }
    Ok((needed > length).then_some(needed))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let mut value = [0; 2];
    value.copy_from_slice(&bytes[at..at + 2]);
    u16::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_cut_anywhere_is_shorter_than_it_says() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.so");
        let missing = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            missing_length(&path).unwrap()
        };
        assert_eq!(missing(&whole), None);
        // up to a hundredth before the end of what is mapped
        let first = missing(&whole[..64]).unwrap();
        assert!(first > 64);
        let needed = missing(&whole[..4096]).unwrap();
        for hundredth in [1, 10, 50, 99] {
            let cut = needed as usize / 100 * hundredth;
            assert!(missing(&whole[..cut]).is_some(), "{hundredth}");
        }
        // the loader refuses these
        for bytes in [&b""[..], b"garbage", &whole[..63]] {
            assert_eq!(missing(bytes), None);
        }
        let mut wild = whole[..200].to_vec();
        wild[32..40].fill(0xff);
        assert!(missing(&wild).is_some());
    }
}
