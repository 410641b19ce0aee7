//! In which form annotations are, by how they look.

use std::fs;
use std::path::{Path, PathBuf};

use super::TruthError;
use super::label_files::CLASSES;

/// A form of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Coco,
    Kitti,
    Yolo,
}

impl Format {
    pub const ALL: [Format; 3] = [Format::Coco, Format::Kitti, Format::Yolo];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Coco => "coco",
            Format::Kitti => "kitti",
            Format::Yolo => "yolo",
        }
    }

    /// A file is COCO's; the first line in a folder of text files tells KITTI's 15 fields from YOLO's 5; either
    /// may have a score more.
    ///
    /// # Errors
    /// Neither, or the folder cannot be read.
    pub fn guess(path: &Path) -> Result<Self, TruthError> {
        if path.is_file() {
            return Ok(Format::Coco);
        }
        let entries = fs::read_dir(path).map_err(TruthError::io(path))?;
        let files: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut files = files.map_err(TruthError::io(path))?;
        files.retain(|file| {
            file.extension().is_some_and(|extension| extension == "txt")
                && file.file_stem().is_some_and(|stem| stem != CLASSES)
        });
        files.sort();
        for file in files {
            let bytes = fs::read(&file).map_err(TruthError::io(&file))?;
            let text = String::from_utf8_lossy(&bytes);
            let Some(line) = text.lines().find(|line| !line.trim().is_empty()) else {
                continue;
            };
            return match line.split_ascii_whitespace().count() {
                15 | 16 => Ok(Format::Kitti),
                5 | 6 => Ok(Format::Yolo),
                _ => Err(TruthError::UnknownFormat { path: file }),
            };
        }
        Err(TruthError::NoLabelFiles {
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        let folder = tempfile::tempdir().unwrap();
        let guess = |text: &str| {
            fs::write(folder.path().join("image.txt"), text).unwrap();
            Format::guess(folder.path())
        };
        assert!(matches!(
            Format::guess(folder.path()),
            Err(TruthError::NoLabelFiles { .. })
        ));
        fs::write(folder.path().join("0.txt"), "\n").unwrap();
        fs::write(folder.path().join("classes.txt"), "car").unwrap();
        assert_eq!(guess("0 0.5 0.5 0.1 0.1 0.9\n").unwrap(), Format::Yolo);
        assert_eq!(
            guess("\nCar 0 0 0 1 1 9 9 1 1 1 1 1 1 0\n").unwrap(),
            Format::Kitti
        );
        assert!(matches!(
            guess("a b\n"),
            Err(TruthError::UnknownFormat { .. })
        ));
        assert_eq!(
            Format::guess(&folder.path().join("image.txt")).unwrap(),
            Format::Coco
        );
        assert!(matches!(
            Format::guess(Path::new("/nowhere")),
            Err(TruthError::Io { .. })
        ));
    }
}
