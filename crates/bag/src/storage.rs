//! The two storages of rosbag2.

use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Mcap,
    Sqlite3,
}

impl Storage {
    /// Returns the storage of rosbag2's plugin name.
    pub fn from_identifier(identifier: &str) -> Option<Self> {
        match identifier {
            "mcap" | "rosbag2_storage_mcap" => Some(Self::Mcap),
            "sqlite3" | "rosbag2_storage_sqlite3" => Some(Self::Sqlite3),
            _ => None,
        }
    }

    pub fn from_extension(path: &Path) -> Option<Self> {
        let plain = match path.extension()?.to_str()? {
            "zstd" => Path::new(path.file_stem()?).extension()?.to_str()?,
            other => other,
        };
        match plain {
            "mcap" => Some(Self::Mcap),
            "db3" => Some(Self::Sqlite3),
            _ => None,
        }
    }

    /// Returns rosbag2's plugin name.
    pub fn identifier(self) -> &'static str {
        match self {
            Self::Mcap => "mcap",
            Self::Sqlite3 => "sqlite3",
        }
    }
}
