//! `shuffledet models describe`: writes the description of an ONNX file, and tries it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::terminal;
use crate::cli::{Status, output_paths};
use shuffledet_core::bounded_file::{self, MODEL_LIMIT, PICTURE_LIMIT};
use shuffledet_core::{Detection, Labels, whole_file};
use shuffledet_detector::classify::{Answer, Classifier, most_probable};
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::detect::{Detector, DetectorSettings};
use shuffledet_detector::model::describe::{self, Basis, Draft};
use shuffledet_detector::model::{Family, Manifest, Model};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder, draw};
use shuffledet_infer::{Provider, Runtime, SessionOptions};

#[derive(Debug, Args)]
#[command(after_help = "\
The description is a draft: check every line that is marked as a guess. docs/models.md explains the keys.")]
pub struct DescribeArgs {
    /// The .onnx file
    #[arg(value_name = "FILE.onnx")]
    model: PathBuf,

    /// The description to write [default: the model's path with .yaml, where commands look for it]
    #[arg(long, value_name = "FILE.yaml")]
    output: Option<PathBuf>,

    /// Detect objects in this image with the description, print them, and write the image with
    /// their boxes beside the description, as NAME.try.jpg; print the classes of a classifier
    #[arg(long = "try", value_name = "IMAGE")]
    image: Option<PathBuf>,

    /// Overwrite existing files
    #[arg(long)]
    force: bool,
}

/// JPEG quality of the drawn image.
const JPEG_QUALITY: i32 = 90;

pub fn run(manifest: &Manifest, args: &DescribeArgs) -> anyhow::Result<Status> {
    let beside = args.model.with_extension("yaml");
    let output = args.output.as_ref().unwrap_or(&beside);
    if output_paths::is_same(output, &args.model) {
        bail!(
            "--output {}: would overwrite the model; choose another file",
            output.display()
        );
    }
    output_paths::check_file(output, args.force)?;
    let drawn = output.with_extension("try.jpg");
    if let Some(image) = &args.image {
        output_paths::check_file(&drawn, args.force)?;
        if output_paths::is_same(image, &drawn) || output_paths::is_same(image, output) {
            bail!(
                "--try {}: would overwrite the image; copy it to another name",
                image.display()
            );
        }
    }
    let image = args.image.as_deref().map(read).transpose()?;
    let of_model = || args.model.display().to_string();
    let onnx = bounded_file::read(&args.model, MODEL_LIMIT).with_context(of_model)?;
    let draft = describe::describe(manifest, &onnx, output).with_context(of_model)?;
    let of_output = || format!("--output {}", output.display());
    whole_file::write(output, draft.yaml()).with_context(of_output)?;
    explain(&draft)?;
    writeln!(terminal::stdout(), "wrote {}", output.display())?;
    if *output != beside {
        writeln!(
            terminal::stdout(),
            "commands look for it at {}",
            beside.display()
        )?;
    }
    if let Some((path, image)) = image {
        let model = Model::described(draft.description, args.model.clone(), onnx)?;
        if matches!(model.description.family, Family::Classifier(_)) {
            let answers = classify(&model, &image).with_context(of_try(path))?;
            return print_answers(path, &answers, &model.description.labels);
        }
        let detections = attempt(&model, &image, &drawn).with_context(of_try(path))?;
        print(path, &detections, &model.description.labels)?;
        writeln!(terminal::stdout(), "drew them in {}", drawn.display())?;
    }
    Ok(Status::Success)
}

fn of_try(image: &Path) -> impl Fn() -> String {
    move || format!("--try {}", image.display())
}

/// Returns the most probable classes of the file `image`, on the CPU.
fn classify(model: &Model, image: &[u8]) -> anyhow::Result<Vec<Answer>> {
    const SHOWN: usize = 5;
    let mut classifier = Classifier::open(&Runtime::load()?, model, &on_cpu())?;
    let mut decoder = ImageDecoder::new();
    let picture = decoder.decode_file(image)?;
    Ok(most_probable(classifier.classify(&picture)?, SHOWN))
}

fn print_answers(image: &Path, answers: &[Answer], labels: &Labels) -> anyhow::Result<Status> {
    let mut out = terminal::stdout();
    writeln!(out, "{}:", image.display())?;
    for Answer {
        class_id,
        probability,
    } in answers
    {
        writeln!(out, "  {:<16} {probability:.3}", labels.name(*class_id))?;
    }
    Ok(Status::Success)
}

fn on_cpu() -> SessionOptions {
    SessionOptions {
        providers: vec![Provider::Cpu],
        strict: true,
        intra_op_threads: 1,
        ..SessionOptions::default()
    }
}

/// Reads the image, so that nothing is written if it is not there.
fn read(image: &Path) -> anyhow::Result<(&Path, Vec<u8>)> {
    let file = bounded_file::read(image, PICTURE_LIMIT)
        .with_context(|| format!("--try {}", image.display()))?;
    Ok((image, file))
}

/// Prints each key with its origin, or what to check.
fn explain(draft: &Draft) -> io::Result<()> {
    let mut out = terminal::stdout();
    let mut guesses = 0;
    for entry in &draft.entries {
        let names = entry.value.trim_start().lines().count();
        let value = match entry.value.strip_prefix('\n') {
            Some(_) if names == 1 => "1 name".to_owned(),
            Some(_) => format!("{names} names"),
            None => entry.value.clone(),
        };
        let basis = match &entry.basis {
            Basis::File(origin) => format!("from {origin}"),
            Basis::Guess(check) => {
                guesses += 1;
                format!("GUESS: {check}")
            }
        };
        writeln!(out, "{:<18} {value}  ({basis})", entry.key)?;
    }
    writeln!(
        out,
        "check the {guesses} guesses, and the boxes on a picture (--try IMAGE or `shuffledet detect --draw`)"
    )
}

/// Detects objects in the file `image` on the CPU, and writes the image with their boxes.
fn attempt(model: &Model, image: &[u8], drawn: &Path) -> anyhow::Result<Vec<Detection>> {
    let description = &model.description;
    let settings = DetectorSettings::new(&Thresholds::default(), description)?;
    let mut detector = Detector::new(&Runtime::load()?, model, &on_cpu(), settings)?;
    let mut decoder = ImageDecoder::new();
    let picture = decoder.decode_file(image)?;
    let detections = detector.detect(&picture)?;
    let canvas = draw::annotate(&picture, detections, &description.labels, u32::MAX)?;
    let canvas = BgrView::from_mat(&canvas).context("OpenCV gave no BGR canvas")?;
    let jpeg = JpegEncoder::new(JPEG_QUALITY)?.encode(&canvas)?;
    whole_file::write(drawn, jpeg).with_context(|| drawn.display().to_string())?;
    Ok(detections.to_vec())
}

fn print(image: &Path, detections: &[Detection], labels: &Labels) -> io::Result<()> {
    let mut out = terminal::stdout();
    let count = detections.len();
    let objects = if count == 1 { "object" } else { "objects" };
    writeln!(out, "{}: {count} {objects}", image.display())?;
    for detection in detections {
        let (label, score) = (labels.name(detection.class_id), detection.score);
        let (x, y) = (detection.bbox.x1, detection.bbox.y1);
        let (width, height) = (detection.bbox.width(), detection.bbox.height());
        writeln!(
            out,
            "  {label:<16} {score:.3}  at {x:.0},{y:.0}  {width:.0}x{height:.0}"
        )?;
    }
    Ok(())
}
