//! `shuffledet-train detect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use shuffledet_core::Resolution;
use tch::Device;

use super::data::{DataOptions, SplitData, classes, read_split};
use crate::augment::Augmentation;
use crate::data::{DataLocation, read};
use crate::fit::run::{TrainingData, train};
use crate::fit::{Length, Settings, settings};
use crate::measure::Evaluator;
use crate::net::{Description, Head};
use crate::run_files::RunFiles;
use crate::weights::{Origin, Start};

/// How much wider than the pictures an input for training may be.
const NEAR: f64 = 1.15;

/// Train a detector from the weights of another.
///
/// Writes the run into a folder: checkpoints, log.csv, TensorBoard's events, report.html and the result, which
/// `shuffledet-train export` makes a model of.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with labels.json and images, or with labels and images; or a file of annotations.
    #[arg(required_unless_present = "resume")]
    data: Option<PathBuf>,
    /// Weights to start from: a model of the manifest, an .onnx file with its description, a .pth file, a checkpoint, or
    /// torchvision's shufflenet_v2_x0_5 to x2_0.
    #[arg(long, value_name = "MODEL", default_value = "nanodet_plus_m_416")]
    from: String,
    /// A class set of the manifest, such as road, or names with commas between them; by default all of the labels.
    #[arg(long)]
    classes: Option<String>,
    /// Folder of the run.
    #[arg(long, short, value_name = "RUN")]
    output: PathBuf,
    #[command(flatten)]
    length: LengthOptions,
    /// Size of the network's input, such as 416x416; by default that of the start.
    #[arg(long, value_name = "WxH")]
    input_size: Option<Resolution>,
    /// Sizes of the inputs while training, with commas between them; by default about the pixels of the input's size, from
    /// its aspect to that of the pictures.
    #[arg(long, value_name = "WxH,...", value_delimiter = ',')]
    train_sizes: Vec<Resolution>,
    /// Part of the network that keeps its weights.
    #[arg(long, value_name = "PART")]
    freeze: Option<Frozen>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    data_options: DataOptions,
    /// A general data set; the AP on it shows what the network forgets.
    #[arg(long, value_name = "DATA")]
    keep: Option<PathBuf>,
    /// Share of the trained weights in the result; the rest is the start's [default: 0.5, or 1 if
    /// the start does not know a class]
    #[arg(long, value_name = "SHARE")]
    blend: Option<f64>,
    /// Pictures in a step.
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch: usize,
    /// Learning rate of the head; the backbone has half of it.
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    learning_rate: f64,
    /// Evaluations without a better AP after which the run ends.
    #[arg(long, value_name = "N", default_value_t = 8)]
    patience: u32,
    /// How often four pictures are joined into one, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    mosaic: f32,
    /// Train NanoDet-Plus's auxiliary head too, which guides the assignment of boxes; by default if the head is fresh.
    #[arg(long)]
    auxiliary: bool,
    /// Threads of the computation; by default one for each core. Results depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<i32>,
    /// Continue the run in the folder where it was cut off; its own settings count.
    #[arg(long)]
    resume: bool,
}

/// How long the run is.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct LengthOptions {
    /// Minutes that the run takes, with all evaluations; 20 by default.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// Passes over the pictures.
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Steps of the optimiser.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Frozen {
    Backbone,
}

pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    let files = RunFiles::new(&options.output);
    let say = |line: &str| eprintln!("{line}");
    let device = Device::cuda_if_available();
    if options.resume {
        let settings: Settings = settings::read(&files.settings())?;
        let data = training_data(&settings, &say)?;
        let network = crate::fit::checkpoint::read_network(&files.start(), device)?;
        train(&settings, &files, &data, network, true, &say)?;
        return Ok(ExitCode::SUCCESS);
    }
    if files.last().exists() {
        bail!(
            "{}: has a run already; continue it with --resume, or name another folder with --output",
            files.folder.display()
        );
    }
    let origin = Origin::read(&options.from)?;
    let (mut settings, start) = prepare(options, &origin, device)?;
    say_start(&start, &settings, &say);
    let data = training_data(&settings, &say)?;
    if settings.augmentation.sizes.is_empty() {
        let native = settings.description.input.resolution();
        let sizes = data.train.iter().map(|sample| sample.size);
        let pictures: Vec<(u32, u32)> = sizes.filter(|&(width, _)| width > 0).collect();
        settings.augmentation.sizes = training_sizes(native, &pictures);
    }
    settings::write(&files.settings(), &settings)?;
    train(&settings, &files, &data, start.network, false, &say)?;
    say(&format!(
        "The result is in {0}; make a model of it with: shuffledet-train export {0} --output MODEL.onnx",
        files.folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Settles the settings, and makes the network that the run starts with.
fn prepare(options: Options, origin: &Origin, device: Device) -> anyhow::Result<(Settings, Start)> {
    let data_path = options.data.context("expected DATA")?;
    let mut names = classes(options.classes.as_deref())?;
    if names.is_empty() {
        let location = DataLocation::find(&data_path, options.data_options.images.as_deref())?;
        names = read(&location, &[])?.classes;
    }
    let mut description = describe(origin, names, options.input_size);
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    tch::manual_seed(options.seed as i64);
    let mut start = origin.start(&description, device)?;
    let head_is_fresh = start
        .fresh
        .iter()
        .any(|name| name.starts_with("head.") && !name.contains("last"));
    if description.head == Head::NanoDetPlus && (options.auxiliary || head_is_fresh) {
        description.auxiliary = true;
        start = origin.start(&description, device)?;
    }
    description.clone_from(&start.network.description);
    // without sizes, the pictures decide
    let mut augmentation = Augmentation::new(options.train_sizes);
    augmentation.mosaic = options.mosaic;
    let threads = options
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get() as i32));
    // the start has random weights for a class that it does not know: half of them finds nothing
    let knows_all = description
        .classes
        .iter()
        .all(|class| start.kept_classes.contains(class));
    let usual_blend = if knows_all { 0.5 } else { 1.0 };
    let settings = Settings {
        data: absolute(data_path),
        images: options.data_options.images.map(absolute),
        val: options.data_options.val.map(absolute),
        val_share: options.data_options.val_share,
        pseudo: options.data_options.pseudo.map(absolute),
        keep: options.keep.map(absolute),
        from: options.from,
        length: match (
            options.length.minutes,
            options.length.epochs,
            options.length.steps,
        ) {
            (_, Some(epochs), _) => Length::Epochs(epochs),
            (_, _, Some(steps)) => Length::Steps(steps),
            (minutes, ..) => Length::Minutes(minutes.unwrap_or(20.0)),
        },
        seed: options.seed,
        batch_size: options.batch.max(1),
        learning_rate: options.learning_rate,
        backbone_learning_rate: options.learning_rate / 2.0,
        weight_decay: 0.05,
        clip: 10.0,
        frozen_backbone: options.freeze == Some(Frozen::Backbone),
        // with few steps the norms of a trained detector are better left alone
        batch_norms: head_is_fresh || description.auxiliary,
        blend: options.blend.unwrap_or(usual_blend).clamp(0.0, 1.0),
        patience: options.patience.max(1),
        threads: threads.max(1),
        augmentation,
        description,
    };
    Ok((settings, start))
}

/// Describes a network with the head and preprocessing of the origin for other classes.
fn describe(origin: &Origin, classes: Vec<String>, size: Option<Resolution>) -> Description {
    let of = &origin.description;
    let size = size.unwrap_or(of.input.resolution());
    match of.head {
        // a backbone alone gets the head that is trained with it
        Head::Classifier => Description::new(Head::NanoDetPlus, of.width, classes, size),
        _ => Description {
            classes,
            input: of.input.at(size),
            auxiliary: false,
            ..of.clone()
        },
    }
}

