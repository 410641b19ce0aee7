//! Pictures for a classifier: a folder for each class.

use std::path::{Path, PathBuf};

use shuffledet_core::sha256;
use shuffledet_image::folder::images_in;

use super::{DataError, Sample};

/// Pictures with the class of each.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassFolders {
    /// The names of the folders, sorted.
    pub classes: Vec<String>,
    pub train: Vec<(Sample, i64)>,
    pub val: Vec<(Sample, i64)>,
}

impl ClassFolders {
    /// Reads `folder`. Of each class about the share `held_out` is held out, chosen by the names of the files, at least
    /// one picture.
    ///
    /// # Errors
    /// There are fewer than two folders with two or more pictures each.
    pub fn read(folder: &Path, held_out: f64) -> Result<Self, DataError> {
        let io = |source| DataError::Io {
            path: folder.to_owned(),
            source,
        };
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && !hidden {
                folders.push(path);
            }
        }
        folders.sort();
        if folders.len() < 2 {
            return Err(DataError::Boxes {
                path: folder.to_owned(),
                problem: format!(
                    "expected a folder for each of at least two classes, found {}",
                    folders.len()
                ),
            });
        }
        let mut read = Self {
            classes: Vec::new(),
            train: Vec::new(),
            val: Vec::new(),
        };
        for (class, path) in (0..).zip(&folders) {
            let mut pictures = pictures(path)?;
            if pictures.len() < 2 {
                return Err(DataError::Boxes {
                    path: path.clone(),
                    problem: format!("expected at least two pictures, found {}", pictures.len()),
                });
            }
            let held =
                ((pictures.len() as f64 * held_out).round() as usize).clamp(1, pictures.len() - 1);
            let rest = pictures.split_off(held);
            read.val
                .extend(pictures.into_iter().map(|sample| (sample, class)));
            read.train
                .extend(rest.into_iter().map(|sample| (sample, class)));
            read.classes.push(
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        Ok(read)
    }
}

/// Returns the pictures of a folder in the order of the hash of their names.
fn pictures(folder: &Path) -> Result<Vec<Sample>, DataError> {
    let files = images_in(folder).map_err(|error| DataError::Images {
        path: folder.to_owned(),
        reason: error.to_string(),
    })?;
    let mut named: Vec<(String, Sample)> = files
        .into_iter()
        .map(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let sample = Sample {
                file_name: name.clone(),
                path,
                size: (0, 0),
                objects: Vec::new(),
                annotated: vec![true],
                scene: name.clone(),
            };
            (sha256(name.as_bytes()), sample)
        })
        .collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(named.into_iter().map(|(_, sample)| sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_folder_is_a_class() {
        let folder = tempfile::tempdir().unwrap();
        for class in ["red", "green"] {
            fs::create_dir(folder.path().join(class)).unwrap();
            for index in 0..10 {
                fs::write(folder.path().join(class).join(format!("{index}.png")), "").unwrap();
            }
        }
        let read = ClassFolders::read(folder.path(), 0.2).unwrap();
        assert_eq!(read.classes, ["green", "red"]);
        assert_eq!((read.train.len(), read.val.len()), (16, 4));
        fs::remove_dir_all(folder.path().join("red")).unwrap();
        let error = ClassFolders::read(folder.path(), 0.2)
            .unwrap_err()
            .to_string();
        assert!(error.contains("at least two classes, found 1"), "{error}");
    }
}
