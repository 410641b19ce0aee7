//! zstd for bag files and single messages, zstd and lz4 for MCAP chunks.
//!
//! Everything is decompressed as a stream: memory use depends on the actual bytes, never on a
//! length that a file claims.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

use super::error::BagError;
use super::magic;

/// The maximum decompressed length of a chunk or message, in bytes (1 GiB).
pub const MAX_DECOMPRESSED: u64 = 1 << 30;

/// A file of at most this length may always be decompressed, in bytes (1 GiB).
const MAX_UNPACKED: u64 = 1 << 30;

/// A longer one has at most this many times the compressed length. Recordings of raw images reach
/// about 50.
const MAX_RATIO: u64 = 200;

/// How the individual messages of a recording are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageCompression {
    None,
    Zstd,
    /// Unknown without `metadata.yaml`: zstd if a message starts like a zstd frame.
    Detect,
}

impl MessageCompression {
    /// Whether this message must go through [`decompress_message`].
    pub fn applies_to(self, message: &[u8]) -> bool {
        match self {
            Self::None => false,
            Self::Zstd => true,
            Self::Detect => message.starts_with(&magic::ZSTD),
        }
    }
}

/// Decompresses the message `packed` into `data`, which is cleared first.
pub(super) fn decompress_message(packed: &[u8], data: &mut Vec<u8>) -> io::Result<()> {
    data.clear();
    let mut decoder = zstd::Decoder::with_buffer(packed)?.take(MAX_DECOMPRESSED + 1);
    decoder.read_to_end(data)?;
    if data.len() as u64 > MAX_DECOMPRESSED {
        return Err(io::Error::other(format!(
            "decompresses to more than {MAX_DECOMPRESSED} bytes"
        )));
    }
    Ok(())
}

/// Returns a reader of the content of an MCAP chunk; `None` for an unknown compression.
pub(super) fn chunk_decoder<'a>(
    compression: &[u8],
    packed: impl Read + 'a,
) -> io::Result<Option<Box<dyn Read + 'a>>> {
    Ok(match compression {
        b"" => Some(Box::new(packed)),
        b"zstd" => Some(Box::new(zstd::Decoder::new(packed)?)),
        b"lz4" => Some(Box::new(lz4::Decoder::new(packed)?)),
        _ => None,
    })
}

/// A bag file for random access: the file itself, or a temporary copy.
#[derive(Debug, Clone)]
pub(super) struct PlainFile {
    /// The user's name of the file, for messages.
    pub name: PathBuf,
    /// The file to read.
    pub path: PathBuf,
    /// Keeps the copy until its last user is dropped.
    _copy: Option<Arc<TempPath>>,
}

impl PlainFile {
    /// Opens `path` itself, or decompresses a zstd file to the system's temporary folder.
    ///
    /// The second value is a warning: the compressed file was damaged and the copy is its readable
    /// part.
    pub fn new(path: &Path, is_packed: bool) -> Result<(Self, Option<String>), BagError> {
        if !is_packed {
            let file = Self {
                name: path.to_owned(),
                path: path.to_owned(),
                _copy: None,
            };
            return Ok((file, None));
        }
        let packed = File::open(path).map_err(BagError::io(path))?;
        let length = packed.metadata().map_err(BagError::io(path))?.len();
        let limit = length.saturating_mul(MAX_RATIO).max(MAX_UNPACKED);
        let decoder =
            zstd::Decoder::with_buffer(BufReader::new(packed)).map_err(BagError::io(path))?;
        let mut decoder = decoder.take(limit + 1);
        let (file, stopped) = Self::copy(path, &mut decoder)?;
        if decoder.limit() == 0 {
            let text = format!(
                "{length} bytes of zstd decompress to more than {limit} bytes, which is no \
                 recording; decompress it with `zstd -d` if it is one"
            );
            return Err(BagError::io(path)(io::Error::new(
                io::ErrorKind::FileTooLarge,
                text,
            )));
        }
        let damage = stopped.map(|e| format!("damaged zstd stream ({e}); its start is read"));
        Ok((file, damage))
    }

    /// Copies the first `length` bytes of the file.
    pub fn start(&self, length: u64) -> Result<Self, BagError> {
        let file = File::open(&self.path).map_err(BagError::io(&self.name))?;
        match Self::copy(&self.name, file.take(length))? {
            (copy, None) => Ok(copy),
            (_, Some(stopped)) => Err(BagError::io(&self.name)(stopped)),
        }
    }

    /// Copies `from` to a temporary file until its end or its first error, which is returned.
    fn copy(name: &Path, mut from: impl Read) -> Result<(Self, Option<io::Error>), BagError> {
        let mut copy = tempfile::Builder::new()
            .prefix("shuffledet-")
            .tempfile()
            .map_err(BagError::io(&std::env::temp_dir()))?;
        let mut block = vec![0; 256 << 10];
        let stopped = loop {
            match from.read(&mut block) {
                Ok(0) => break None,
                Ok(n) => copy
                    .write_all(&block[..n])
                    .map_err(BagError::io(copy.path()))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
        };
        let copy = Arc::new(copy.into_temp_path());
        let file = Self {
            name: name.to_owned(),
            path: copy.to_path_buf(),
            _copy: Some(copy),
        };
        Ok((file, stopped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_that_decompresses_to_gigabytes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.mcap.zstd");
        let mut encoder = zstd::Encoder::new(File::create(&path).unwrap(), 1).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..1025 {
            encoder.write_all(&zeros).unwrap();
        }
        encoder.finish().unwrap();
        let error = PlainFile::new(&path, true).unwrap_err().to_string();
        assert!(error.contains("decompress to more than"), "{error}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1);
    }
}
