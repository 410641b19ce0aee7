//! zstd for bag files and single messages, zstd and lz4 for MCAP chunks.
//!
//! Everything is decompressed as a stream: memory use depends on the actual bytes, never on a
//! length that a file claims.

use std::env;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use tempfile::{NamedTempFile, TempPath};

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
    copy: Option<Arc<Copy>>,
}

/// A temporary file without a name, so that nothing is left if the process is killed. It has a name
/// once SQLite opens it, or where the file system cannot do without.
#[derive(Debug)]
struct Copy {
    file: File,
    name: OnceLock<TempPath>,
}

impl Copy {
    fn new() -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(file) = open(env::temp_dir(), flags, Mode::RUSR | Mode::WUSR) {
            let file = File::from(file);
            let name = OnceLock::new();
            return Ok(Self { file, name });
        }
        let (file, name) = new_name()?.into_parts();
        let name = OnceLock::from(name);
        Ok(Self { file, name })
    }

    /// Returns a path that opens the file as long as `self` is there.
    fn path(&self) -> PathBuf {
        match self.name.get() {
            Some(name) => name.to_path_buf(),
            None => format!("/proc/self/fd/{}", self.file.as_raw_fd()).into(),
        }
    }

    /// Gives the file a name until it is dropped, unless it has one. A file can get its first name
    /// only once, so it keeps that.
    fn name(&self) -> io::Result<&Path> {
        if let Some(name) = self.name.get() {
            return Ok(name);
        }
        let name = new_name()?.into_temp_path();
        std::fs::remove_file(&name)?;
        linkat(CWD, self.path(), CWD, &*name, AtFlags::SYMLINK_FOLLOW)?;
        Ok(self.name.get_or_init(|| name))
    }
}

fn new_name() -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix("shuffledet-").tempfile()
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
                copy: None,
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
        let temporary = env::temp_dir();
        let mut copy = Copy::new().map_err(BagError::io(&temporary))?;
        let mut block = vec![0; 256 << 10];
        let stopped = loop {
            match from.read(&mut block) {
                Ok(0) => break None,
                Ok(n) => copy
                    .file
                    .write_all(&block[..n])
                    .map_err(BagError::io(&temporary))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
        };
        let file = Self {
            name: name.to_owned(),
            path: copy.path(),
            copy: Some(Arc::new(copy)),
        };
        Ok((file, stopped))
    }

    /// Returns a path of the file itself. A copy has a name from then on: SQLite follows links, and
    /// those of `/proc` lead to a path that is not there.
    pub fn with_name(&self) -> Result<&Path, BagError> {
        match &self.copy {
            Some(copy) => copy.name().map_err(BagError::io(&env::temp_dir())),
            None => Ok(&self.path),
        }
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

    #[test]
    fn a_decompressed_copy_stayed_if_the_process_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mcap.zstd");
        std::fs::write(&path, zstd::encode_all(&b"content"[..], 1).unwrap()).unwrap();
        let (file, damage) = PlainFile::new(&path, true).unwrap();
        assert_eq!(damage, None);
        assert_eq!(std::fs::read(&file.path).unwrap(), b"content");
        let target = std::fs::read_link(&file.path).unwrap();
        assert!(
            target.to_string_lossy().ends_with("(deleted)"),
            "{target:?}"
        );
        let start = file.start(3).unwrap();
        assert_eq!(std::fs::read(start.path).unwrap(), b"con");
        // SQLite opens it by name, as often as it wants
        let named = file.with_name().unwrap().to_owned();
        assert_eq!(file.with_name().unwrap(), named);
        assert_eq!(std::fs::read(&named).unwrap(), b"content");
        drop(file);
        assert!(!named.exists());
    }
}
