//! The frames of an export: their file names, and one frame per camera and stamp.

use std::collections::{HashMap, HashSet};

use shuffledet_detector::pipeline::{Camera, Frame};
use shuffledet_eval::annotations::LabelledImage;
use shuffledet_msg::Stamp;

/// Names the frames of some cameras of a recording.
pub struct LabelledFrames {
    cameras: Vec<Camera>,
    /// Prefix of the file names by topic.
    prefixes: HashMap<String, String>,
    /// Camera and stamp of each frame so far.
    seen: HashSet<(usize, Stamp)>,
}

impl LabelledFrames {
    /// Names the frames of `cameras`. The names are the same for any selection from `all`, the
    /// cameras of the recording.
    pub fn new(cameras: &[Camera], all: &[Camera]) -> Self {
        Self {
            cameras: cameras.to_vec(),
            prefixes: prefixes(all),
            seen: HashSet::new(),
        }
    }

    /// Returns a frame of the given width and height as an image with the next id; `None` if its
    /// camera had a frame with this stamp before, because labels refer to the stamp.
    pub fn add(&mut self, frame: &Frame, (width, height): (u32, u32)) -> Option<LabelledImage> {
        if !self.seen.insert((frame.camera, frame.stamp)) {
            return None;
        }
        let topic = &self.cameras[frame.camera].topic;
        Some(LabelledImage {
            id: self.seen.len() as u64,
            file_name: file_name(&self.prefixes[topic], frame.stamp),
            width,
            height,
            topic: topic.clone(),
            stamp_ns: frame.stamp.to_ns(),
            frame_id: frame.frame_id.clone(),
        })
    }
}

/// Returns the prefix of the frames' file names for each topic: the topic with underscores instead
/// of slashes, and a number if another topic has the same prefix.
fn prefixes(cameras: &[Camera]) -> HashMap<String, String> {
    let mut taken = HashSet::new();
    cameras
        .iter()
        .map(|camera| {
            let plain = camera.topic.trim_matches('/').replace('/', "_");
            let mut prefix = plain.clone();
            let mut number = 1;
            while !taken.insert(prefix.clone()) {
                number += 1;
                prefix = format!("{plain}_{number}");
            }
            (camera.topic.clone(), prefix)
        })
        .collect()
}

/// Returns the file name of a frame.
fn file_name(prefix: &str, stamp: Stamp) -> String {
    format!("{prefix}_{}.{:09}.jpg", stamp.sec, stamp.nanosec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_detector::pipeline::Transport;

    #[test]
    fn no_two_cameras_have_one_prefix() {
        let cameras = ["/a/b_c", "/a_b/c", "/a/b/c"].map(|topic| Camera {
            topic: topic.to_owned(),
            transport: Transport::Raw,
        });
        let prefixes = prefixes(&cameras);
        let found = cameras.map(|camera| prefixes[&camera.topic].clone());
        assert_eq!(found, ["a_b_c", "a_b_c_2", "a_b_c_3"]);
        let stamp = Stamp { sec: 7, nanosec: 5 };
        assert_eq!(file_name("a", stamp), "a_7.000000005.jpg");
    }

    #[test]
    fn a_second_frame_with_a_stamp_is_left_out_and_takes_no_id() {
        let cameras = ["/left", "/right"].map(|topic| Camera {
            topic: topic.to_owned(),
            transport: Transport::Raw,
        });
        let mut frames = LabelledFrames::new(&cameras, &cameras);
        let mut frame = Frame::new();
        let ids = [(0, 1), (1, 1), (0, 1), (0, 2)].map(|(camera, sec)| {
            (frame.camera, frame.stamp.sec) = (camera, sec);
            frames.add(&frame, (4, 3)).map(|image| image.id)
        });
        assert_eq!(ids, [Some(1), Some(2), None, Some(3)]);
    }
}
