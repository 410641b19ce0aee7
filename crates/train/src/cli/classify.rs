//! `shuffledet-train classify`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use shuffledet_core::Resolution;
use tch::Device;

use crate::data::folders::ClassFolders;
use crate::fit::classifier::train;
use crate::fit::{ClassifierSettings, Length, settings};
use crate::measure::classifier::network_accuracy;
use crate::net::{Description, Head};
use crate::run_files::RunFiles;
use crate::weights::{Origin, save};

/// Train a classifier from a folder for each class.
///
/// Writes the result into a folder, which `shuffledet-train export` makes a model of.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with a folder of pictures for each class.
    data: PathBuf,
    /// Weights of the backbone: torchvision's shufflenet_v2_x0_5 to x2_0, a .pth file, a checkpoint or a model.
    #[arg(long, value_name = "BACKBONE")]
    from: String,
    /// Folder of the run.
    #[arg(long, short, value_name = "RUN")]
    output: PathBuf,
    /// Minutes that the training takes.
    #[arg(
        long,
        value_name = "MINUTES",
        default_value_t = 5.0,
        conflicts_with = "epochs"
    )]
    minutes: f64,
    /// Passes over the pictures.
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Size of the network's input.
    #[arg(long, value_name = "WxH", default_value = "64x64")]
    input_size: Resolution,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Share of the pictures that is held out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    val_share: f64,
    /// Pictures in a step.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// Learning rate of the class layer; the backbone has a tenth of it.
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    learning_rate: f64,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let files = RunFiles::new(&options.output);
    if files.settings().exists() {
        bail!(
            "{}: has a run already; name another folder with --output",
            files.folder.display()
        );
    }
    let data = ClassFolders::read(&options.data, options.val_share)?;
    eprintln!(
        "{} pictures to learn from, {} held out; classes: {}",
        data.train.len(),
        data.val.len(),
        data.classes.join(", ")
    );
    let origin = Origin::read(&options.from)?;
    let mut description = Description::new(
        Head::Classifier,
        origin.description.width,
        data.classes.clone(),
        options.input_size,
    );
    // the backbone expects the colours that it was trained with
    description.input = origin.description.input.at(options.input_size);
    tch::manual_seed(options.seed as i64);
    let start = origin.start(&description, Device::cuda_if_available())?;
    let settings = ClassifierSettings {
        data: std::path::absolute(&options.data).unwrap_or_else(|_| options.data.clone()),
        val_share: options.val_share,
        from: options.from.clone(),
        length: options
            .epochs
            .map_or(Length::Minutes(options.minutes), Length::Epochs),
        seed: options.seed,
        batch_size: options.batch.max(1),
        learning_rate: options.learning_rate,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get() as i32),
    };
    let network = train(&start, &data, &settings, &|line| eprintln!("{line}"))?;
    settings::write(&files.settings(), &settings)?;
    save(&network, &files.result())?;
    println!(
        "{:.1} % of {} held-out pictures are right\nThe result is in {2}; make a model of it with: shuffledet-train export {2} --output MODEL.onnx",
        100.0 * network_accuracy(&network, &data.val)?,
        data.val.len(),
        files.folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
