//! Lists the frames of a recording with the names of `label export`, without a model.

use std::collections::HashSet;
use std::path::Path;

use super::{file_name, prefixes};
use crate::cli::cameras::CameraSelection;
use shuffledet_bag::Recording;
use shuffledet_detector::pipeline::{Frame, ImageTopics, Source, Transport};
use shuffledet_eval::annotations::LabelledImage;
use shuffledet_image::size::size_of;
use shuffledet_msg::{CompressedImageView, ImageView};

/// Returns every frame of every camera, but only the first of each stamp. Skips frames without a
/// picture.
pub(super) fn frames_of(path: &Path) -> anyhow::Result<Vec<LabelledImage>> {
    let recording = Recording::open(path)?;
    let selected = CameraSelection::new(&recording, &[], path)?;
    let cameras = &selected.cameras;
    let prefixes = prefixes(&ImageTopics::of(&recording).cameras);
    let mut source = selected.filled_source(&recording, path)?;
    let (mut frame, mut seen, mut frames) = (Frame::new(), HashSet::new(), Vec::new());
    while source.next_into(&mut frame)? {
        if let Some((width, height)) = size(&frame)
            && seen.insert((frame.camera, frame.stamp))
        {
            let topic = &cameras[frame.camera].topic;
            frames.push(LabelledImage {
                id: frames.len() as u64 + 1,
                file_name: file_name(&prefixes[topic], frame.stamp),
                width,
                height,
                topic: topic.clone(),
                stamp_ns: frame.stamp.to_ns(),
                frame_id: frame.frame_id.clone(),
            });
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
