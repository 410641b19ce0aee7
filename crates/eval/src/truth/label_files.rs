//! Labels as text files in a folder, one for each image of the same stem: KITTI's and YOLO's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::TruthError;
use crate::problems::{Problem, Problems};
use shuffledet_image::folder::images_in;

/// Stem of a text file that annotation tools put into a folder of labels, and that is no image's.
pub(super) const CLASSES: &str = "classes";

/// An image and the text of its labels.
pub(super) struct Labelled {
    pub image: PathBuf,
    pub file_name: String,
    pub labels: PathBuf,
    /// `None` where there is no file. What is not UTF-8 in it is replaced, and makes its line malformed.
    pub text: Option<String>,
}

impl Labelled {
    /// The lines that are not empty, each with its place.
    pub fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        let lines = self.text.as_deref().unwrap_or_default().lines().zip(1..);
        lines
            .filter(|(line, _)| !line.trim().is_empty())
            .map(|(line, number)| (format!("{}:{number}", self.labels.display()), line))
    }
}

/// The images in `images`, in natural order, with their labels in `folder`. Files of labels without an image are counted.
pub(super) fn read(
    folder: &Path,
    images: &Path,
    problems: &mut Problems,
) -> Result<Vec<Labelled>, TruthError> {
    let mut files = text_files(folder)?;
    let mut labelled: Vec<Labelled> = Vec::new();
    let mut seen = BTreeMap::new();
    for image in images_in(images)? {
        let Some(stem) = image.file_stem().map(OsStr::to_owned) else {
            continue;
        };
        let file_name = image.file_name().unwrap_or_default();
        let file_name = file_name.to_string_lossy().into_owned();
        if let Some(first) = seen.insert(stem.clone(), file_name.clone()) {
            let place = format!("{file_name}: has the labels of {first}");
            problems.add(Problem::DuplicateImage, place);
            seen.insert(stem, first);
            continue;
        }
        let labels = folder.join(&stem).with_added_extension("txt");
        let text = match files.remove(&stem) {
            Some(path) => {
                let bytes = fs::read(&path).map_err(TruthError::io(&path))?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        labelled.push(Labelled {
            image,
            file_name,
            labels,
            text,
        });
    }
    if labelled.is_empty() {
        return Err(TruthError::Empty {
            path: images.to_owned(),
        });
    }
    if labelled.iter().all(|image| image.text.is_none()) {
        return Err(TruthError::NoLabelFiles {
            path: folder.to_owned(),
        });
    }
    for (_, path) in files.into_iter().filter(|(stem, _)| stem != CLASSES) {
        let place = format!("{}: no image of that name", path.display());
        problems.add(Problem::UnknownImage, place);
    }
    Ok(labelled)
}

/// The text files of a folder by their stems.
fn text_files(folder: &Path) -> Result<BTreeMap<OsString, PathBuf>, TruthError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(TruthError::io(folder))? {
        let path = entry.map_err(TruthError::io(folder))?.path();
        if path.extension() == Some(OsStr::new("txt"))
            && let Some(stem) = path.file_stem()
        {
            files.insert(stem.to_owned(), path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_labels_without_each_other_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (folder.path().join("i"), folder.path().join("l"));
        fs::create_dir(&images).unwrap();
        fs::create_dir(&labels).unwrap();
        let read = || {
            let mut problems = Problems::default();
            read(&labels, &images, &mut problems).map(|found| (found, problems))
        };
        assert!(matches!(read(), Err(TruthError::Empty { .. })));
        for name in ["a.b.png", "c.jpg", "c.png", "d.png"] {
            fs::write(images.join(name), "").unwrap();
        }
        fs::write(labels.join("e.txt"), "").unwrap();
        assert!(matches!(read(), Err(TruthError::NoLabelFiles { .. })));
        for (name, text) in [
            ("a.b.txt", &b"1 2\n\n \xff 3\n"[..]),
            ("c.txt", b""),
            ("classes.txt", b"car"),
        ] {
            fs::write(labels.join(name), text).unwrap();
        }
        let (found, problems) = read().unwrap();
        let texts: Vec<_> = (found.iter())
            .map(|image| (image.file_name.as_str(), image.text.is_some()))
            .collect();
        assert_eq!(
            texts,
            [("a.b.png", true), ("c.jpg", true), ("d.png", false)]
        );
        let lines: Vec<_> = found[0].lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].0.ends_with("a.b.txt:3"), "{lines:?}");
        assert_eq!(problems.count(Problem::DuplicateImage), 1);
        assert_eq!(problems.count(Problem::UnknownImage), 1);
    }
}
