//! `shuffledet-train check`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::data::{DataOptions, classes, read_split};
use crate::data::check;

/// Find everything that spoils a training, by file and box, with what to do.
///
/// Ends with 1 if there are errors. Reads COCO's, YOLO's and KITTI's labels.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with labels.json and images, or with labels and images; or a file of annotations.
    data: PathBuf,
    /// A class set of the manifest, such as road, or names with commas between them; by default all of the labels.
    #[arg(long)]
    classes: Option<String>,
    #[command(flatten)]
    options: DataOptions,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let read = read_split(
        &options.data,
        &options.options,
        &classes(options.classes.as_deref())?,
    )?;
    let findings = check::check(&read.data, &read.split);
    print!("{findings}");
    println!(
        "{} pictures to learn from, {} held out, classes: {}",
        read.split.train.len(),
        read.split.val.len(),
        read.data.classes.join(", ")
    );
    if let Some(pseudo) = &read.pseudo {
        println!("{pseudo}");
    }
    if findings.is_empty() {
        println!("nothing is wrong");
    }
    Ok(match findings.has_errors() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
