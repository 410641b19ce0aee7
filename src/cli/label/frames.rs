//! Lists the frames of a recording with the names of `label export`, without a model.

use std::path::Path;

use crate::cli::cameras::CameraSelection;
use shuffledet_bag::Recording;
use shuffledet_detector::pipeline::{Frame, ImageTopics, Source, Transport};
use shuffledet_eval::annotations::LabelledImage;
use shuffledet_harness::labelling::LabelledFrames;
use shuffledet_image::size::size_of;
use shuffledet_msg::{CompressedImageView, ImageView};

/// Returns every frame of every camera, but only the first of each stamp. Skips frames without a
/// picture.
pub(super) fn frames_of(path: &Path) -> anyhow::Result<Vec<LabelledImage>> {
    let recording = Recording::open(path)?;
    let selected = CameraSelection::new(&recording, &[], path)?;
    let all = ImageTopics::list(&recording).cameras;
    let mut labelled = LabelledFrames::new(&selected.cameras, &all);
    let mut source = selected.filled_source(&recording, path)?;
    let (mut frame, mut frames) = (Frame::new(), Vec::new());
    while source.next_into(&mut frame)? {
        if let Some(size) = size(&frame) {
            frames.extend(labelled.add(&frame, size));
        }
        frame.message.clear();
    }
    Ok(frames)
}

/// Returns width and height of a frame's image. Decodes the image if its header states no size.
fn size(frame: &Frame) -> Option<(u32, u32)> {
    if frame.transport == Transport::Raw {
        let image = ImageView::parse(&frame.message).ok()?;
        return Some((image.width, image.height));
    }
    let image = CompressedImageView::parse(&frame.message).ok()?;
    size_of(image.data).ok()
}
