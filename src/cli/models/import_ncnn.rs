//! `shuffledet models import-ncnn`: makes an ONNX file from a network of ncnn.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::width_and_height;
use crate::cli::terminal;
use crate::cli::{Status, output_paths};
use shuffledet_core::bounded_file::{self, MODEL_LIMIT};
use shuffledet_core::whole_file;
use shuffledet_onnx::inspect::inspect;
use shuffledet_onnx::ncnn::{self, InputSize};

#[derive(Debug, Args)]
#[command(after_help = "\
`shuffledet models describe` writes the description that the ONNX file needs. docs/models.md lists the supported layers.")]
pub struct ImportNcnnArgs {
    /// The layers, as text
    #[arg(value_name = "NET.param")]
    param: PathBuf,

    /// The weights: 16-bit or 32-bit floats
    #[arg(value_name = "NET.bin")]
    bin: PathBuf,

    /// The ONNX file to write
    #[arg(long, value_name = "NET.onnx")]
    output: PathBuf,

    /// Size of the input in pixels [default: the size in the .param file, if there is one]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = width_and_height)]
    input_size: Option<(u32, u32)>,

    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

pub fn run(args: &ImportNcnnArgs) -> anyhow::Result<Status> {
    let inputs = [args.param.as_path(), &args.bin].into_iter();
    let output = [("--output", args.output.as_path())].into_iter();
    output_paths::check_files(output, inputs, args.force)?;
    let (param, bin) = (read(&args.param)?, read(&args.bin)?);
    let size = args
        .input_size
        .map(|(width, height)| InputSize { width, height });
    let onnx = ncnn::import(&param, &bin, size).with_context(|| {
        let (param, bin) = (args.param.display(), args.bin.display());
        format!("{param} with {bin}")
    })?;
    let output = args.output.display();
    whole_file::write(&args.output, &onnx).with_context(|| format!("cannot write {output}"))?;
    let inspection = inspect(&onnx).with_context(|| output.to_string())?;
    let mut out = terminal::stdout();
    writeln!(out, "{output}\n{inspection}")?;
    Ok(Status::Success)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    bounded_file::read(path, MODEL_LIMIT).with_context(|| path.display().to_string())
}
