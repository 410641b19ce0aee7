//! `shuffledet-train export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tch::Device;

use super::data::{DataOptions, read_split};
use crate::data::folders::ClassFolders;
use crate::export::{Exported, Settings as ModelSettings, Thresholds, export_if};
use crate::fit::checkpoint::read_network;
use crate::fit::{ClassifierSettings, Settings, settings};
use crate::measure::classifier::{network_accuracy, product_accuracy};
use crate::measure::{Evaluator, Product};
use crate::net::{Head, Network};
use crate::run_files::RunFiles;

/// The largest difference of the AP, or of the share of right answers, through the product's path from that of the
/// trained network.
const TOLERANCE: f64 = 0.001;
/// The same with weights of 16 bits.
const HALF_TOLERANCE: f64 = 0.005;

const SCORE_THRESHOLD: f32 = 0.35;

/// Write the result of a run as an ONNX file, with the description that shuffledet reads beside it.
///
/// The file is tried before it gets its name: ONNX Runtime must compute what the network computes, and the AP on the
/// held-out pictures through the product's path must be that of the network, or a classifier's share of right answers.
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
    /// Default score threshold of a detector [default: 0.35]
    #[arg(long)]
    score_threshold: Option<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Which {
    Result,
    Trained,
    Start,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let files = RunFiles::new(&options.run);
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
    match network.description.head {
        Head::Classifier => classifier(options, &files, &network)?,
        _ => detector(options, &files, &network)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn detector(options: &Options, files: &RunFiles, network: &Network) -> anyhow::Result<()> {
    let settings: Settings = settings::read(&files.settings())?;
    tch::set_num_threads(settings.threads);
    let data = DataOptions {
        images: settings.images.clone(),
        val: settings.val.clone(),
        val_share: settings.val_share,
        pseudo: None,
    };
    let read = read_split(&settings.data, &data, &settings.description.classes)?;
    let evaluator = Evaluator::new(read.val(), &settings.description)?;
    let trained = evaluator.measure(network)?.ap();
    let model = options.model(
        Some(Thresholds {
            score: options.score_threshold.unwrap_or(SCORE_THRESHOLD),
            nms_iou: evaluator.nms_iou_threshold(),
        }),
        origin(&settings, options.weights),
    );
    let measure = |onnx: &Path| {
        let mut product = Product::open(onnx).context("the exported model does not open")?;
        let measured = evaluator.measure_with(|view| product.detect(view))?;
        Ok(measured.ap())
    };
    let (exported, product) = options.export(network, &model, trained, 0.0, "AP", measure)?;
    println!(
        "{}\nAP on {} held-out pictures: {trained:.4} trained, {product:.4} through the product's path; {}",
        written(&exported),
        evaluator.pictures(),
        difference(&exported)
    );
    Ok(())
}

fn classifier(options: &Options, files: &RunFiles, network: &Network) -> anyhow::Result<()> {
    if let Some(threshold) = options.score_threshold {
        bail!("--score-threshold {threshold}: a classifier has no threshold; leave the option out");
    }
    let settings: ClassifierSettings = settings::read(&files.settings())?;
    tch::set_num_threads(settings.threads);
    let data = ClassFolders::read(&settings.data, settings.val_share)?;
    if data.classes != network.description.classes {
        bail!(
            "{}: expected the folders {}, which the classifier was trained with, found {}",
            settings.data.display(),
            network.description.classes.join(", "),
            data.classes.join(", ")
        );
    }
    let trained = network_accuracy(network, &data.val)?;
    let made = format!("Trained from {} by shuffledet-train.", settings.from);
    let model = options.model(None, vec![made, data_line(&settings.data, settings.seed)]);
    let measure = |onnx: &Path| product_accuracy(onnx, &data.val);
    // rounding may turn the answer for one picture
    let one = 1.0 / data.val.len().max(1) as f64;
    let what = "share of right answers";
    let (exported, product) = options.export(network, &model, trained, one, what, measure)?;
    println!(
        "{}\nright on {} held-out pictures: {:.1} % trained, {:.1} % through the product's path; {}",
        written(&exported),
        data.val.len(),
        100.0 * trained,
        100.0 * product,
        difference(&exported)
    );
    Ok(())
}

impl Options {
    fn model(&self, thresholds: Option<Thresholds>, origin: Vec<String>) -> ModelSettings {
        let stem = self.output.file_stem().unwrap_or_default();
        ModelSettings {
            name: (self.name.clone()).unwrap_or_else(|| stem.to_string_lossy().into_owned()),
            thresholds,
            origin,
        }
    }

    /// Exports the network if `measure` gives the finished model about the figure `trained` of the network, and returns
    /// that figure too. It may differ by `further` beside the usual tolerance.
    fn export(
        &self,
        network: &Network,
        model: &ModelSettings,
        trained: f64,
        further: f64,
        what: &str,
        measure: impl FnOnce(&Path) -> anyhow::Result<f64>,
    ) -> anyhow::Result<(Exported, f64)> {
        let tolerance = further
            + match self.half {
                true => HALF_TOLERANCE,
                false => TOLERANCE,
            };
        let mut product = 0.0;
        let accept = |onnx: &Path| -> anyhow::Result<()> {
            product = measure(onnx)?;
            if (product - trained).abs() > tolerance {
                bail!(
                    "the {what} through the product's path is {product:.4}, of the trained network {trained:.4}; expected a difference of at most {tolerance:.4}; nothing was written, please report this"
                );
            }
            Ok(())
        };
        let exported = export_if(network, &self.output, model, self.half, accept)?;
        Ok((exported, product))
    }
}

fn written(exported: &Exported) -> String {
    format!(
        "{}: {} bytes, sha256 {}\n{}",
        exported.onnx.display(),
        exported.size_bytes,
        exported.sha256,
        exported.sidecar.display()
    )
}

fn difference(exported: &Exported) -> String {
    format!("outputs differ by at most {:.1e}", exported.difference)
}

fn origin(settings: &Settings, which: Which) -> Vec<String> {
    let made = match which {
        Which::Start => format!("The weights of {}, for these classes.", settings.from),
        Which::Trained => format!("Trained from {} by shuffledet-train.", settings.from),
        Which::Result => format!(
            "Trained from {} by shuffledet-train; {} trained, {} start.",
            settings.from,
            settings.blend,
            1.0 - settings.blend
        ),
    };
    vec![made, data_line(&settings.data, settings.seed)]
}

fn data_line(data: &Path, seed: u64) -> String {
    let data = data.file_name().unwrap_or_default().display();
    format!("Data: {data}; seed {seed}.")
}
