//! `shuffledet detect`: detects objects in image files.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::parameters::ParameterArgs;
use super::{Status, explain, output_paths};
use crate::cli::terminal;
use shuffledet_core::bounded_file::{self, PICTURE_LIMIT};
use shuffledet_core::{Detection, Labels, Regions, Resolution};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::classify::SecondStage;
use shuffledet_detector::detect::Detector;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, Damage, ImageDecoder, draw};

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 if every image was processed, 2 if some failed, 1 on an error.")]
pub struct DetectArgs {
    /// Image files in any format that OpenCV reads; the file name does not matter
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Print only one JSON object per image and line on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Write each image with its boxes to this folder as JPEG
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    draw: Option<PathBuf>,

    /// Overwrite existing drawn images
    #[arg(long, requires = "draw", help_heading = "Output")]
    force: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct ImageResult<'a> {
    file: String,
    width: u32,
    height: u32,
    /// The size of the network's input in each run of the model, in the order of the regions.
    input_sizes: &'a [Resolution],
    detections: Vec<FoundObject<'a>>,
}

/// An image with what was found in it.
struct DetectedImage {
    /// Width and height.
    size: (u32, u32),
    damage: Option<Damage>,
    inputs: Vec<Resolution>,
    detections: Vec<Detection>,
}

#[derive(Serialize)]
struct FoundObject<'a> {
    label: &'a str,
    /// The model's class index.
    class_id: usize,
    score: f32,
    /// Left, top, width, height in pixels of the image.
    bbox: [f32; 4],
    /// The other classes that it may have, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    further: Vec<FoundHypothesis<'a>>,
}

#[derive(Serialize)]
struct FoundHypothesis<'a> {
    label: &'a str,
    class_id: usize,
    score: f32,
}

/// JPEG quality of drawn images.
const JPEG_QUALITY: i32 = 90;

pub fn run(args: &DetectArgs) -> anyhow::Result<Status> {
    let targets = args
        .draw
        .as_deref()
        .map(|folder| draw_targets(args, folder))
        .transpose()?;
    let loaded = args.parameters.load()?;
    let mut detector = loaded.detector()?;
    let mut second_stage = loaded.second_stage()?;
    let mut decoder = ImageDecoder::new();
    if second_stage.is_none() {
        decoder.set_jpeg_scale(loaded.config.input.jpeg_scale);
    }
    decoder.set_limits(loaded.config.input.limits);
    let mut encoder = JpegEncoder::new(JPEG_QUALITY)?;
    if let Some(folder) = &args.draw {
        fs::create_dir_all(folder).with_context(|| format!("--draw {}", folder.display()))?;
    }
    let mut status = Status::Success;
    for (index, path) in args.images.iter().enumerate() {
        let regions = &loaded.config.input.regions;
        let found = bounded_file::read(path, PICTURE_LIMIT).map_err(anyhow::Error::from);
        let found = found.and_then(|file| {
            let detected = detect(
                &file,
                &mut decoder,
                &mut detector,
                regions,
                &mut second_stage,
            )?;
            Ok((file, detected))
        });
        let (file, detected) = match found {
            Ok(found) => found,
            Err(error) => {
                explain(&error.context(path.display().to_string()));
                status = Status::SomeFailed;
                continue;
            }
        };
        if let Some(damage) = detected.damage {
            tracing::warn!("{}: {damage}", path.display());
        }
        print(args, &loaded, path, &detected)?;
        if let Some(target) = targets.as_ref().map(|targets| &targets[index]) {
            let image = decoder.decode_file(&file)?;
            write_drawn(target, &mut encoder, &image, &detected, &loaded.labels)
                .with_context(|| format!("--draw {}", target.display()))?;
        }
    }
    Ok(status)
}

