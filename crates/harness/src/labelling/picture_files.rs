//! The pictures of a folder as frames.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::images::wrap;
use shuffledet_core::Failure;
use shuffledet_detector::pipeline::{Frame, Source, Transport};
use shuffledet_eval::annotations::LabelledImage;
use shuffledet_image::folder::{ImageFileError, images_in};

/// Reads the pictures of a folder one after another, in natural order. A file that cannot be read is
/// a frame that fails.
#[derive(Debug, Clone)]
pub struct PictureFiles {
    folder: PathBuf,
    names: PictureNames,
    next: usize,
}

/// The names of the pictures, by [`Frame::image`].
#[derive(Debug, Clone)]
pub struct PictureNames(Arc<[String]>);

/// Why a folder gives no pictures.
#[derive(Debug, Error)]
pub enum PictureFilesError {
    #[error(transparent)]
    Folder(#[from] ImageFileError),
    #[error("{}: expected pictures such as .jpg or .png in this folder, found none; name the folder that holds the files themselves", .0.display())]
    Empty(PathBuf),
    #[error("{}: the file's name is not UTF-8, which annotations cannot hold; rename it", .0.display())]
    Name(PathBuf),
}

impl PictureFiles {
    /// Opens every Nth picture of `folder`, beginning with the first; `n` is at least 1.
    ///
    /// # Errors
    /// The folder cannot be read, has no pictures, or one whose name is not UTF-8.
    pub fn open(folder: &Path, n: u64) -> Result<Self, PictureFilesError> {
        let files = images_in(folder)?;
        if files.is_empty() {
            return Err(PictureFilesError::Empty(folder.to_owned()));
        }
        let n = usize::try_from(n).unwrap_or(usize::MAX).max(1);
        let name = |file: PathBuf| match file.file_name().and_then(|name| name.to_str()) {
            Some(name) => Ok(name.to_owned()),
            None => Err(PictureFilesError::Name(file)),
        };
        let names: Result<_, _> = files.into_iter().step_by(n).map(name).collect();
        Ok(Self {
            folder: folder.to_owned(),
            names: PictureNames(names?),
            next: 0,
        })
    }

    pub fn names(&self) -> &PictureNames {
        &self.names
    }
}

impl PictureNames {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the name of a frame's picture; empty for a frame of another source.
    pub fn name(&self, frame: &Frame) -> &str {
        let index = frame.image.and_then(|image| usize::try_from(image).ok());
        index
            .and_then(|index| self.0.get(index))
            .map_or("", String::as_str)
    }

    /// Returns the picture of a frame of `size` (width, height) as a labelled image.
    pub fn labelled(&self, frame: &Frame, id: u64, (width, height): (u32, u32)) -> LabelledImage {
        LabelledImage {
            id,
            file_name: self.name(frame).to_owned(),
            width,
            height,
            message: None,
        }
    }
}

impl Source for PictureFiles {
    type Error = std::convert::Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Self::Error> {
        let Some(name) = self.names.0.get(self.next) else {
            return Ok(false);
        };
        frame.image = Some(self.next as u64);
        self.next += 1;
        frame.camera = 0;
        frame.transport = Transport::Compressed;
        if let Err(reason) = wrap(&self.folder.join(name), frame) {
            frame.message.clear();
            frame.unreadable = Some(Failure {
                reason: "unreadable_file",
                message: reason.into(),
            });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pictures_come_in_natural_order_and_one_that_is_gone_fails() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "9.jpg", "8.jpg", "a.txt"] {
            fs::write(folder.path().join(name), [0xff, 0xd8, 1, 2]).unwrap();
        }
        let mut files = PictureFiles::open(folder.path(), 2).unwrap();
        assert_eq!(files.names().count(), 2);
        fs::remove_file(folder.path().join("10.jpg")).unwrap();
        let names = files.names().clone();
        let mut found = Vec::new();
        let mut frame = Frame::new();
        while files.next_into(&mut frame).unwrap() {
            let failure = frame
                .unreadable
                .as_ref()
                .map(|failure| failure.message.to_string());
            found.push((names.labelled(&frame, 7, (4, 3)), failure));
            frame.reset();
        }
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].0.file_name.as_str(), &found[0].1),
            ("8.jpg", &None)
        );
        assert_eq!((found[0].0.id, found[0].0.width), (7, 4));
        assert_eq!(found[1].0.file_name, "10.jpg");
        assert!(
            found[1]
                .1
                .as_ref()
                .unwrap()
                .contains("10.jpg: No such file")
        );
    }

    #[test]
    fn a_folder_without_pictures_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| PictureFiles::open(path, 1).err().unwrap().to_string();
        assert!(error(folder.path()).contains("found none"));
        assert!(error(&folder.path().join("gone")).contains("gone: No such file"));
    }
}
