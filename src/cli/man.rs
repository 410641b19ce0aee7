//! `shuffledet man`: manual pages of every subcommand.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::{Cli, Status};

#[derive(Debug, Args)]
#[command(after_help = "\
Existing pages of shuffledet in the folder are replaced. To read one: man -l DIR/shuffledet-replay.1")]
pub struct ManArgs {
    /// The folder for the pages: shuffledet.1, and one for each subcommand
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: &ManArgs) -> anyhow::Result<Status> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| folder.display().to_string())?;
    Ok(Status::Success)
}
