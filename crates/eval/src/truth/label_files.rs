//! Labels as text files in a folder, one for each image of the same stem: KITTI's and YOLO's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::TruthError;
use crate::problems::{Problem, Problems};
use shuffledet_core::count::counted;
use shuffledet_core::text;

/// Stem of a text file that annotation tools put into a folder of labels, and that is no image's.
pub(super) const CLASSES: &str = "classes";

/// The images of a folder. Whoever reads labels of them says which files are images, and how large they are: that takes
/// what decodes them.
#[derive(Clone, Copy)]
pub struct ImageFiles<'a> {
    pub folder: &'a Path,
    /// In the order in which they are evaluated.
    pub files: &'a [PathBuf],
    /// Width and height in pixels; `None` of a file that is no picture.
    pub size: &'a dyn Fn(&Path) -> Option<(u32, u32)>,
}

/// An image and the text of its labels.
pub(super) struct LabelledFile {
    pub image: PathBuf,
    pub file_name: String,
    pub labels: PathBuf,
    /// `None` where there is no file. What is no text in it is replaced by U+FFFD.
    pub text: Option<String>,
}

/// A line of labels.
pub(super) struct Line<'a> {
    /// The file and the line's number.
    pub place: String,
    pub fields: Vec<&'a str>,
    /// What is wrong with the line as text.
    pub problem: Option<&'static str>,
}

impl LabelledFile {
    /// Returns the lines that are not empty.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = lines_of(self.text.as_deref().unwrap_or_default());
        lines.map(|(number, line)| Line {
            place: format!("{}:{number}", self.labels.display()),
            fields: line.split_whitespace().collect(),
            problem: (line.contains(['\0', char::REPLACEMENT_CHARACTER]))
                .then_some("expected UTF-8, or UTF-16 with a byte order mark"),
        })
    }
}

/// Returns the lines that are not empty with their numbers. Any line may begin with a byte order
/// mark, because files may have been joined.
pub(super) fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| line.trim_start_matches('\u{feff}'));
    (1..).zip(lines).filter(|(_, line)| !line.trim().is_empty())
}

/// Reads the images in `folder` with their labels. Counts label files without an image.
pub(super) fn read(
    folder: &Path,
    images: ImageFiles<'_>,
    problems: &mut Problems,
) -> Result<Vec<LabelledFile>, TruthError> {
    let mut files = text_files(folder)?;
    let mut labelled: Vec<LabelledFile> = Vec::new();
    let mut seen = BTreeMap::new();
    for image in images.files {
        let Some(stem) = image.file_stem().map(OsStr::to_owned) else {
            continue;
        };
        let file_name = image.file_name().unwrap_or_default();
        let file_name = file_name.to_string_lossy().into_owned();
        let stem = key(&stem);
        if let Some(first) = seen.insert(stem.clone(), file_name.clone()) {
            let place = format!("{file_name}: has the labels of {first}");
            problems.add(Problem::DuplicateImage, place);
            seen.insert(stem, first);
            continue;
        }
        let (labels, text) = match files.remove(&stem) {
            Some(path) => {
                let bytes = fs::read(&path).map_err(TruthError::io(&path))?;
                (path, Some(text::decode_lossy(&bytes).into_owned()))
            }
            None => (folder.to_owned(), None),
        };
        labelled.push(LabelledFile {
            image: image.clone(),
            file_name,
            labels,
            text,
        });
    }
    if labelled.is_empty() {
        return Err(TruthError::Empty {
            path: images.folder.to_owned(),
            left_out: Problems::default(),
        });
    }
    if labelled.iter().all(|image| image.text.is_none()) {
        let image = labelled[0].file_name.as_str();
        return Err(TruthError::NoLabelFiles {
            path: folder.to_owned(),
            found: none_of_an_image(folder, &files, images.folder, image),
        });
    }
    for path in files.into_values() {
        let place = format!("{}: no image of that name", path.display());
        problems.add(Problem::UnknownImage, place);
    }
    Ok(labelled)
}

/// Describes a folder whose label files `files` belong to no image.
fn none_of_an_image(
    folder: &Path,
    files: &BTreeMap<OsString, PathBuf>,
    images: &Path,
    image: &str,
) -> String {
    match files.values().next() {
        Some(file) => format!(
            "{}, but none has the name of an image in {} ({} is one of its images, {} one of the files)",
            counted(files.len() as u64, ".txt file"),
            images.display(),
            image,
            file.file_name().unwrap_or_default().display()
        ),
        None => what_else(folder),
    }
}

