//! In which form annotations are, by how they look.

use std::path::Path;

use super::TruthError;
use super::label_files::{lines_of, text_files, what_else};
use super::{kitti, yolo};
use shuffledet_core::bounded_file::{self, TEXT_LIMIT};
use shuffledet_core::text;

/// A form of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Coco,
    Kitti,
    Yolo,
}

impl Format {
    pub const ALL: [Format; 3] = [Format::Coco, Format::Kitti, Format::Yolo];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Coco => "coco",
            Format::Kitti => "kitti",
            Format::Yolo => "yolo",
        }
    }

    /// Guesses the format. A file or a pipe is COCO's. In a folder of text files, the first line in
    /// the form of KITTI or YOLO decides.
    ///
    /// # Errors
    /// There are no lines, no line has either form, or the folder cannot be read.
    pub fn guess(path: &Path) -> Result<Self, TruthError> {
        // a pipe is no regular file
        if path.exists() && !path.is_dir() {
            return Ok(Format::Coco);
        }
        let files = text_files(path)?;
        let mut stranger = None;
        for file in files.values() {
            let bytes = bounded_file::read(file, TEXT_LIMIT).map_err(TruthError::io(file))?;
            for (number, line) in lines_of(&text::decode_lossy(&bytes)) {
                if let Some(format) = Self::of_line(line) {
                    return Ok(format);
                }
                stranger.get_or_insert_with(|| {
                    let shown: String = line.trim().chars().take(60).collect();
                    format!("{shown:?} in {}:{number}", file.display())
                });
            }
        }
        let path = path.to_owned();
        Err(match (stranger, files.len()) {
            (Some(found), _) => TruthError::UnknownFormat { path, found },
            (None, 0) => {
                let found = what_else(&path);
                TruthError::NoLabelFiles { path, found }
            }
            (None, count) => TruthError::AllEmpty {
                path,
                count: count as u64,
            },
        })
    }

    /// Returns the form of a line. A line of 15 numbers is a polygon of YOLO if all of them are
    /// shares of an image.
    fn of_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let kitti = kitti::object(&fields).is_ok();
        // with or without key points: how many there are matters only when the lines are read
        let yolo = yolo::class(fields[0]).is_some()
            && fields.len() >= 5
            && fields.iter().all(|field| field.parse::<f64>().is_ok());
        let share = |field: &&str| {
            field
                .parse()
                .is_ok_and(|share| (-0.5..=1.5).contains(&share))
        };
        match (kitti, yolo) {
            (true, true) if fields[1..].iter().all(share) => Some(Format::Yolo),
            (true, _) => Some(Format::Kitti),
            (false, true) => Some(Format::Yolo),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_first_line_that_is_understood_tells() {
        let folder = tempfile::tempdir().unwrap();
        let guess = |text: &str| {
            fs::write(folder.path().join("image.txt"), text).unwrap();
            Format::guess(folder.path())
        };
        let refusal = |text: &str| {
            let error = guess(text).unwrap_err();
            assert!(error.yields_nothing(), "{error}");
            error.to_string()
        };
        let error = Format::guess(folder.path()).unwrap_err();
        assert!(error.to_string().contains("found nothing"), "{error}");
        fs::write(folder.path().join("0.txt"), "\n").unwrap();
        fs::write(folder.path().join("classes.txt"), "car").unwrap();
        for (text, format) in [
            ("0 0.5 0.5 0.1 0.1 0.9\n", Format::Yolo),
            ("\u{feff}0 0.5 0.5 0.1 0.1\r\n", Format::Yolo),
            ("no label\n0 0.5 0.5 0.1 0.1\n", Format::Yolo),
            ("0 0.1 0.1 0.9 0.1 0.9 0.9\n", Format::Yolo),
            ("1 0 0 1 0 1 1 0 1 0.1 0.2 0.3 0.4 0.5 0.6\n", Format::Yolo),
            ("\nCar 0 0 0 1 1 9 9 1 1 1 1 1 1 0\n", Format::Kitti),
            ("1 0 0 -10 1 1 99 99 1 1 1 1 1 1 0 0.9\n", Format::Kitti),
        ] {
            assert_eq!(guess(text).unwrap(), format, "{text:?}");
        }
        let error = refusal("a b\n");
        assert!(
            error.contains("no line of the labels is valid") && error.contains("found \"a b\" in"),
            "{error}"
        );
        assert!(refusal("1 2 3 4 5 6 7 8 plane 0\n").contains("plane 0"));
        assert!(refusal(" \r\n").contains("every label file is empty (2)"));
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
