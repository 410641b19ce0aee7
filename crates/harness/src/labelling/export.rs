//! Writes frames with their detections for a labelling tool.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::LabelledFrames;
use shuffledet_core::whole_file;
use shuffledet_detector::pipeline::{Frame, Transport, worker::decode};
use shuffledet_eval::annotations::Annotations;
use shuffledet_eval::pre_annotations::PreAnnotations;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{DecodeError, ImageDecoder, ImageLimits};
use shuffledet_msg::CompressedImageView;

/// JPEG quality for frames that are not JPEG yet: labels follow edges, which must stay sharp.
const JPEG_QUALITY: i32 = 95;

/// Writes the pictures, and collects the annotations.
pub struct FrameExport<'a> {
    folder: PathBuf,
    frames: LabelledFrames,
    annotations: PreAnnotations<'a>,
    decoder: ImageDecoder,
    encoder: JpegEncoder,
}

/// The result of exporting a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    Written,
    /// Left out: its camera had a frame with this stamp before.
    RepeatedStamp,
    /// Left out: it has no picture.
    NoPicture,
}

/// Why a frame was not exported.
#[derive(Debug, Error)]
pub enum FrameExportError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// It cannot be decoded, after it was decoded for the model.
    #[error("{0}")]
    Picture(String),
    #[error(transparent)]
    Encoder(#[from] DecodeError),
}

impl<'a> FrameExport<'a> {
    /// Prepares an export of pictures to `folder`. Images beyond `limits` are not exported.
    ///
    /// # Errors
    /// libjpeg-turbo fails.
    pub fn new(
        folder: PathBuf,
        frames: LabelledFrames,
        annotations: PreAnnotations<'a>,
        limits: ImageLimits,
    ) -> Result<Self, FrameExportError> {
        let mut decoder = ImageDecoder::new();
        decoder.set_limits(limits);
        Ok(Self {
            folder,
            frames,
            annotations,
            decoder,
            encoder: JpegEncoder::new(JPEG_QUALITY).map_err(DecodeError::from)?,
        })
    }

    /// Writes the picture of a published frame and annotates it with the frame's detections.
    ///
    /// # Errors
    /// The picture cannot be decoded, encoded or written.
    pub fn add(&mut self, frame: &Frame) -> Result<Exported, FrameExportError> {
        let Some(size) = frame.size else {
            return Ok(Exported::NoPicture);
        };
        let Some(image) = self.frames.add(frame, size) else {
            return Ok(Exported::RepeatedStamp);
        };
        let path = self.folder.join(&image.file_name);
        let jpeg = self.jpeg(frame)?;
        whole_file::write(&path, jpeg).map_err(|source| FrameExportError::Io { path, source })?;
        self.annotations.add(image, &frame.detections);
        Ok(Exported::Written)
    }

    /// Returns the annotations of the frames written so far.
    pub fn annotations(&self) -> &Annotations {
        self.annotations.annotations()
    }

    /// Removes the pictures of an earlier export that this one does not contain, so that nobody
    /// labels them.
    ///
    /// # Errors
    /// A picture cannot be removed.
    pub fn remove_others(&self, earlier: &Annotations) -> Result<(), FrameExportError> {
        let written = self.annotations().images.iter();
        let written: HashSet<&str> = written.map(|image| image.file_name.as_str()).collect();
        // pictures of a folder are the user's own
        let frames = earlier.images.iter();
        for image in frames.filter(|image| image.message.is_some()) {
            let name = Path::new(&image.file_name);
            // only files in this folder, whatever path the file states
            if written.contains(image.file_name.as_str())
                || name.file_name() != Some(name.as_os_str())
            {
                continue;
            }
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(FrameExportError::Io { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the frame as a JPEG file: its own bytes if it is one.
    fn jpeg(&mut self, frame: &Frame) -> Result<Vec<u8>, FrameExportError> {
        if frame.transport == Transport::Compressed
            && let Ok(view) = CompressedImageView::parse(&frame.message)
            && view.data.starts_with(b"\xff\xd8")
        {
            return Ok(view.data.to_vec());
        }
        let image = decode(&mut self.decoder, frame.transport, &frame.message);
        let image = image.map_err(|f| FrameExportError::Picture(f.message.into_owned()))?;
        Ok(self.encoder.encode(&image).map_err(DecodeError::from)?)
    }
}