fn detect(
    file: &[u8],
    decoder: &mut ImageDecoder,
    detector: &mut Detector,
    regions: &Regions,
    second_stage: &mut Option<SecondStage>,
) -> anyhow::Result<DetectedImage> {
    let image = decoder.file_pixels(file, |image| detector.size_in_input(image, regions))?;
    let mut detections = detector.detect_in(image, regions)?.to_vec();
    if let Some(second_stage) = second_stage {
        second_stage.between_frames();
        let classified = second_stage.classify(&image, &mut detections);
        classified.context("the classifier")?;
    }
    let inputs = detector.inputs().map(|input| input.used).collect();
    Ok(DetectedImage {
        size: image.image_size(),
        damage: image.damage(),
        inputs,
        detections,
    })
}

/// Returns the output path of each image: its name with `.jpg`. Fails if two paths are equal, if
/// one is an input image, or if one exists without `--force`.
fn draw_targets(args: &DetectArgs, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let resolved = args
        .images
        .iter()
        .filter_map(|image| image.canonicalize().ok());
    let originals: HashSet<PathBuf> = resolved.collect();
    let mut targets: Vec<PathBuf> = Vec::new();
    for image in &args.images {
        let Some(name) = image.file_stem() else {
            bail!("{}: expected an image file", image.display());
        };
        let mut name = name.to_owned();
        name.push(".jpg");
        let target = folder.join(name);
        if targets.contains(&target) {
            bail!(
                "--draw: two images would be written to {}; rename one of them",
                target.display()
            );
        }
        if target
            .canonicalize()
            .is_ok_and(|target| originals.contains(&target))
        {
            bail!(
                "--draw {}: would overwrite the input image {}; choose another folder",
                folder.display(),
                target.display()
            );
        }
        output_paths::check_file(&target, args.force)?;
        targets.push(target);
    }
    Ok(targets)
}

fn write_drawn(
    target: &Path,
    encoder: &mut JpegEncoder,
    image: &BgrView<'_>,
    detected: &DetectedImage,
    labels: &Labels,
) -> anyhow::Result<()> {
    let canvas = draw::annotate(image, &detected.detections, labels, u32::MAX)?;
    let picture = BgrView::from_mat(&canvas).context("OpenCV gave no BGR canvas")?;
    fs::write(target, encoder.encode(&picture)?)?;
    Ok(())
}

fn print(
    args: &DetectArgs,
    loaded: &LoadedModel,
    path: &Path,
    detected: &DetectedImage,
) -> anyhow::Result<()> {
    let found = |detection: &Detection| {
        let bbox = detection.bbox;
        let further = detection.hypotheses().skip(1);
        FoundObject {
            label: loaded.labels.name(detection.class_id),
            class_id: detection.class_id,
            score: detection.score,
            bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()],
            further: further
                .map(|(class_id, score)| FoundHypothesis {
                    label: loaded.labels.name(class_id),
                    class_id,
                    score,
                })
                .collect(),
        }
    };
    let (width, height) = detected.size;
    let result = ImageResult {
        file: path.display().to_string(),
        width,
        height,
        input_sizes: &detected.inputs,
        detections: detected.detections.iter().map(found).collect(),
    };
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    let count = result.detections.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let inputs: Vec<_> = result
        .input_sizes
        .iter()
        .map(Resolution::to_string)
        .collect();
    writeln!(
        out,
        "{}: {}x{}, input {}, {count} {objects}",
        result.file,
        result.width,
        result.height,
        inputs.join(" ")
    )?;
    for found in &result.detections {
        let [x, y, width, height] = found.bbox;
        let (label, score) = (found.label, found.score);
        writeln!(
            out,
            "  {label:<16} {score:.3}  at {x:.0},{y:.0}  {width:.0}x{height:.0}"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DetectArgs,
    }

    #[test]
    fn drawn_images_never_replace_those_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("a.jpg");
        fs::write(&image, b"mine").unwrap();
        let targets = |draw: &Path| {
            let line = [
                Path::new("detect"),
                &image,
                Path::new("--force"),
                Path::new("--draw"),
                draw,
            ];
            draw_targets(&Line::parse_from(line).args, draw)
        };
        let error = targets(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("a.jpg") && error.contains("choose another folder"),
            "{error}"
        );
        let other = folder.path().join("drawn");
        assert_eq!(targets(&other).unwrap(), [other.join("a.jpg")]);
    }
}