/// Returns sizes of about the pixels of `native`: `native` twice, then others from its aspect to those of `pictures`
/// (width, height), which the product gives them too. The widest and the narrowest twentieth do not count.
fn training_sizes(native: Resolution, pictures: &[(u32, u32)]) -> Vec<Resolution> {
    let aspect = |width: u32, height: u32| f64::from(width.max(1)) / f64::from(height.max(1));
    let native_aspect = aspect(native.width, native.height);
    let mut ratios: Vec<f64> = pictures
        .iter()
        .map(|&(width, height)| aspect(width, height) / native_aspect)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let twentieth = ratios.len() / 20;
    let outermost = [
        ratios.get(twentieth),
        ratios.get(ratios.len().saturating_sub(1 + twentieth)),
    ];
    let [narrowest, widest] = outermost.map(|ratio| ratio.copied().unwrap_or(1.0));
    let step = Resolution::STEP;
    let rounded = |side: f64| {
        ((side / f64::from(step)).round() as u32 * step).clamp(2 * step, Resolution::MOST)
    };
    let mut sizes = vec![native, native];
    // the width grows by the factor, the height shrinks by it
    for factor in [1.2, 1.4, 1.7, 2.0] {
        let ratio = factor * factor;
        for (factor, is_near) in [
            (factor, ratio <= widest * NEAR),
            (1.0 / factor, ratio <= NEAR / narrowest),
        ] {
            if is_near {
                sizes.push(Resolution {
                    width: rounded(f64::from(native.width) * factor),
                    height: rounded(f64::from(native.height) / factor),
                });
            }
        }
    }
    sizes
}

fn training_data(settings: &Settings, say: &dyn Fn(&str)) -> anyhow::Result<TrainingData> {
    let options = DataOptions {
        images: settings.images.clone(),
        val: settings.val.clone(),
        val_share: settings.val_share,
        pseudo: settings.pseudo.clone(),
    };
    let read = read_split(&settings.data, &options, &settings.description.classes)?;
    say_data(&read, say);
    let description = &settings.description;
    let keep = match &settings.keep {
        None => None,
        Some(path) => Some(Evaluator::new(
            general(path, &description.classes)?,
            description,
        )?),
    };
    let train = read.train();
    if train.is_empty() {
        bail!(
            "{}: no picture is annotated for any of the classes; name a teacher's boxes with --pseudo",
            settings.data.display()
        );
    }
    Ok(TrainingData {
        train,
        val: Evaluator::new(read.val(), description)?,
        keep,
    })
}

fn general(path: &Path, classes: &[String]) -> anyhow::Result<Vec<crate::data::Sample>> {
    Ok(read(&DataLocation::find(path, None)?, classes)?.samples)
}

fn say_start(start: &Start, settings: &Settings, say: &dyn Fn(&str)) {
    let fresh: Vec<&str> = (settings.description.classes.iter())
        .filter(|class| !start.kept_classes.contains(class))
        .map(String::as_str)
        .collect();
    say(&format!(
        "from {}: {} variables kept, {} fresh; classes kept: {}; new: {}",
        settings.from,
        start.kept.len(),
        start.fresh.len(),
        start.kept_classes.join(", "),
        if fresh.is_empty() {
            "none".to_owned()
        } else {
            fresh.join(", ")
        }
    ));
}

fn say_data(read: &SplitData, say: &dyn Fn(&str)) {
    say(&format!(
        "{} pictures to learn from, {} held out",
        read.train().len(),
        read.split.val.len()
    ));
    if let Some(pseudo) = &read.pseudo {
        say(pseudo);
    }
    if !read.data.absent.is_empty() {
        say(&format!(
            "the labels have no category for: {}",
            read.data.absent.join(", ")
        ));
    }
    if read.data.problems.total() > 0 {
        say(&format!(
            "{}; see shuffledet-train check",
            read.data.problems
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_sizes_go_from_the_input_to_the_pictures() {
        let sizes = |width, height, pictures: &[(u32, u32)]| {
            let sizes = training_sizes(Resolution { width, height }, pictures);
            let pixels = f64::from(width * height);
            for size in &sizes {
                assert!(
                    (0.8..1.2).contains(&(size.pixels() as f64 / pixels)),
                    "{size}"
                );
            }
            sizes[2..]
                .iter()
                .map(Resolution::to_string)
                .collect::<Vec<_>>()
        };
        // square pictures in a square input, and one that is not
        let mut pictures = vec![(500, 500); 30];
        pictures.push((2000, 500));
        assert!(sizes(416, 416, &pictures).is_empty());
        assert!(sizes(416, 416, &[]).is_empty());
        assert_eq!(sizes(416, 416, &[(1920, 1080)]), ["512x352", "576x288"]);
        assert_eq!(sizes(416, 416, &[(1000, 200)]).last().unwrap(), "832x224");
        assert_eq!(
            sizes(416, 416, &[(480, 640), (640, 480)]),
            ["512x352", "352x512"]
        );
        assert_eq!(sizes(832, 256, &[(1600, 1000)]), ["704x320", "608x352"]);
    }
}
