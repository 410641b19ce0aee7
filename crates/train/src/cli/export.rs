//! `shuffledet-train export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tch::Device;

use super::data::{DataOptions, read_split};
use crate::export::{Settings as ModelSettings, export_if};
use crate::fit::Settings;
use crate::fit::checkpoint::read_network;
use crate::measure::{Evaluator, Product};
use crate::net::Head;
use crate::run_files::RunFiles;

/// The largest difference of the AP through the product's path from that of the trained network.
const TOLERANCE: f64 = 0.001;
/// The same with weights of 16 bits.
const HALF_TOLERANCE: f64 = 0.005;

/// Write the result of a run as an ONNX file, with the description that shuffledet reads beside it.
///
/// The file is tried before it gets its name: ONNX Runtime must compute what the network computes, and the AP on the
/// held-out pictures through the product's path must be that of the network.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder of the run.
    run: PathBuf,
    /// The ONNX file; the description gets the same name with .yaml.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Weights of the run: the blended result, the best trained ones, or those of the start.
    #[arg(long, value_name = "WHICH", default_value = "result")]
    weights: Which,
    /// Name of the model; by default that of the file.
    #[arg(long)]
    name: Option<String>,
    /// Keep weights in 16 bits, which halves the file.
    #[arg(long)]
    half: bool,
    /// Default score threshold of the model.
    #[arg(long, default_value_t = 0.35)]
    score_threshold: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Which {
    Result,
    Trained,
    Start,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let files = RunFiles::new(&options.run);
    let settings = Settings::read(&files.settings())?;
    let weights = match options.weights {
        Which::Result => files.result(),
        Which::Trained => files.best(),
        Which::Start => files.start(),
    };
    if !weights.exists() {
        bail!(
            "{}: the run has no {}; finish it with: shuffledet-train detect --resume --output {}",
            files.folder.display(),
            weights.file_name().unwrap_or_default().display(),
            files.folder.display()
        );
    }
    let network = read_network(&weights, Device::Cpu)?;
    tch::set_num_threads(settings.threads);
    let data = DataOptions {
        images: settings.images.clone(),
        val: settings.val.clone(),
        val_share: settings.val_share,
        pseudo: None,
    };
    let read = read_split(&settings.data, &data, &settings.description.classes)?;
    let evaluator = Evaluator::new(read.val(), &settings.description)?;
    let trained = evaluator.measure(&network)?.ap();
    let stem = options
        .output
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let model = ModelSettings {
        name: options.name.clone().unwrap_or_else(|| stem.into_owned()),
        score_threshold: options.score_threshold,
        nms_iou_threshold: evaluator.nms_iou_threshold(),
        origin: origin(&settings, options.weights),
    };
    let tolerance = if options.half {
        HALF_TOLERANCE
    } else {
        TOLERANCE
    };
    let mut product = 0.0;
    let exported = export_if(
        &network,
        &options.output,
        &model,
        options.half,
        |onnx| -> anyhow::Result<()> {
            product = accepted(onnx, &evaluator, trained, tolerance)?;
            Ok(())
        },
    )?;
    println!(
        "{}: {} bytes, sha256 {}\n{}\nAP on {} held-out pictures: {trained:.4} trained, {product:.4} through the product's path; outputs differ by at most {:.1e}",
        exported.onnx.display(),
        exported.size_bytes,
        exported.sha256,
        exported.sidecar.display(),
        evaluator.pictures(),
        exported.difference
    );
    Ok(ExitCode::SUCCESS)
}

/// Measures the exported model as the product runs it.
fn accepted(
    onnx: &Path,
    evaluator: &Evaluator,
    trained: f64,
    tolerance: f64,
) -> anyhow::Result<f64> {
    let mut product = Product::open(onnx).context("the exported model does not open")?;
    let ap = evaluator.measure_with(|view| product.detect(view))?.ap();
    if (ap - trained).abs() > tolerance {
        bail!(
            "the AP through the product's path is {ap:.4}, of the trained network {trained:.4}; expected a difference of at most {tolerance}; nothing was written, please report this"
        );
    }
    Ok(ap)
}

fn origin(settings: &Settings, which: Which) -> Vec<String> {
    let made = match (which, settings.description.head) {
        (Which::Start, _) => format!("The weights of {}, for these classes.", settings.from),
        (_, Head::Classifier) | (Which::Trained, _) => {
            format!("Trained from {} by shuffledet-train.", settings.from)
        }
        (Which::Result, _) => format!(
            "Trained from {} by shuffledet-train; {} trained, {} start.",
            settings.from,
            settings.blend,
            1.0 - settings.blend
        ),
    };
    let data = settings.data.file_name().unwrap_or_default().display();
    vec![made, format!("Data: {data}; seed {}.", settings.seed)]
}
