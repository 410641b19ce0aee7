//! `shuffledet label`: exports frames for a labelling tool and imports the corrected labels.

mod export;
mod frames;
mod import;

use clap::Subcommand;

use super::Status;

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
