//! `shuffledet models cut`: makes a model with some of the classes of another.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::terminal;
use crate::cli::{Status, output_paths};
use shuffledet_core::whole_file;
use shuffledet_detector::detect::classes::ClassSelection;
use shuffledet_detector::model::subset::subset;
use shuffledet_detector::model::{Manifest, Model, ModelDescription};

#[derive(Debug, Args)]
#[command(after_help = "\
The description is written beside the file, as FILE.yaml. Families nanodet and nanodet_plus can be cut: their classes do \
not depend on each other.")]
pub struct CutArgs {
    /// Name of a model in the manifest, or path of an .onnx file
    #[arg(value_name = "NAME|PATH")]
    model: String,

    /// Names of classes and of class sets, such as road or car,bus
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',', required = true)]
    classes: Vec<String>,

    /// The ONNX file to write
    #[arg(long, value_name = "FILE.onnx")]
    output: PathBuf,

    /// Keep weights as 16-bit floats, which halves the file; the model still computes in 32 bits
    #[arg(long)]
    fp16: bool,

    /// Overwrite existing files
    #[arg(long)]
    force: bool,
}

pub fn run(args: &CutArgs) -> anyhow::Result<Status> {
    let (output, sidecar) = (&args.output, args.output.with_extension("yaml"));
    if output.extension().is_none_or(|ending| ending != "onnx") {
        let output = output.display();
        bail!("--output {output}: expected a name that ends in .onnx");
    }
    output_paths::check_file(output, args.force)?;
    output_paths::check_file(&sidecar, args.force)?;
    let model = Model::load(&args.model)?;
    let kept = class_ids(&args.classes, &model.description)
        .with_context(|| format!("--classes {}", args.classes.join(",")))?;
    let made = subset(&model, &kept, args.fp16)
        .with_context(|| format!("{}: its classes cannot be cut", args.model))?;
    // the result must be as usable as any other file with its description
    let description = Manifest::shipped()?.describe_sidecar(&made.sidecar, &sidecar)?;
    for (path, content) in [
        (output, &made.onnx[..]),
        (&sidecar, made.sidecar.as_bytes()),
    ] {
        let cannot_write = || format!("cannot write {}", path.display());
        whole_file::write(path, content).with_context(cannot_write)?;
    }
    let mut out = terminal::stdout();
    let (count, names) = (description.labels.count(), description.labels.names());
    let classes = if count == 1 { "class" } else { "classes" };
    let names: Vec<&str> = names.collect();
    writeln!(out, "{count} {classes}: {}", names.join(", "))?;
    let megabytes = made.onnx.len() as f64 / 1e6;
    writeln!(out, "wrote {} ({megabytes:.2} MB)", output.display())?;
    writeln!(out, "wrote {}", sidecar.display())?;
    Ok(Status::Success)
}

/// Returns the classes that `names` has, of a model, in the model's order.
fn class_ids(names: &[String], model: &ModelDescription) -> anyhow::Result<Vec<usize>> {
    let selection = ClassSelection::new(names, model)?;
    selection.log_absent(&model.name);
    let classes = 0..model.labels.count();
    Ok(classes.filter(|&class| selection.contains(class)).collect())
}
