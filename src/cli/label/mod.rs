//! `shuffledet label`: frames and detections for people to correct, and what they corrected.

mod export;
mod import;

use clap::Subcommand;

use super::Status;

#[derive(Debug, Subcommand)]
pub enum LabelCommand {
    /// Write frames of a recording with the model's detections, for a labelling tool
    Export(Box<export::ExportArgs>),
    /// Check corrected labels, and key them by topic and stamp again
    Import(import::ImportArgs),
}

/// Where the frames are in an exported folder, and where the annotations: as CVAT lays COCO out.
const IMAGES: &str = "images";
const ANNOTATIONS: &str = "annotations/instances_default.json";

pub fn run(command: &LabelCommand) -> anyhow::Result<Status> {
    match command {
        LabelCommand::Export(args) => export::run(args),
        LabelCommand::Import(args) => import::run(args),
    }
}
