//! `shuffledet models`: lists, fetches, verifies, inspects and describes models.

mod cut;
mod describe;
mod import_ncnn;
mod list;

use std::borrow::Cow;
use std::env;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::Status;
use crate::cli::terminal;
use shuffledet_core::bounded_file::{self, MODEL_LIMIT};
use shuffledet_core::{file_sha256, locations};
use shuffledet_detector::model::fetch::{self, Fetched};
use shuffledet_detector::model::manifest_file::ManifestFile;
use shuffledet_detector::model::{self, Manifest};
use shuffledet_onnx::input_size::resize;
use shuffledet_onnx::inspect::inspect;

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models of the manifest with their cost and accuracy, and the samples
    List,
    /// Fetch models and samples by name and check their sha256; write models that are built in
    Fetch(FetchArgs),
    /// Check the sha256 of the fetched files
    Verify,
    /// Print the path of a fetched file; a model that is built in is written to it first
    Path {
        /// Name of a model or sample in the manifest
        name: String,
    },
    /// Show the inputs, outputs, cost and ShuffleNet V2 units of an ONNX graph
    Inspect(InspectArgs),
    /// Write the description of an ONNX file as far as the file tells it, and try it on an image
    Describe(describe::DescribeArgs),
    /// Make an ONNX file from a network of ncnn: a .param and a .bin file
    ImportNcnn(import_ncnn::ImportNcnnArgs),
    /// Make a model that finds only some of the classes of another, with the same scores and boxes
    Cut(cut::CutArgs),
}

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Names of models or samples in the manifest [default: every model]
    names: Vec<String>,

    /// A folder or URL with the files, which is tried first [env: SHUFFLEDET_MODEL_MIRROR]
    #[arg(long, value_name = "FOLDER|URL")]
    from: Option<String>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Name of a model in the manifest, or path of an .onnx file
    #[arg(value_name = "NAME|PATH")]
    model: String,

    /// Show the graph rewritten for an input of this size in pixels, such as 640x192
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = width_and_height)]
    input_size: Option<(u32, u32)>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(command: &ModelsCommand) -> anyhow::Result<Status> {
    let manifest = Manifest::shipped()?;
    match command {
        ModelsCommand::List => list::run(&manifest),
        ModelsCommand::Fetch(args) => fetch_all(&manifest, args),
        ModelsCommand::Verify => verify(&manifest),
        ModelsCommand::Path { name } => {
            let (folder, file) = (locations::model_folder(), find(&manifest, name)?);
            let path = folder.join(&file.name);
            if file.built_in().is_some() {
                fetch::fetch(file, &folder, None, &|_, _| {})?;
            } else if !path.is_file() {
                let path = path.display();
                bail!("{name}: not found at {path}; get it with: shuffledet models fetch {name}");
            }
            writeln!(terminal::stdout(), "{}", path.display())?;
            Ok(Status::Success)
        }
        ModelsCommand::Inspect(args) => show(&manifest, args),
        ModelsCommand::Describe(args) => describe::run(&manifest, args),
        ModelsCommand::ImportNcnn(args) => import_ncnn::run(args),
        ModelsCommand::Cut(args) => cut::run(args),
    }
}

/// Returns every file of the manifest with its name.
fn files(manifest: &Manifest) -> impl Iterator<Item = (&str, &ManifestFile)> {
    let models = manifest
        .models
        .iter()
        .map(|model| (model.name.as_str(), &model.file));
    models.chain(
        manifest
            .samples
            .iter()
            .map(|sample| (sample.name.as_str(), &sample.file)),
    )
}

fn find<'a>(manifest: &'a Manifest, name: &str) -> anyhow::Result<&'a ManifestFile> {
    if let Some((_, file)) = files(manifest).find(|(known, _)| *known == name) {
        return Ok(file);
    }
    let known: Vec<_> = files(manifest).map(|(name, _)| name).collect();
    bail!(
        "unknown model or sample {name:?}; expected one of: {}",
        known.join(", ")
    )
}

fn fetch_all(manifest: &Manifest, args: &FetchArgs) -> anyhow::Result<Status> {
    let wanted: Vec<&ManifestFile> = if args.names.is_empty() {
        manifest.models.iter().map(|model| &model.file).collect()
    } else {
        args.names
            .iter()
            .map(|name| find(manifest, name))
            .collect::<anyhow::Result<_>>()?
    };
    let mirror = args
        .from
        .clone()
        .or_else(|| env::var("SHUFFLEDET_MODEL_MIRROR").ok());
    let mirror = mirror.filter(|mirror| !mirror.is_empty());
    let folder = locations::model_folder();
    let contact = |name: &str, address: &str| {
        let _ = writeln!(terminal::stderr(), "fetching {name} from {address}");
    };
    for file in wanted {
        let (path, fetched) = fetch::fetch(file, &folder, mirror.as_deref(), &contact)?;
        let origin = match fetched {
            Fetched::AlreadyThere => "already fetched".to_owned(),
            Fetched::From(origin) => format!("from {origin}"),
            Fetched::MadeFrom([param, bin]) => format!("made from {param} and {bin}"),
            Fetched::BuiltIn => "written from the program".to_owned(),
        };
        writeln!(terminal::stdout(), "{}  ({origin})", path.display())?;
    }
    Ok(Status::Success)
}

fn verify(manifest: &Manifest) -> anyhow::Result<Status> {
    let folder = locations::model_folder();
    let mut status = Status::Success;
    let mut out = terminal::stdout();
    for (name, file) in files(manifest) {
        let path = folder.join(&file.name);
        if !path.is_file() {
            let state = list::state(file, &folder);
            writeln!(out, "{name:<18} {state}")?;
            continue;
        }
        let found = file_sha256(&path)?;
        if found == file.sha256 {
            writeln!(out, "{name:<18} sha256 matches")?;
        } else {
            let expected = &file.sha256;
            writeln!(
                out,
                "{name:<18} sha256 DIFFERS: expected {expected}, found {found}"
            )?;
            writeln!(
                out,
                "{:<18} fetch it again with: shuffledet models fetch {name}",
                ""
            )?;
            status = Status::SomeFailed;
        }
    }
    Ok(status)
}

fn width_and_height(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x');
    let sides = sides.and_then(|(width, height)| width.parse().ok().zip(height.parse().ok()));
    sides.ok_or_else(|| {
        format!("expected a width and a height in pixels such as 640x192, found {text}")
    })
}

fn show(manifest: &Manifest, args: &InspectArgs) -> anyhow::Result<Status> {
    let (path, onnx) = if model::is_path(&args.model) {
        let path = PathBuf::from(&args.model);
        let onnx =
            bounded_file::read(&path, MODEL_LIMIT).with_context(|| path.display().to_string())?;
        (path, onnx)
    } else {
        let name = model::resolve(manifest, &args.model);
        model::entry_content(manifest.model(name)?)?
    };
    let onnx = match args.input_size {
        None => Cow::Borrowed(onnx.as_slice()),
        Some((width, height)) => resize(&onnx, width, height).with_context(|| {
            let path = path.display();
            format!("{path}: its input cannot have {width}x{height} pixels")
        })?,
    };
    let inspection = inspect(&onnx).with_context(|| path.display().to_string())?;
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&inspection)?)?;
    } else {
        writeln!(out, "{}\n{inspection}", path.display())?;
    }
    Ok(Status::Success)
}
