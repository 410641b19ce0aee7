//! `shuffledet label`: exports frames for a labelling tool and imports the corrected labels.

mod export;
mod frames;
mod import;

use std::collections::{HashMap, HashSet};

use clap::Subcommand;

use super::Status;
use shuffledet_detector::pipeline::Camera;
use shuffledet_msg::Stamp;

#[derive(Debug, Subcommand)]
pub enum LabelCommand {
    /// Export frames of a recording with the model's detections for a labelling tool
    Export(Box<export::ExportArgs>),
    /// Check corrected labels and assign them to topics and stamps
    Import(import::ImportArgs),
}

/// The locations of frames and annotations in an exported folder, which follow CVAT's COCO layout.
const IMAGES: &str = "images";
const ANNOTATIONS: &str = "annotations/instances_default.json";

pub fn run(command: &LabelCommand) -> anyhow::Result<Status> {
    match command {
        LabelCommand::Export(args) => export::run(args),
        LabelCommand::Import(args) => import::run(args),
    }
}

/// Returns the prefix of the frames' file names for each topic: the topic with underscores instead
/// of slashes, and a number if another topic has the same prefix.
fn prefixes(cameras: &[Camera]) -> HashMap<String, String> {
    let mut taken = HashSet::new();
    let prefix = |camera: &Camera| {
        let plain = camera.topic.trim_matches('/').replace('/', "_");
        let mut prefix = plain.clone();
        let mut number = 1;
        while !taken.insert(prefix.clone()) {
            number += 1;
            prefix = format!("{plain}_{number}");
        }
        (camera.topic.clone(), prefix)
    };
    cameras.iter().map(prefix).collect()
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
        let camera = |topic: &str| Camera {
            topic: topic.to_owned(),
            transport: Transport::Raw,
        };
        let cameras = ["/a/b_c", "/a_b/c", "/a/b/c"].map(camera);
        let prefixes = prefixes(&cameras);
        let found = cameras.map(|camera| prefixes[&camera.topic].clone());
        assert_eq!(found, ["a_b_c", "a_b_c_2", "a_b_c_3"]);
        let stamp = Stamp { sec: 7, nanosec: 5 };
        assert_eq!(file_name("a", stamp), "a_7.000000005.jpg");
    }
}
