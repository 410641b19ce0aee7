//! Detects the type of a file by its first bytes, independent of its name.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::storage::Storage;

/// The first bytes of a zstd frame. CDR starts with a zero byte, so the two differ.
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
pub(super) const SQLITE3: &[u8; 16] = b"SQLite format 3\0";
/// The start of ROS 1 bag files; the version, `V2.0`, follows.
const ROS1: &[u8] = b"#ROSBAG V";

/// The length of the longest of them.
const LONGEST: usize = SQLITE3.len();

/// The type of a file by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Magic {
    /// Whether the whole file is compressed with zstd.
    pub is_packed: bool,
    /// The content of the file; `None` if the bytes are unknown.
    pub kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Storage(Storage),
    Ros1,
}

impl Magic {
    /// Reads the first bytes of the file, and of its content if it is compressed.
    pub fn read(path: &Path) -> io::Result<Self> {
        let first = first_bytes(File::open(path)?)?;
        let is_packed = first.starts_with(&ZSTD);
        let first = if is_packed {
            let decoder = zstd::Decoder::with_buffer(BufReader::new(File::open(path)?));
            // a damaged frame has no content here; reading it reports the damage
            decoder.and_then(first_bytes).unwrap_or_default()
        } else {
            first
        };
        let kind = match first.as_slice() {
            bytes if bytes.starts_with(mcap::MAGIC) => Some(Kind::Storage(Storage::Mcap)),
            bytes if bytes.starts_with(SQLITE3) => Some(Kind::Storage(Storage::Sqlite3)),
            bytes if bytes.starts_with(ROS1) => Some(Kind::Ros1),
            _ => None,
        };
        Ok(Self { is_packed, kind })
    }
}

fn first_bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LONGEST);
    from.take(LONGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.name");
        let found = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            Magic::read(&path).unwrap()
        };
        let plain = |kind| Magic {
            is_packed: false,
            kind,
        };
        let mcap = Some(Kind::Storage(Storage::Mcap));
        let sqlite = Some(Kind::Storage(Storage::Sqlite3));
        assert_eq!(found(b""), plain(None));
        assert_eq!(found(b"#ROSBAG V2.0\n"), plain(Some(Kind::Ros1)));
        assert_eq!(found(mcap::MAGIC), plain(mcap));
        assert_eq!(found(SQLITE3), plain(sqlite));
        let packed = |kind| Magic {
            is_packed: true,
            kind,
        };
        let pack = |content: &[u8]| zstd::encode_all(content, 0).unwrap();
        assert_eq!(found(&pack(mcap::MAGIC)), packed(mcap));
        assert_eq!(found(&pack(SQLITE3)), packed(sqlite));
        assert_eq!(found(&pack(b"#ROSBAG V2.0\n")), packed(Some(Kind::Ros1)));
        assert_eq!(found(&pack(b"text")), packed(None));
        assert_eq!(found(&ZSTD), packed(None));
    }
}