/// Describes the content of a folder without label files.
pub(super) fn what_else(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let has_labels = |path: &&PathBuf| text_files(path).is_ok_and(|files| !files.is_empty());
    let within = paths.iter().filter(|path| path.is_dir()).find(has_labels);
    let first = paths.iter().find(|path| path.is_file());
    let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
    match (within, first) {
        (Some(within), _) => format!("none; give {}, which has some", within.display()),
        (None, Some(first)) => format!("none; {} is what it has", name(first)),
        (None, None) => "nothing".to_owned(),
    }
}

/// Returns the stem for comparison: in one normal form if it is text.
fn key(stem: &OsStr) -> OsString {
    stem.to_str().map_or_else(
        || stem.to_owned(),
        |stem| text::name(stem).into_owned().into(),
    )
}

/// Returns the label files in a folder by the [`key`] of their stems.
pub(super) fn text_files(folder: &Path) -> Result<BTreeMap<OsString, PathBuf>, TruthError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(TruthError::io(folder))? {
        let path = entry.map_err(TruthError::io(folder))?.path();
        let is_text = (path.extension()).is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
        if let Some(stem) = path.file_stem()
            && is_text
            && stem != CLASSES
            // macOS puts such files into archives
            && !stem.as_encoded_bytes().starts_with(b".")
            && path.is_file()
        {
            files.insert(key(stem), path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::image_files;

    #[test]
    fn images_and_labels_without_each_other_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (folder.path().join("i"), folder.path().join("l"));
        fs::create_dir(&images).unwrap();
        fs::create_dir(&labels).unwrap();
        let read = || {
            let mut problems = Problems::default();
            read(&labels, image_files(&images).as_files(), &mut problems)
                .map(|found| (found, problems))
        };
        assert!(matches!(read(), Err(TruthError::Empty { .. })));
        for name in ["a.b.png", "c.jpg", "c.png", "d.png"] {
            fs::write(images.join(name), "").unwrap();
        }
        fs::write(labels.join("e.txt"), "").unwrap();
        let refusal = |read: &dyn Fn() -> Result<(Vec<LabelledFile>, Problems), TruthError>| {
            let error = read().err().unwrap();
            assert!(error.yields_nothing());
            error.to_string()
        };
        let error = refusal(&read);
        assert!(
            error.contains("found 1 .txt file, but none has the name"),
            "{error}"
        );
        assert!(
            error.contains("a.b.png") && error.contains("e.txt"),
            "{error}"
        );
        fs::rename(labels.join("e.txt"), labels.join("e.xml")).unwrap();
        assert!(refusal(&read).contains("found none; e.xml is what it has"));
        fs::create_dir(labels.join("train")).unwrap();
        fs::write(labels.join("train/a.b.txt"), "").unwrap();
        assert!(refusal(&read).contains("l/train, which has some"));
        fs::rename(labels.join("e.xml"), labels.join("e.txt")).unwrap();
        for (name, text) in [
            ("a.b.txt", &b"1 2\n\n \xff 3\n"[..]),
            ("c.txt", b""),
            ("classes.txt", b"car"),
            ("._c.txt", b"\0\x05\x16\x07"),
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
        assert!(lines[1].place.ends_with("a.b.txt:3"), "{}", lines[1].place);
        assert!(lines[0].problem.is_none() && lines[1].problem.is_some());
        assert_eq!(problems.count(Problem::DuplicateImage), 1);
        assert_eq!(problems.count(Problem::UnknownImage), 1);
    }

    #[test]
    fn names_of_files_may_be_in_other_normal_forms() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stra\u{df}e_\u{e4}.png"), "").unwrap();
        fs::write(
            folder.path().join("stra\u{df}e_a\u{308}.TXT"),
            "\u{feff}1 2\r\n\u{feff}3\r",
        )
        .unwrap();
        let found = read(
            folder.path(),
            image_files(folder.path()).as_files(),
            &mut Problems::default(),
        )
        .unwrap();
        let fields: Vec<_> = found[0].lines().map(|line| line.fields.join(",")).collect();
        assert_eq!(fields, ["1,2", "3"]);
    }
}
