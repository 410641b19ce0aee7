//! `shuffledet classify`: tells what image files show.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::parameters::ParameterArgs;
use super::{Status, explain};
use crate::cli::terminal;
use shuffledet_core::Labels;
use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};
use shuffledet_detector::classify::{Answer, Classifier, most_probable};
use shuffledet_detector::model::{AUTO, Model};
use shuffledet_image::ImageDecoder;
use shuffledet_infer::Runtime;

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 if every image was processed, 2 if some failed, 1 on an error.")]
pub struct ClassifyArgs {
    /// Image files in any format that OpenCV reads; the file name does not matter
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,

    /// Print the N most probable classes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    top: u64,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Print only one JSON object per image and line on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct ImageResult<'a> {
    file: String,
    width: u32,
    height: u32,
    /// The best first.
    classes: Vec<ImageClass<'a>>,
}

#[derive(Serialize)]
struct ImageClass<'a> {
    label: &'a str,
    /// The model's class index.
    class_id: usize,
    probability: f32,
}

/// An image with its most probable classes.
struct ClassifiedImage {
    /// Width and height.
    size: (u32, u32),
    answers: Vec<Answer>,
}

pub fn run(args: &ClassifyArgs) -> anyhow::Result<Status> {
    let config = args.parameters.config()?;
    if config.model == AUTO {
        bail!(
            "no classifier is named: name an .onnx file of the family classifier with --model (docs/models.md)"
        );
    }
    let model = Model::load_classifier(&config.model)?;
    let mut classifier = Classifier::open(&Runtime::load()?, &model, &config.session)?;
    let mut decoder = ImageDecoder::new();
    decoder.set_limits(config.input.limits);
    let count = usize::try_from(args.top).unwrap_or(usize::MAX);
    let mut status = Status::Success;
    for path in &args.images {
        match classify(path, &mut decoder, &mut classifier, count) {
            Ok(classified) => print(args, classifier.labels(), path, &classified)?,
            Err(error) => {
                explain(&error.context(path.display().to_string()));
                status = Status::SomeFailed;
            }
        }
    }
    Ok(status)
}

fn classify(
    path: &Path,
    decoder: &mut ImageDecoder,
    classifier: &mut Classifier,
    count: usize,
) -> anyhow::Result<ClassifiedImage> {
    let file = bounded_file::read(path, PICTURE_LIMIT)?;
    let image = decoder.decode_file(&file)?;
    classifier.between_frames();
    let probabilities = classifier.classify(&image)?;
    Ok(ClassifiedImage {
        size: (image.width(), image.height()),
        answers: most_probable(probabilities, count),
    })
}

fn print(
    args: &ClassifyArgs,
    labels: &Labels,
    path: &Path,
    classified: &ClassifiedImage,
) -> anyhow::Result<()> {
    let class = |answer: &Answer| ImageClass {
        label: labels.name(answer.class_id),
        class_id: answer.class_id,
        probability: answer.probability,
    };
    let (width, height) = classified.size;
    let result = ImageResult {
        file: path.display().to_string(),
        width,
        height,
        classes: classified.answers.iter().map(class).collect(),
    };
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    writeln!(out, "{}: {width}x{height}", result.file)?;
    for class in &result.classes {
        writeln!(out, "  {:<16} {:.3}", class.label, class.probability)?;
    }
    Ok(())
}
