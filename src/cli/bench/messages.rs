//! The input of the measurements: messages in memory.

use std::path::Path;

use anyhow::{Context, bail};

use crate::cli::cameras::CameraSelection;
use shuffledet_bag::Recording;
use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};
use shuffledet_detector::pipeline::{Frame, Source, Transport};
use shuffledet_image::folder::images_in;
use shuffledet_msg::{CompressedImageView, HeaderView};

/// A message in memory.
pub struct Message {
    transport: Transport,
    log_time_ns: u64,
    bytes: Vec<u8>,
}

impl Message {
    /// Fills `frame` with the message, as a source does.
    pub fn fill(&self, frame: &mut Frame) {
        frame.transport = self.transport;
        frame.log_time_ns = self.log_time_ns;
        frame.message.extend_from_slice(&self.bytes);
        frame.read_header();
    }
}

/// Reads at most `limit` messages of the recording or folder at `path`, and at least one.
pub fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<Message>> {
    let pictures = if path.is_dir() {
        images_in(path)?
    } else {
        Vec::new()
    };
    let messages = if pictures.is_empty() {
        read_recording(path, limit)?
    } else {
        pictures
            .iter()
            .take(limit as usize)
            .map(|path| from_picture(path))
            .collect::<anyhow::Result<_>>()?
    };
    if messages.is_empty() {
        bail!(
            "{}: expected a recording or folder with images, found none",
            path.display()
        );
    }
    Ok(messages)
}

/// Converts the picture to a message, as a camera sends it.
fn from_picture(path: &Path) -> anyhow::Result<Message> {
    let data =
        bounded_file::read(path, PICTURE_LIMIT).with_context(|| path.display().to_string())?;
    let image = CompressedImageView {
        header: HeaderView::default(),
        format: "",
        data: &data,
    };
    let mut bytes = Vec::new();
    image.write(&mut bytes)?;
    Ok(Message {
        transport: Transport::Compressed,
        log_time_ns: 0,
        bytes,
    })
}

fn read_recording(path: &Path, limit: u64) -> anyhow::Result<Vec<Message>> {
    let recording = Recording::open(path)?;
    let selected = CameraSelection::new(&recording, &[], path)?;
    let mut source = selected.filled_source(&recording, path)?;
    let mut messages = Vec::new();
    let mut frame = Frame::new();
    while (messages.len() as u64) < limit && source.next_into(&mut frame)? {
        let bytes = std::mem::take(&mut frame.message);
        let (transport, log_time_ns) = (frame.transport, frame.log_time_ns);
        messages.push(Message {
            transport,
            log_time_ns,
            bytes,
        });
    }
    Ok(messages)
}
