//! The images of a data set as frames: files of a folder, or messages of a recording.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::vec;

use shuffledet_bag::{BagError, Recording};
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{Frame, ImageTopics, Source, Transport};
use shuffledet_eval::{ImageSource, TruthImage, image_path};
use shuffledet_msg::cdr::CdrError;
use shuffledet_msg::{CompressedImageView, HeaderView};

/// Where the images are.
#[derive(Debug)]
pub enum Images {
    Folder(PathBuf),
    Recording(Recording),
}

/// An image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingImage {
    /// In the data set.
    pub index: u64,
    /// Why, as a text.
    pub reason: String,
}

impl MissingImage {
    /// No message has the stamp of the image.
    pub fn not_in_recording(index: u64) -> Self {
        let reason = "not in the recording".to_owned();
        MissingImage { index, reason }
    }
}

/// What reading the next image gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextImage {
    /// The frame holds the image, and [`Frame::image`] its index.
    Read,
    Missing(MissingImage),
    /// There is none left.
    End,
}

/// Reads images of a data set one after another.
pub enum ImageReader<'a> {
    Files(FileReader<'a>),
    Messages(Box<MessageReader>),
}

impl<'a> ImageReader<'a> {
    /// Opens those of `truth`, a data set whose images are in `images`, that have the indices `pending`.
    ///
    /// # Errors
    /// The recording cannot be opened.
    pub fn new(
        images: &'a Images,
        truth: &'a [TruthImage],
        pending: &[u64],
    ) -> Result<Self, BagError> {
        Ok(match images {
            Images::Folder(folder) => {
                ImageReader::Files(FileReader::new(folder, truth, pending.to_vec()))
            }
            Images::Recording(recording) => {
                let sources = pending
                    .iter()
                    .filter_map(|&index| Some((index, &truth.get(index as usize)?.source)));
                ImageReader::Messages(Box::new(MessageReader::new(recording, sources)?))
            }
        })
    }

    /// Fills `frame` with the next image.
    pub fn next_image(&mut self, frame: &mut Frame) -> Result<NextImage, BagError> {
        match self {
            ImageReader::Files(files) => Ok(files.next_image(frame)),
            ImageReader::Messages(messages) => messages.next_image(frame),
        }
    }

    /// Returns the number of topics that the images are on; files are as on one.
    pub fn cameras(&self) -> usize {
        match self {
            ImageReader::Files(_) => 1,
            ImageReader::Messages(messages) => messages.pending.len(),
        }
    }

    /// Returns what was wrong with the recording so far.
    pub fn warnings(&self) -> &[String] {
        match self {
            ImageReader::Files(_) => &[],
            ImageReader::Messages(messages) => messages.messages.warnings(),
        }
    }
}

/// Reads image files as messages.
pub struct FileReader<'a> {
    folder: &'a Path,
    images: &'a [TruthImage],
    pending: vec::IntoIter<u64>,
}

impl<'a> FileReader<'a> {
    fn new(folder: &'a Path, images: &'a [TruthImage], pending: Vec<u64>) -> Self {
        Self {
            folder,
            images,
            pending: pending.into_iter(),
        }
    }

    fn next_image(&mut self, frame: &mut Frame) -> NextImage {
        let Some(index) = self.pending.next() else {
            return NextImage::End;
        };
        frame.image = Some(index);
        frame.camera = 0;
        frame.transport = Transport::Compressed;
        let source = self.images.get(index as usize).map(|image| &image.source);
        let read = match source {
            Some(ImageSource::File { file_name }) => {
                wrap(&image_path(self.folder, file_name), frame)
            }
            _ => Err("is no file, but a message of a recording".to_owned()),
        };
        match read {
            Ok(()) => NextImage::Read,
            Err(reason) => NextImage::Missing(MissingImage { index, reason }),
        }
    }
}

/// Makes a message of the file's very bytes.
fn wrap(path: &Path, frame: &mut Frame) -> Result<(), String> {
    let file = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let image = CompressedImageView {
        header: HeaderView::default(),
        format: "",
        data: &file,
    };
    let too_long = |error: CdrError| format!("{}: {error}", path.display());
    image.write(&mut frame.message).map_err(too_long)
}

/// Reads the messages of a recording that are annotated and passes over the others.
pub struct MessageReader {
    messages: RecordingSource,
    /// By camera, the index of the image of each stamp that is still to come.
    pending: Vec<HashMap<i64, u64>>,
}

impl MessageReader {
    /// Opens the images of `pending`, each with its index. Topics that the recording does not have as images are left
    /// out, and their images missing.
    pub(super) fn new<'a>(
        recording: &Recording,
        pending: impl IntoIterator<Item = (u64, &'a ImageSource)>,
    ) -> Result<Self, BagError> {
        let mut by_topic: HashMap<&str, HashMap<i64, u64>> = HashMap::new();
        for (index, source) in pending {
            if let ImageSource::Message { topic, stamp_ns } = source {
                by_topic.entry(topic).or_default().insert(*stamp_ns, index);
            }
        }
        let (mut annotated, mut stamps) = (Vec::new(), Vec::new());
        for camera in ImageTopics::list(recording).cameras {
            if let Some(pending) = by_topic.remove(camera.topic.as_str()) {
                annotated.push(camera);
                stamps.push(pending);
            }
        }
        Ok(Self {
            messages: RecordingSource::new(recording, annotated, Duration::ZERO, None)?,
            pending: stamps,
        })
    }

    pub(super) fn next_image(&mut self, frame: &mut Frame) -> Result<NextImage, BagError> {
        while self.pending.iter().any(|stamps| !stamps.is_empty()) {
            if !self.messages.next_into(frame)? {
                return Ok(NextImage::End);
            }
            let stamps = &mut self.pending[frame.camera];
            if let Some(index) = stamps.remove(&frame.stamp.to_ns()) {
                frame.image = Some(index);
                return Ok(NextImage::Read);
            }
        }
        Ok(NextImage::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> TruthImage {
        TruthImage {
            id: 7,
            source: ImageSource::File {
                file_name: name.to_owned(),
            },
            width: 2,
            height: 1,
            objects: Vec::new(),
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_missing_and_the_next_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.jpg"), [0xff, 0xd8, 1, 2]).unwrap();
        let truth = [file("a.jpg"), file("b.jpg")];
        let images = Images::Folder(folder.path().to_owned());
        let mut reader = ImageReader::new(&images, &truth, &[0, 1]).unwrap();
        let mut frame = Frame::new();
        let NextImage::Missing(missing) = reader.next_image(&mut frame).unwrap() else {
            panic!("a.jpg is not there");
        };
        assert_eq!(missing.index, 0);
        assert!(
            missing.reason.contains("a.jpg: No such file"),
            "{missing:?}"
        );
        assert!(frame.frame_id.is_empty() && frame.message.is_empty());
        assert_eq!(reader.next_image(&mut frame).unwrap(), NextImage::Read);
        assert_eq!((frame.image, frame.sequence), (Some(1), 0));
        assert_eq!(
            CompressedImageView::parse(&frame.message).unwrap().data,
            [0xff, 0xd8, 1, 2]
        );
        assert_eq!(reader.next_image(&mut frame).unwrap(), NextImage::End);
    }
}
